//! The moments at which a request is too late.

use std::time::Duration;

use tokio::time::Instant;

use super::bounds::Bounds;

/// How long one request may take, and its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The end of all of it.
    pub total: Instant,
    first_byte: Duration,
    idle: Duration,
}

impl Times {
    /// For a request whose head came at `began`.
    pub(super) fn new(bounds: &Bounds, began: Instant) -> Self {
        Self { total: began + bounds.total, first_byte: bounds.first_byte, idle: bounds.idle }
    }

    /// When the head of the response is due, if the request was complete at `asked`.
    pub(super) fn head(&self, asked: Instant) -> Instant {
        self.total.min(asked + self.first_byte)
    }

    /// When something must move again that moved last at `moved`.
    pub(super) fn still(&self, moved: Instant) -> Instant {
        self.total.min(moved + self.idle)
    }

    /// The same for an upgraded connection, which may last.
    pub(super) fn tunnel(&self, moved: Instant) -> Instant {
        moved + self.idle
    }
}
