//! What one driver runs: an imported plugin, and which of its instances.

use std::ffi::OsString;

use outboard_core::manifest::Manifest;
use outboard_jail::User;

use super::context::Context;
use super::import::Imported;
use super::instance::InstanceSpec;
use super::program::Program;

/// A plugin, or the part of it that has a process of its own.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The plugin's name; for an isolated instance, `plugin@instance`.
    pub key: String,
    /// The plugin as it was found; its parts share it.
    pub plugin: String,
    /// What to run, or why it can't be run and what to do about it.
    pub installed: Result<Installed, String>,
    /// What is to serve instead at a start, until this one is granted what it lacks: the version that was granted last.
    pub before: Option<Box<Installed>>,
    pub share: Share,
    /// False: it waits for `outboard plugin start`.
    pub is_enabled: bool,
}

/// Which instances of a plugin live in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are not isolated.
    Common,
    /// The one of this name.
    Isolated(String),
}

/// A plugin in the store, ready to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    pub manifest: Manifest,
    pub imported: Imported,
    pub program: Program,
    /// It has no manifest: `Load` names it.
    pub is_lone: bool,
    /// Asked for and granted; what else is, may change while it runs.
    pub remote_tcp: bool,
    /// What the operator adds to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// `None`: the supervisor's own user.
    pub user: Option<User>,
}

impl Installed {
    pub fn name(&self) -> &str {
        self.manifest.name.as_str()
    }
}

impl Unit {
    pub fn hash(&self) -> &str {
        self.installed.as_ref().map_or("", |installed| &installed.imported.hash)
    }

    /// The configured instances of its share; one of the plugin's own name if nobody configured any.
    pub(super) fn instances(&self, context: &Context) -> Vec<InstanceSpec> {
        let Ok(installed) = &self.installed else { return Vec::new() };
        let all = context
            .instances(installed.name())
            .unwrap_or_else(|| vec![InstanceSpec::of_manifest(&installed.manifest)]);
        all.into_iter()
            .filter(|spec| match &self.share {
                Share::Common => !spec.isolate,
                Share::Isolated(name) => spec.name == *name,
            })
            .collect()
    }

    /// Whether a process of `other` would be started just as one of this.
    pub fn starts_like(&self, other: &Self) -> bool {
        match (&self.installed, &other.installed) {
            (Ok(a), Ok(b)) => {
                // The parameters in a manifest concern instances, not the process.
                let mut a = a.clone();
                a.manifest.parameters.clone_from(&b.manifest.parameters);
                a == *b
            }
            (Err(a), Err(b)) => a == b,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }
}
