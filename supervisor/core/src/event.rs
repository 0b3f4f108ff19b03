//! Events: what they are, how they are written, who is told of them, and when.
//!
//! An [`Event`] is complete and within its limits, wherever it came from: [`cloud`] reads and writes
//! `CloudEvents` JSON, [`binary`] reads its other form in HTTP, [`proctor`] Proctor's events, and [`wire`] what
//! plugins and services send over gRPC. [`lanes`] says whose turn it is at one notifier, and [`retry`] what
//! becomes of an event that was tried.

mod any;
mod attribute;
pub mod binary;
pub mod cloud;
mod draft;
mod json;
pub mod lanes;
pub mod proctor;
pub mod retry;
pub mod types;
pub mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use time::OffsetDateTime;

pub use any::read_any;
pub use types::Types;

/// The extension that puts events in order.
pub const PARTITION_KEY: &str = "partitionkey";

/// The most events that are read at once.
pub const MOST: usize = 1000;

/// Something that happened. All its attributes are within their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Unique within the source.
    pub id: String,
    /// What announced it, a URI reference.
    pub source: String,
    /// Its type.
    pub kind: String,
    pub subject: Option<String>,
    /// In UTC.
    pub time: OffsetDateTime,
    /// Always there where there is data.
    pub data_content_type: Option<String>,
    pub data_schema: Option<String>,
    pub data: Option<Data>,
    pub extensions: BTreeMap<String, String>,
}

/// What happened, in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// JSON as it was written; no object in it has a key twice.
    Json(String),
    Text(String),
    Binary(Vec<u8>),
}

/// How events came in: what they may leave out, and what is not theirs to say.
pub struct Received<'r> {
    pub now: SystemTime,
    /// Makes ids.
    pub new_id: &'r mut dyn FnMut() -> String,
    pub origin: Origin<'r>,
}

/// Who announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'r> {
    /// A service, which names the source itself.
    Service,
    /// A plugin, for which the host writes source and time.
    Plugin { source: &'r str },
}

/// Why something is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which of several it is, from 0.
    pub index: Option<usize>,
    /// The attribute, by its name in `CloudEvents`. Empty: the whole event.
    pub attribute: String,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

impl Event {
    /// What is delivered in order: events of the same key, one after the other. `None`: in no order.
    pub fn key(&self) -> Option<&str> {
        let key = self.extensions.get(PARTITION_KEY).or(self.subject.as_ref());
        key.map(String::as_str).filter(|key| !key.is_empty())
    }

    /// As `CloudEvents` JSON: what is stored and delivered.
    pub fn to_json(&self) -> String {
        cloud::write(self)
    }

    /// Reads what [`Event::to_json`] has written.
    pub fn from_json(text: &str) -> Result<Self, Fault> {
        let now = SystemTime::UNIX_EPOCH;
        let mut received = Received { now, new_id: &mut String::new, origin: Origin::Service };
        cloud::read(text.as_bytes(), &mut received)
    }
}

impl Data {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) | Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl Fault {
    fn new(attribute: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { index: None, attribute: attribute.into(), problem: problem.into() }
    }

    /// The same, of one of several events.
    #[must_use]
    pub fn of(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, self.attribute.as_str()) {
            (None, "") => f.write_str(&self.problem),
            (None, attribute) => write!(f, "{attribute}: {}", self.problem),
            (Some(index), "") => write!(f, "events[{index}]: {}", self.problem),
            (Some(index), attribute) => write!(f, "events[{index}].{attribute}: {}", self.problem),
        }
    }
}

impl std::error::Error for Fault {}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("now", &self.now)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
