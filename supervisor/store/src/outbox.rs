//! Events that are still to be delivered, and what became of those that were.
//!
//! An event is accepted once, gets the next number (`seq`), and one delivery for each notifier that
//! is to be told. A delivery is pending, delivered or dead. The event's body stays as long as one of
//! its deliveries is pending or dead; the rest of it stays until it is purged, so that a repeat is
//! known as one.
//!
//! Everything that changes this does so in a [`change::Change`]: one transaction that begins by
//! writing to the one row of `outbox`. So changes come one after the other, also those of several
//! supervisors, a lower seq is never seen after a higher one, and the counters (bytes of the outbox,
//! pending and dead of each notifier) are those of the rows.
//!
//! Who calls [`Outbox::write`] puts many events into one group: a group costs one sync of the disk.

mod admit;
mod change;
mod found;
mod group;
mod lease;
mod letters;
mod queues;
mod read;
pub(crate) mod rows;
mod upkeep;
mod write;

pub use found::{
    DeadLetter, Delivery, Line, Pending, Queue, Queues, Shown, State, StoredEvent, Window,
};
pub use group::{
    Accept, Accepted, Bounds, Group, NewDelivery, NewEvent, Outcome, Place, Receipt, Settle,
    Written,
};
pub use letters::{Changed, Selection};

use crate::error::StoreError;
use crate::store::Store;

/// The outbox of a [`Store`].
#[derive(Clone, Copy, Debug)]
pub struct Outbox<'a> {
    store: &'a Store,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// Makes a driver's error one for an operator; `doing` completes "could not …".
    fn told<T>(self, doing: &str, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| self.store.failed(doing, &error))
    }
}

/// A count or a size, as it is stored.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count or a size, as it was stored.
fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Attempts, as they were stored.
fn attempts(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}
