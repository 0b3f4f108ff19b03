//! A worker: what one thread of the gateway owns.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of a worker. They end at the latest when the worker does.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    waited_for: TaskTracker,
    closing: CancellationToken,
}

#[expect(dead_code, reason = "the framed path comes next")]
impl Tasks {
    /// Runs a part of a request or a tunnel. A shutdown waits for it as long as it waits for requests, and then
    /// drops it.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.waited_for.spawn(future));
    }

    /// Runs what serves many requests and ends with the worker, such as a stream to a plugin. A shutdown does not
    /// wait for it, and drops it when the last request has ended.
    pub(super) fn spawn_background(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(future));
    }

    /// Cancelled when the gateway shuts down: the time for tunnels to say goodbye.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}
