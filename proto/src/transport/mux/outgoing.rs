//! What the transport writes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_stream::Stream;

use super::Shared;
use super::state::Wakers;
use crate::plugin::v1::Frames;

/// The messages of one side, filled as late as possible. It ends when the stream does, at the host also
/// when it has drained. Dropping it ends the stream.
pub struct Outgoing {
    shared: Arc<Shared>,
    /// Kept for its allocation.
    wakers: Wakers,
}

impl Outgoing {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, wakers: Wakers::default() }
    }
}

impl Stream for Outgoing {
    type Item = Frames;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frames>> {
        let Self { shared, wakers } = self.get_mut();
        let message = {
            let mut state = shared.lock();
            let message = state.poll_message(cx, wakers);
            let has_room = state.has_room_for_who_waits();
            drop(state);
            if has_room {
                shared.freed.notify_one();
            }
            message
        };
        wakers.wake();
        message
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}
