//! What operators tell a running supervisor.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::App;
use crate::task;

pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Somebody has lost patience.
    pub(super) async fn again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Reloads at each SIGHUP, and ends with SIGINT or SIGTERM.
    pub(super) async fn wait(&mut self, app: &Arc<App>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                // A task, since importing may take long and the other signals must not wait for it.
                _ = self.hang_up.recv() => task::spawn("reload", app.clone().reload()).detach(),
            }
        }
    }
}
