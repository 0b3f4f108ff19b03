//! The plugins of this supervisor: found, imported, and each driven by a task of its own.

mod context;
mod discover;
mod driver;
mod generation;
pub mod import;
mod instance;
mod log;
mod output;
mod plan;
mod program;
mod rate;
mod secrets;
mod seen;
pub mod snapshot;
mod status;
mod unit;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::join_all;
use outboard_core::lifecycle::Event;
use outboard_proto::admin::v1 as admin;
use tokio::sync::broadcast;

pub use context::{Context, Current, Settings};
pub use instance::InstanceSpec;
pub use log::{LogEntry, PluginLog};
pub use plan::plan;
pub use secrets::{Secrets, Source};
pub use status::Status;
pub use unit::Unit;

use driver::{Handle, Settled};

/// Every plugin of the supervisor, by key. Clones are of the same plugins.
#[derive(Clone)]
pub struct Plugins {
    context: Arc<Context>,
    /// Where clients reach the gateway, without a final slash.
    external_url: Arc<str>,
    handles: Arc<RwLock<BTreeMap<String, Arc<Handle>>>>,
}

/// Why something that an operator asked for was not done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no plugin is named {name:?}; there are: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NotFound { name: String, known: Vec<String> },
    #[error("{message}")]
    Failed { message: String },
}

impl Plugins {
    pub fn new(context: Arc<Context>, external_url: &str) -> Self {
        Self { context, external_url: external_url.into(), handles: Arc::default() }
    }

    /// Makes the plugins those of `units`: new ones are started, changed ones brought up to date, and
    /// those that are gone are stopped. Gives a future of all that settling; dropping it changes nothing.
    pub fn apply(&self, units: Vec<Unit>) -> impl Future<Output = ()> + Send + use<> {
        let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *handles);
        let (mut wishes, mut upgrades) = (Vec::new(), Vec::new());
        for mut unit in units {
            if let Err(other) = self.context.claim_found(&unit) {
                unit.installed = Err(format!(
                    "the plugin {other:?} has the same name; rename or remove one of them"
                ));
            }
            if let Some(handle) = old.remove(&unit.key) {
                handles.insert(unit.key.clone(), handle.clone());
                if handle.needs_upgrade(&unit) {
                    upgrades.push(self.clone().upgrade(handle, unit));
                } else {
                    handle.update(unit);
                }
                continue;
            }
            let (key, is_enabled) = (unit.key.clone(), unit.is_enabled);
            let handle = Arc::new(Handle::new(self.context.clone(), unit));
            if is_enabled {
                wishes.push(handle.wish(Event::Start));
            }
            handles.insert(key, handle);
        }
        let kept: Vec<String> = handles.values().map(|handle| handle.plugin().to_owned()).collect();
        for handle in old.values().filter(|handle| !kept.iter().any(|name| name == handle.plugin()))
        {
            self.context.release(handle.plugin());
        }
        let removals = remove(old.into_values().collect());
        async move {
            tokio::join!(join_all(wishes), join_all(upgrades), removals);
        }
    }

    /// Starts the new process beside the old one, which serves until the new one can take over, and
    /// goes on serving if it can't.
    async fn upgrade(self, old: Arc<Handle>, unit: Unit) {
        let key = unit.key.clone();
        let new = Arc::new(old.successor(self.context.clone(), unit));
        match new.wish(Event::Start).await {
            Settled::Serving => {
                self.replace(&key, &old, &new);
                old.wish(Event::Stop).await;
            }
            Settled::Stopped => {}
            Settled::Failed(message) => {
                new.wish(Event::Stop).await;
                tracing::error!(plugin = key, "not upgraded, the old version serves on: {message}");
                old.note(format!("not upgraded, the old version serves on: {message}"));
            }
        }
    }

    fn replace(&self, key: &str, old: &Arc<Handle>, new: &Arc<Handle>) {
        let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handles.get_mut(key)
            && Arc::ptr_eq(handle, old)
        {
            *handle = new.clone();
        }
    }

    /// Stops all plugins. Begins with the one that was started last.
    pub async fn stop_all(&self) {
        let stopping: Vec<_> =
            self.handles_now().into_iter().rev().map(|handle| handle.wish(Event::Stop)).collect();
        join_all(stopping).await;
    }

    /// All plugins by name, and how they are contained.
    pub fn list(&self) -> (Vec<admin::Plugin>, String) {
        let external_url = &*self.external_url;
        let plugins =
            self.handles_now().iter().map(|it| it.status().describe(external_url)).collect();
        (plugins, self.context.containment.to_string())
    }

    pub async fn start(&self, name: &str) -> Result<admin::Plugin, ControlError> {
        self.wish(name, Event::Start).await
    }

    pub async fn stop(&self, name: &str) -> Result<admin::Plugin, ControlError> {
        self.wish(name, Event::Stop).await
    }

    pub async fn restart(&self, name: &str) -> Result<admin::Plugin, ControlError> {
        self.wish(name, Event::Restart).await
    }

    /// The newest lines of a plugin's log, and every one after them.
    pub fn logs(
        &self,
        name: &str,
        tail: usize,
    ) -> Result<(Vec<LogEntry>, broadcast::Receiver<LogEntry>), ControlError> {
        Ok(self.find(name)?.log().tail(tail))
    }

    /// The process below which every plugin is started.
    pub fn launcher_pid(&self) -> i32 {
        self.context.launcher.pid()
    }

    /// Whether the process at the other end of `socket` belongs to a plugin that is connected.
    pub fn has_process(&self, socket: BorrowedFd<'_>) -> bool {
        let rooms = self.handles_now().into_iter().filter_map(|handle| handle.status().room);
        rooms.into_iter().any(|room| room.has(socket))
    }

    async fn wish(&self, name: &str, event: Event) -> Result<admin::Plugin, ControlError> {
        let handle = self.find(name)?;
        match handle.wish(event).await {
            Settled::Serving | Settled::Stopped => Ok(handle.status().describe(&self.external_url)),
            Settled::Failed(message) => {
                Err(ControlError::Failed { message: format!("plugin {name:?}: {message}") })
            }
        }
    }

    /// By key, or by the name that the plugin gave itself.
    fn find(&self, name: &str) -> Result<Arc<Handle>, ControlError> {
        let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
        let by_key = handles.get(name);
        let found = by_key.or_else(|| handles.values().find(|it| it.status().name == name));
        found.cloned().ok_or_else(|| ControlError::NotFound {
            name: name.to_owned(),
            known: handles.keys().cloned().collect(),
        })
    }

    fn handles_now(&self) -> Vec<Arc<Handle>> {
        let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
        handles.values().cloned().collect()
    }
}

/// Stops plugins that are no longer there; their drivers end with them.
async fn remove(gone: Vec<Arc<Handle>>) {
    join_all(gone.iter().map(|handle| handle.wish(Event::Stop))).await;
}
