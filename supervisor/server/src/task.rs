//! Spawns tasks so that each has an owner, and a name in the log when it panics. Only the gateway's workers spawn
//! their own, each on its own runtime, which owns them.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Runs `future` on the current runtime. A panic in it is logged under `name` and ends only this task.
pub fn spawn<F>(name: &'static str, future: F) -> Owned
where
    F: Future<Output = ()> + Send + 'static,
{
    spawn_on(&Handle::current(), name, future)
}

/// The same on another runtime.
pub fn spawn_on<F>(runtime: &Handle, name: &'static str, future: F) -> Owned
where
    F: Future<Output = ()> + Send + 'static,
{
    let task = runtime.spawn(future);
    let abort = task.abort_handle();
    drop(runtime.spawn(report(name, task)));
    Owned { abort, is_detached: false }
}

async fn report(name: &'static str, task: JoinHandle<()>) {
    if let Err(error) = task.await
        && error.is_panic()
    {
        tracing::error!(
            task = name,
            "a task of the supervisor panicked; this is a bug, please report it"
        );
    }
}

/// A task that ends at the latest with its owner.
#[derive(Debug)]
#[must_use = "dropping it ends the task"]
pub struct Owned {
    abort: tokio::task::AbortHandle,
    is_detached: bool,
}

impl Owned {
    /// Lets the task outlive its owner: it ends by itself, and nothing is lost if it does not.
    pub fn detach(mut self) {
        self.is_detached = true;
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.is_detached {
            self.abort.abort();
        }
    }
}
