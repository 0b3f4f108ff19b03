//! The forms in which plugins are shown. The JSON is a promise to scripts; the messages of the
//! control socket are not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use outboard_proto::admin::v1 as admin;
use serde::Serialize;

/// All plugins of a supervisor.
#[derive(Serialize)]
pub(super) struct Listing {
    pub(super) containment: String,
    pub(super) plugins: Vec<Plugin>,
}

#[derive(Serialize)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) version: String,
    /// `stopped`, `starting`, `serving`, `stopping`, `backoff` or `failed`.
    pub(super) state: &'static str,
    /// RFC 3339, in UTC.
    pub(super) since: Option<String>,
    #[serde(skip)]
    pub(super) since_time: Option<SystemTime>,
    pub(super) pid: Option<u32>,
    pub(super) generation: u64,
    pub(super) restarts: u32,
    pub(super) error: Option<String>,
    pub(super) foreign: bool,
    pub(super) start_us: Option<u64>,
    pub(super) hash: String,
    pub(super) instances: Vec<Instance>,
    pub(super) waiting: Option<Waiting>,
}

/// A newer version that waits for a grant.
#[derive(Serialize)]
pub(super) struct Waiting {
    pub(super) hash: String,
    pub(super) missing: Vec<String>,
}

/// What a plugin may do beyond the default.
#[derive(Serialize)]
pub(super) struct PluginGrants {
    pub(super) name: String,
    pub(super) hash: String,
    pub(super) asked: Vec<String>,
    pub(super) granted: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) waiting: Option<Waiting>,
}

#[derive(Serialize)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) activation: Option<String>,
    pub(super) problems: Vec<String>,
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Serialize)]
pub(super) struct Endpoint {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) priority: u32,
    pub(super) filter: bool,
}

#[derive(Serialize)]
pub(super) struct LogLine {
    /// RFC 3339, in UTC.
    pub(super) time: String,
    pub(super) level: String,
    pub(super) message: String,
    /// In the order of their names.
    pub(super) fields: BTreeMap<String, String>,
}

impl From<admin::ListResponse> for Listing {
    fn from(response: admin::ListResponse) -> Self {
        let plugins = response.plugins.into_iter().map(Plugin::from).collect();
        Self { containment: response.containment, plugins }
    }
}

impl Plugin {
    pub(super) fn start_time(&self) -> Option<Duration> {
        self.start_us.map(Duration::from_micros)
    }
}

impl From<admin::Plugin> for Plugin {
    fn from(plugin: admin::Plugin) -> Self {
        let since_time = plugin.since.and_then(|since| SystemTime::try_from(since).ok());
        Self {
            state: state(plugin.state()),
            since: since_time.map(rfc3339),
            since_time,
            pid: unless_empty(plugin.pid),
            generation: plugin.generation,
            restarts: plugin.restarts,
            error: unless_empty(plugin.error),
            foreign: plugin.foreign,
            start_us: unless_empty(plugin.start_us),
            hash: plugin.hash,
            instances: plugin.instances.into_iter().map(Instance::from).collect(),
            waiting: plugin.waiting.map(Waiting::from),
            name: plugin.name,
            version: plugin.version,
        }
    }
}

impl From<admin::WaitingVersion> for Waiting {
    fn from(waiting: admin::WaitingVersion) -> Self {
        Self { hash: waiting.hash, missing: waiting.missing }
    }
}

impl From<admin::Instance> for Instance {
    fn from(instance: admin::Instance) -> Self {
        Self {
            name: instance.name,
            active: instance.active,
            activation: unless_empty(instance.activation),
            problems: instance.problems,
            endpoints: instance.endpoints.into_iter().map(Endpoint::from).collect(),
        }
    }
}

impl From<admin::Endpoint> for Endpoint {
    fn from(endpoint: admin::Endpoint) -> Self {
        let admin::Endpoint { method, url, priority, filter } = endpoint;
        Self { method, url, priority, filter }
    }
}

impl From<admin::LogsResponse> for LogLine {
    fn from(line: admin::LogsResponse) -> Self {
        let time = line.time.and_then(|time| SystemTime::try_from(time).ok());
        Self {
            time: rfc3339(time.unwrap_or(SystemTime::UNIX_EPOCH)),
            level: line.level,
            message: line.message,
            fields: line.fields.into_iter().collect(),
        }
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// What a message leaves out stands in it as zero or empty.
fn unless_empty<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn state(state: admin::State) -> &'static str {
    match state {
        admin::State::Unspecified => "unknown",
        admin::State::Stopped => "stopped",
        admin::State::Starting => "starting",
        admin::State::Serving => "serving",
        admin::State::Stopping => "stopping",
        admin::State::Backoff => "backoff",
        admin::State::Failed => "failed",
    }
}
