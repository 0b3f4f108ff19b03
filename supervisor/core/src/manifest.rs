//! `plugin.toml`: what a plugin's author says about it.
//!
//! A manifest asks, it never grants: what it wants beyond the default is given by the operator, in
//! `outboard.toml`. It names programs and files by paths inside its own directory only, since what
//! was hashed is what runs.

mod keys;
#[cfg(test)]
mod tests;

use std::time::Duration;

use outboard_proto::env;
use serde_json::{Map, Value};

use crate::config::parameters;
use crate::event::Types;
use crate::grant::Grants;
use crate::name::PluginName;
use crate::written::{Choice, Document, Mistakes, Table};

pub use keys::KEYS;

/// The file's name in a plugin's directory.
pub const FILE_NAME: &str = "plugin.toml";

/// What a `plugin.toml` means. Only [`Manifest::parse`] makes one, and [`Manifest::lone`] for a
/// program that has none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    pub name: PluginName,
    /// As written, for people; `Load` has the last word. Empty: not said.
    pub version: String,
    /// For people. Empty: not said.
    pub description: String,
    /// `None`: the one executable of the directory, or the one named like the plugin or directory.
    pub command: Option<Command>,
    pub tls: Tls,
    /// Names of the supervisor's variables that are passed on where they are set.
    pub env: Vec<String>,
    /// The user to run as, where the supervisor runs as root. The operator's word goes first.
    pub user: Option<String>,
    /// Instead of the operator's `supervision.start_timeout`.
    pub start_timeout: Option<Duration>,
    /// Instead of the operator's `supervision.call_timeout`.
    pub call_timeout: Option<Duration>,
    /// What belongs to the plugin, relative to its directory. Empty: everything there.
    pub files: Vec<String>,
    /// For the default instance. May hold references to secrets.
    pub parameters: Map<String, Value>,
    /// How it shakes hands.
    pub go_plugin: GoPlugin,
    /// The events that each of its instances is to be told of. `None`: it is no notifier.
    pub notify: Option<Types>,
    /// Its instances can say who somebody is.
    pub authenticate: bool,
    /// What it asks for.
    pub grants: Grants,
}

/// What to run: an entry of the plugin's directory, or an interpreter from `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub program: String,
    pub args: Vec<String>,
}

/// Whether host and plugin authenticate each other by certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// On a Unix socket the private directory and the check of the peer do instead; TCP is refused.
    #[default]
    Auto,
    Required,
    Off,
}

/// The host's half of the handshake. Default: that of Outboard's own plugins; a plugin that was made
/// for another go-plugin host has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPlugin {
    pub cookie_key: String,
    pub cookie_value: String,
    /// Application protocol versions that may be negotiated. Never empty.
    pub versions: Vec<u32>,
}

impl Choice for Tls {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("required", Self::Required), ("off", Self::Off)];
}

impl Default for GoPlugin {
    fn default() -> Self {
        Self {
            cookie_key: env::COOKIE_KEY.to_owned(),
            cookie_value: env::COOKIE_VALUE.to_owned(),
            versions: vec![env::APP_VERSION],
        }
    }
}

impl Manifest {
    /// Reads a manifest. `file` is what mistakes call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let document = Document::parse(file, text, &mut mistakes);
        document.refuse_unknown(&KEYS, &mut mistakes);
        let manifest = read(&document.root(), &mut mistakes);
        mistakes.or(manifest)
    }

    /// What a lone executable without a manifest gets: nothing but its name.
    pub fn lone(name: PluginName) -> Self {
        Self {
            name,
            version: String::new(),
            description: String::new(),
            command: None,
            tls: Tls::default(),
            env: Vec::new(),
            user: None,
            start_timeout: None,
            call_timeout: None,
            files: Vec::new(),
            parameters: Map::new(),
            go_plugin: GoPlugin::default(),
            notify: None,
            authenticate: false,
            grants: Grants::default(),
        }
    }
}

fn read(root: &Table<'_>, mistakes: &mut Mistakes) -> Option<Manifest> {
    let name = root.require(&keys::NAME, mistakes);
    Some(Manifest {
        version: root.read(&keys::VERSION, mistakes).unwrap_or_default(),
        description: root.read(&keys::DESCRIPTION, mistakes).unwrap_or_default(),
        command: root.read(&keys::COMMAND, mistakes),
        tls: root.read(&keys::TLS, mistakes).unwrap_or_default(),
        env: root.read(&keys::ENV, mistakes).unwrap_or_default(),
        user: root.read(&keys::USER, mistakes),
        start_timeout: root.read(&keys::START_TIMEOUT, mistakes),
        call_timeout: root.read(&keys::CALL_TIMEOUT, mistakes),
        files: root.read(&keys::FILES, mistakes).unwrap_or_default(),
        parameters: parameters::read(root, &keys::PARAMETERS, mistakes),
        go_plugin: read_go_plugin(root, mistakes),
        notify: root.read(&keys::NOTIFY_TYPES, mistakes),
        authenticate: root.read(&keys::AUTHENTICATE, mistakes).unwrap_or_default(),
        grants: Grants {
            remote_tcp: root.read(&keys::REMOTE_TCP, mistakes).unwrap_or_default(),
            emit: root.read(&keys::EMIT, mistakes).unwrap_or_default(),
            callbacks: root.read(&keys::CALLBACKS, mistakes).unwrap_or_default(),
        },
        // Last, so that a missing name hides no other mistake.
        name: name?,
    })
}

fn read_go_plugin(root: &Table<'_>, mistakes: &mut Mistakes) -> GoPlugin {
    let key = root.read(&keys::COOKIE_KEY, mistakes);
    let value = root.read(&keys::COOKIE_VALUE, mistakes);
    if key.is_some() != value.is_some() {
        let written = if key.is_some() { &keys::COOKIE_KEY } else { &keys::COOKIE_VALUE };
        mistakes.add(
            root.place_of_key(written),
            "go_plugin.cookie_key and go_plugin.cookie_value belong together; \
             write both, as the plugin's handshake configuration has them",
        );
    }
    let own = GoPlugin::default();
    GoPlugin {
        cookie_key: key.unwrap_or(own.cookie_key),
        cookie_value: value.unwrap_or(own.cookie_value),
        versions: root.read(&keys::VERSIONS, mistakes).unwrap_or(own.versions),
    }
}
