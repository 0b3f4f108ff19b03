//! What is written together, and what came of it.

use std::sync::Arc;

/// One transaction: what became of deliveries, then new events.
#[derive(Clone, Default)]
pub struct Group {
    /// When this is, in milliseconds since 1970.
    pub now_ms: i64,
    pub accept: Vec<Accept>,
    pub settle: Vec<Settle>,
}

/// Events that are taken in together or not at all.
#[derive(Clone, Default)]
pub struct Accept {
    pub events: Vec<NewEvent>,
}

/// An event as it comes in. Without `Debug`: the body is nobody's business in a log.
#[derive(Clone)]
pub struct NewEvent {
    pub source: String,
    /// Unique within the source.
    pub event_id: String,
    pub kind: String,
    /// What it is in order by.
    pub key: Option<String>,
    /// The whole of it, as JSON of a cloud event. Its length is what counts for the bounds.
    pub body: String,
    /// None: it is kept only so that a repeat is known, and its body is not kept at all.
    pub deliveries: Vec<NewDelivery>,
}

/// That a notifier is to be told: at most one of these for each notifier.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub notifier: Arc<str>,
    /// Never used for anything else.
    pub delivery_id: String,
}

/// What became of one attempt. One that is not pending any more stays as it is, but for this: what
/// was given up while it was under way, and was delivered after all, is delivered.
#[derive(Clone, Debug)]
pub struct Settle {
    pub notifier: Arc<str>,
    pub seq: i64,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Not now. It stays pending.
    Again {
        not_before_ms: i64,
        error: String,
    },
    /// Never.
    Dead {
        error: String,
    },
}

/// How much may be there.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of all events that are not delivered to all. Above it nothing new is accepted.
    pub max_bytes: u64,
    /// Pending deliveries of each notifier. Above it the oldest ones are given up.
    pub pending: u64,
    /// Their bytes, in the same way.
    pub pending_bytes: u64,
}

/// What came of a [`Group`].
#[derive(Clone, Debug)]
pub struct Written {
    /// One for each [`Accept`], in the same order.
    pub accepted: Vec<Accepted>,
    /// Deliveries that are dead now because their notifier had too many, or too many bytes.
    pub died: Vec<Place>,
    /// Bytes of all events that are not delivered to all.
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// One for each event, in the same order.
    Stored(Vec<Receipt>),
    /// There is no room for all of its events, so none was taken.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its number. Of a repeat: that of the first.
    pub seq: i64,
    /// There was an event of the same source and id, and this one was left out.
    pub repeated: bool,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub notifier: String,
    pub seq: i64,
}
