//! What an operator lets events take: space, attempts, time.

use std::time::Duration;

use outboard_store::outbox::Bounds;

/// How events are taken in and delivered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of one event as JSON, in bytes.
    pub max_event: usize,
    /// Of all events, and of those that wait for one notifier.
    pub bounds: Bounds,
    /// Of a delivery, before it is given up.
    pub max_age: Duration,
    /// Of one delivery, before it is given up.
    pub attempts: u32,
    /// For one call of a plugin.
    pub timeout: Duration,
    /// Calls at once, of each notifier.
    pub concurrency: usize,
    /// How long a repeat is known as one.
    pub retention: Duration,
}
