//! How a process ends: asked once, by whomever, and gone within two seconds.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What running calls get before they are cancelled.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// go-plugin hosts kill after 2 s. A handler that blocks its thread keeps everything else from ending
/// in order, so a thread of its own ends the process before that.
const LAST_MOMENT: Duration = Duration::from_millis(1800);

#[derive(Clone)]
pub(crate) struct Stop {
    token: CancellationToken,
    asked: Arc<AtomicBool>,
    /// The system does not remove it when a process ends.
    socket: Option<PathBuf>,
}

impl Stop {
    pub(super) fn new(socket: Option<PathBuf>) -> Self {
        Self { token: CancellationToken::new(), asked: Arc::default(), socket }
    }

    pub(super) fn request(&self, why: &str) {
        if self.asked.swap(true, Ordering::SeqCst) {
            return;
        }
        tracing::debug!(why, "stopping");
        self.token.cancel();
        let socket = self.socket.clone();
        let last_moment = thread::Builder::new().name("outboard-exit".to_owned()).spawn(|| {
            thread::sleep(LAST_MOMENT);
            socket.map(fs::remove_file);
            process::exit(0);
        });
        if let Err(error) = last_moment {
            tracing::warn!(%error, "no thread to end a handler that blocks; the host must kill it");
        }
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    pub(crate) fn requested(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }
}
