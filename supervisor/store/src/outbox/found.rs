//! What is read.

/// Which of the pending deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Those that were accepted, in their order.
    Order,
    /// The same without these keys: what waits behind them is not looked at.
    Except(&'a [String]),
    /// The same of one key. It is looked for among all that waits.
    Key(&'a str),
    /// Those that an operator has asked for once more. Their seq is an old one.
    Replayed,
}

/// How much to read at once.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub rows: u32,
    /// Reading stops with the body that reaches this; at least one is read.
    pub bytes: u64,
}

/// A delivery that waits. Without `Debug`, as the event.
#[derive(Clone, PartialEq, Eq)]
pub struct Pending {
    pub seq: i64,
    pub delivery_id: String,
    pub key: Option<String>,
    /// How often it was tried. A replayed one begins anew.
    pub attempts: u32,
    pub not_before_ms: i64,
    /// When its event was accepted; of a replayed one, when it was asked for again.
    pub accepted_ms: i64,
    pub replayed: bool,
    pub body: String,
}

/// All notifiers that ever had something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Of all events that are not delivered to all.
    pub bytes: u64,
    /// In the order of their names.
    pub queues: Vec<Queue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub notifier: String,
    pub pending: u64,
    pub pending_bytes: u64,
    pub dead: u64,
    /// Since when the oldest pending one waits.
    pub oldest_ms: Option<i64>,
}

/// An event as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub seq: i64,
    pub source: String,
    pub event_id: String,
    pub kind: String,
    pub key: Option<String>,
    pub accepted_ms: i64,
    /// `None`: nobody needs it any more.
    pub body: Option<String>,
}

/// How far an event is with one notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub delivery_id: String,
    pub notifier: String,
    pub state: State,
    pub attempts: u32,
    /// Why the last attempt that failed did, or why it was given up.
    pub error: Option<String>,
    pub updated_ms: i64,
    pub replayed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Delivered,
    Dead,
}

/// An event that was given up for one notifier.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub event: StoredEvent,
    pub delivery: Delivery,
}

/// An event, and all that became of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    pub event: StoredEvent,
    /// In the order of their notifiers.
    pub deliveries: Vec<Delivery>,
}

impl State {
    pub(super) fn stored(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Delivered => 1,
            Self::Dead => 2,
        }
    }

    pub(super) fn read(stored: i64) -> Self {
        match stored {
            0 => Self::Pending,
            1 => Self::Delivered,
            _ => Self::Dead,
        }
    }
}
