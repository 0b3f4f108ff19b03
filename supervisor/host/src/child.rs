//! A spawned plugin and everything that hangs on it: guard, pipes, news, readers.
//!
//! Dropping it kills the whole tree, which is what makes a start cancel-safe.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use outboard_jail::{self as jail, Exit, Guard, Launcher, Spec, Tree};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use crate::error::{Cause, StderrTail};
use crate::exit::{self, News, SocketDir, Started};
use crate::launch::{Output, Terms};
use crate::source::{PATIENCE, Source};
use crate::stderr::{self, Tail};

/// The kernel frees a tree's memory before it reports it gone: many gigabytes take a while. A process
/// that can't die, in an uninterruptible sleep, must not hold its host up for ever.
const GONE_LIMIT: Duration = Duration::from_secs(10);

/// For the readers to deliver what the tree left in its pipes. They end by themselves before that.
const TAIL_LIMIT: Duration = PATIENCE.saturating_mul(3);

#[derive(Debug)]
pub(crate) struct Child {
    /// The plugin's, for this process's own log.
    name: String,
    guard: Arc<Guard>,
    news: News,
    tail: Arc<Tail>,
    /// Those who deliver the plugin's output.
    readers: TaskTracker,
    /// Never written to: its end tells the plugin that its host is gone.
    _stdin: OwnedFd,
}

impl Drop for Child {
    fn drop(&mut self) {
        self.guard.kill_tree();
    }
}

impl Child {
    /// Spawns, and reads its stderr from now on; gives its stdout.
    pub(crate) fn spawn(
        launcher: &Launcher,
        spec: &Spec,
        terms: &Terms,
        output: &Arc<dyn Output>,
    ) -> Result<(Self, Source), Cause> {
        let path = &terms.socket_dir;
        let sockets = SocketDir::open(path)
            .map_err(|error| Cause::NoSocketDir { path: path.clone(), error })?;
        let child = blocking(|| launcher.spawn(spec)).map_err(Cause::Spawn)?;
        Self::adopt(child, sockets, &terms.name, output).map_err(Cause::Resources)
    }

    fn adopt(
        child: jail::Child,
        sockets: SocketDir,
        name: &str,
        output: &Arc<dyn Output>,
    ) -> io::Result<(Self, Source)> {
        let guard = Arc::new(child.guard);
        let news = exit::follow(Arc::clone(&guard), sockets)?;
        let stdout = Source::new(child.stdout, news.seen.clone())?;
        let stderr = Source::new(child.stderr, news.seen.clone())?;
        let (tail, readers) = (Arc::new(Tail::default()), TaskTracker::new());
        readers.spawn(stderr::pump(stderr, Arc::clone(output), Arc::clone(&tail)));
        let name = name.to_owned();
        Ok((Self { name, guard, news, tail, readers, _stdin: child.stdin }, stdout))
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(crate) fn tree(&self) -> Tree {
        self.guard.tree()
    }

    /// A task that delivers output: [`Child::bury`] waits for it.
    pub(crate) fn read(&self, reader: impl Future<Output = ()> + Send + 'static) {
        self.readers.spawn(reader);
    }

    /// A socket in its directory, to be removed when the tree is gone.
    pub(crate) fn leaves(&self, socket: OsString) {
        let _ = self.news.leftover.set(socket);
    }

    /// Waits until the program runs, or is known not to.
    pub(crate) async fn started(&self) -> Started {
        let mut seen = self.news.seen.clone();
        match seen.wait_for(|seen| seen.start.is_some()).await {
            Ok(seen) => seen.start.unwrap_or(Started::Lost),
            Err(_) => Started::Lost,
        }
    }

    /// The end of the plugin itself, for users.
    pub(crate) fn exit(&self) -> watch::Receiver<Option<Exit>> {
        self.news.exit.clone()
    }

    /// How the plugin ended, if it does before `deadline`.
    pub(crate) async fn exit_by(&self, deadline: Instant) -> Option<Exit> {
        let mut seen = self.news.seen.clone();
        let exit = seen.wait_for(|seen| seen.exit.is_some());
        timeout_at(deadline, exit).await.ok()?.ok()?.exit
    }

    /// Kills what is left of the tree, waits until it is gone, and until what it wrote is delivered.
    pub(crate) async fn bury(&self) -> Exit {
        self.guard.kill_tree();
        let mut seen = self.news.seen.clone();
        if timeout(GONE_LIMIT, seen.wait_for(|seen| seen.is_gone)).await.is_err() {
            let plugin = &self.name;
            tracing::error!(plugin, limit = ?GONE_LIMIT, "a killed plugin is still there: the kernel holds it");
        }
        self.readers.close();
        let _ = timeout(TAIL_LIMIT, self.readers.wait()).await;
        let exit = seen.borrow().exit;
        exit.unwrap_or(exit::UNKNOWN)
    }

    pub(crate) fn stderr_tail(&self) -> StderrTail {
        StderrTail(self.tail.read())
    }
}

/// Runs what waits for the launcher: well under a millisecond, but many seconds for one that is stuck
/// and has to be replaced. The runtime's other tasks go on meanwhile on its other threads; a runtime
/// that has only this thread waits.
fn blocking<T>(call: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(call),
        _ => call(),
    }
}
