//! What can be said about a plugin from outside, and its form on the control socket.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outboard_core::lifecycle::State;
use outboard_core::route::Endpoint;
use outboard_proto::admin::v1 as admin;

use super::reach::Capabilities;
use crate::callback::Room;

/// Published by a plugin's driver after every change.
#[derive(Clone, Debug)]
pub struct Status {
    pub name: String,
    pub version: String,
    pub hash: String,
    pub state: State,
    pub since: SystemTime,
    pub pid: Option<u32>,
    pub generation: u64,
    pub restarts: usize,
    /// Starts that went wrong and processes that were lost, ever. Only grows.
    pub failures: u64,
    /// Commands that it was given, ever. Only grows.
    pub wishes: u64,
    pub error: Option<String>,
    pub is_foreign: bool,
    pub start_time: Option<Duration>,
    pub instances: Vec<InstanceStatus>,
    /// Instances that are gone, but whose `Close` is not answered yet.
    pub closing: Vec<String>,
    /// What its `Load` says of itself.
    pub said: Option<Said>,
    /// Knows the endpoints, which may change without the driver.
    pub room: Option<Arc<Room>>,
}

#[derive(Clone, Debug)]
pub struct InstanceStatus {
    pub name: String,
    /// Set while its endpoints are published.
    pub activation: Option<String>,
    pub problems: Vec<String>,
    /// The turn that this is the outcome of.
    pub turn: u64,
    /// A later turn that was refused, and why, while the instance serves on as it was.
    pub refused: Option<(u64, Vec<String>)>,
}

/// What a plugin says of itself, for people, and what it can do.
#[derive(Clone, Debug)]
pub struct Said {
    pub display_name: String,
    pub description: String,
    pub capabilities: Capabilities,
}

impl Status {
    pub fn new(name: String, hash: String) -> Self {
        Self {
            name,
            version: String::new(),
            hash,
            state: State::Stopped,
            since: SystemTime::now(),
            pid: None,
            generation: 0,
            restarts: 0,
            failures: 0,
            wishes: 0,
            error: None,
            is_foreign: false,
            start_time: None,
            instances: Vec::new(),
            closing: Vec::new(),
            said: None,
            room: None,
        }
    }

    /// For an operator; `external_url` is where clients reach the gateway, without a final slash.
    pub fn describe(self, external_url: &str) -> admin::Plugin {
        let room = self.room.as_deref();
        let instances = self
            .instances
            .into_iter()
            .map(|instance| instance.describe(room, external_url))
            .collect();
        admin::Plugin {
            name: self.name,
            version: self.version,
            state: state_name(self.state).into(),
            since: Some(self.since.into()),
            pid: self.pid.unwrap_or(0),
            generation: self.generation,
            restarts: u32::try_from(self.restarts).unwrap_or(u32::MAX),
            error: self.error.unwrap_or_default(),
            foreign: self.is_foreign,
            start_us: self
                .start_time
                .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            hash: self.hash,
            instances,
            waiting: None,
        }
    }
}

impl InstanceStatus {
    fn describe(self, room: Option<&Room>, external_url: &str) -> admin::Instance {
        let endpoints = match (room, &self.activation) {
            (Some(room), Some(activation)) => {
                let base = format!("{external_url}{}", room.base_path(&self.name));
                room.endpoints(activation).iter().map(|it| endpoint(it, &base)).collect()
            }
            _ => Vec::new(),
        };
        admin::Instance {
            name: self.name,
            active: self.activation.is_some(),
            activation: self.activation.unwrap_or_default(),
            problems: self.problems,
            endpoints,
        }
    }
}

fn endpoint(endpoint: &Endpoint, base: &str) -> admin::Endpoint {
    admin::Endpoint {
        method: endpoint.method.to_string(),
        url: format!("{base}{}", endpoint.pattern.to_string().trim_start_matches('/')),
        priority: endpoint.priority,
        filter: endpoint.filter,
    }
}

fn state_name(state: State) -> admin::State {
    match state {
        State::Stopped => admin::State::Stopped,
        State::Starting | State::Loading | State::Initialising => admin::State::Starting,
        State::Serving => admin::State::Serving,
        State::Draining { .. } | State::Stopping { .. } => admin::State::Stopping,
        State::Backoff { .. } => admin::State::Backoff,
        State::Failed => admin::State::Failed,
    }
}
