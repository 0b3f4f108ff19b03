//! What `[[plugin]]` and `[[instance]]` say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::{Map, Value};

use super::ProctorRole;
use crate::grant::Grants;
use crate::identity::kind::InstanceKind;
use crate::identity::scheme::SchemeSettings;
use crate::name::{InstanceName, PluginName};
use crate::written::Place;

/// A `[[plugin]]`: what the operator says about a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginEntry {
    pub name: PluginName,
    pub path: Option<PathBuf>,
    pub is_enabled: bool,
    pub user: Option<String>,
    pub env: BTreeMap<String, String>,
    pub grants: Grants,
    pub limits: PluginLimits,
    /// What Proctor's variables say that it is for. Empty: they don't name it.
    pub proctor: Vec<ProctorRole>,
    /// Where its path is written, else where it begins.
    pub place: Place,
}

/// What holds for one plugin's requests instead of what the gateway's settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginLimits {
    pub max_body: Option<ByteSize>,
    pub first_byte_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub request_timeout: Option<Duration>,
    pub max_concurrent_requests: Option<u32>,
}

/// An `[[instance]]`: a configured copy of a plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceEntry {
    pub name: InstanceName,
    pub plugin: PluginName,
    /// With references to secrets, not the secrets: see [`super::parameters::resolve`].
    pub parameters: Map<String, Value>,
    pub is_enabled: bool,
    pub is_isolated: bool,
    pub purpose: Purpose,
    /// Its line in the file.
    pub line: usize,
}

/// What an instance is there for, and what the operator says of it for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    pub kind: InstanceKind,
    /// For people. Empty: its name.
    pub display_name: String,
    /// Of one that keeps users or clients: lower is asked first.
    pub rank: i64,
    /// Of one that keeps users or clients: nothing is changed there.
    pub is_readonly: bool,
    /// Of one that authenticates.
    pub scheme: SchemeSettings,
}

impl Default for Purpose {
    fn default() -> Self {
        Self {
            kind: InstanceKind::Plugin,
            display_name: String::new(),
            rank: 0,
            is_readonly: false,
            scheme: SchemeSettings { allow_user_register: true, ..SchemeSettings::default() },
        }
    }
}
