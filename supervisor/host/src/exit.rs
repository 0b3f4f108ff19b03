//! What becomes of a plugin's process tree, as its guard tells it.
//!
//! One task per plugin reads the guard's news and publishes them; it ends when the guard itself is
//! gone, which is the only proof that the whole tree is.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use nix::libc;
use outboard_jail::{Event, Exit, Guard, Step};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// What is said of a plugin whose guard was killed with it: its own end is not known.
pub(crate) const UNKNOWN: Exit = Exit::Signal { signal: libc::SIGKILL, core: false };

/// What is known so far. Each field only ever changes once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) start: Option<Started>,
    pub(crate) exit: Option<Exit>,
    /// Every process of the tree, and the guard, is dead.
    pub(crate) is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Started {
    /// The plugin's process id as this process sees it.
    Runs(i32),
    Failed(Step, i32),
    /// The guard was lost before it could say.
    Lost,
}

/// Where the news arrive.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) seen: watch::Receiver<Seen>,
    /// [`Seen::exit`] alone, for users.
    pub(crate) exit: watch::Receiver<Option<Exit>>,
    /// The plugin's socket file, to be removed when its tree is gone: Go plugins leave it when they
    /// are killed, and when their broker is multiplexed.
    pub(crate) leftover: Arc<OnceLock<PathBuf>>,
}

struct Teller {
    seen: watch::Sender<Seen>,
    exit: watch::Sender<Option<Exit>>,
    leftover: Arc<OnceLock<PathBuf>>,
}

/// Begins to follow `guard`. Must be called within a tokio runtime.
pub(crate) fn follow(guard: Arc<Guard>) -> io::Result<News> {
    let control = watch_for_reading(guard)?;
    let (seen_sender, seen) = watch::channel(Seen::default());
    let (exit_sender, exit) = watch::channel(None);
    let leftover = Arc::new(OnceLock::new());
    let teller = Teller { seen: seen_sender, exit: exit_sender, leftover: Arc::clone(&leftover) };
    tokio::spawn(teller.tell(control));
    Ok(News { seen, exit, leftover })
}

impl Teller {
    async fn tell(self, control: AsyncFd<Arc<Guard>>) {
        while let Some(event) = next(&control).await {
            match event {
                Event::Started { pid } => self.started(Started::Runs(pid)),
                Event::ExecFailed { step, errno } => self.started(Started::Failed(step, errno)),
                Event::Exited { status, .. } => self.exited(status),
                Event::Gone | Event::Lost => break,
            }
        }
        // Now the guard is about to die or dead; should it neither say nor die, it is made to.
        control.get_ref().kill_tree();
        wait_for_guard(control.get_ref()).await;
        self.gone();
    }

    fn started(&self, started: Started) {
        self.seen.send_modify(|seen| seen.start = seen.start.or(Some(started)));
    }

    fn exited(&self, exit: Exit) {
        self.seen.send_modify(|seen| seen.exit = seen.exit.or(Some(exit)));
        self.exit.send_modify(|known| *known = known.or(Some(exit)));
    }

    fn gone(&self) {
        if let Some(socket) = self.leftover.get() {
            // Usually the plugin has removed it itself.
            let _ = std::fs::remove_file(socket);
        }
        self.started(Started::Lost);
        self.exited(UNKNOWN);
        self.seen.send_modify(|seen| seen.is_gone = true);
    }
}

/// `None` when there is nothing more to come.
async fn next(control: &AsyncFd<Arc<Guard>>) -> Option<Event> {
    loop {
        let mut ready = control.readable().await.ok()?;
        match control.get_ref().next() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            event => return event.ok().flatten(),
        }
    }
}

async fn wait_for_guard(guard: &Guard) {
    let Ok(pidfd) = guard.pidfd().try_clone_to_owned().and_then(watch_for_reading) else { return };
    let _ = pidfd.readable().await;
}

#[expect(
    deprecated,
    reason = "sound for what owns its descriptor; the successor is unsafe to call"
)]
fn watch_for_reading<T: AsFd + AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, Interest::READABLE)
}
