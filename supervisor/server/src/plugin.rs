//! The plugins of this supervisor: found, imported, and each driven by a task of its own.

mod apply;
pub mod backend;
mod check;
mod context;
mod discover;
mod driver;
mod generation;
pub mod handles;
pub mod import;
mod instance;
mod log;
mod modules;
mod outcome;
mod output;
mod plan;
mod program;
mod rate;
pub mod reach;
pub mod roles;
mod secrets;
mod seen;
pub mod snapshot;
mod status;
mod unit;
mod waiting;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use outboard_core::lifecycle::Event;
use outboard_proto::admin::v1 as admin;
use tokio::sync::broadcast;

pub(crate) use discover::{problem_of, root as plugin_root};
pub(crate) use rate::Bucket;

pub use context::{Context, Current, Settings};
pub use instance::InstanceSpec;
pub use log::{LogEntry, PluginLog};
pub use modules::Module;
pub use outcome::Outcome;
pub use plan::{Version, plan, versions};
pub use secrets::{Secrets, Source};
pub use status::Status;
pub use unit::Unit;
pub use waiting::{Wanted, lock_entry};

use apply::Upgrade;
use driver::{Handle, Settled};
use waiting::Waiting;

/// Every plugin of the supervisor, by key. Clones are of the same plugins.
#[derive(Clone)]
pub struct Plugins {
    context: Arc<Context>,
    /// Where clients reach the gateway, without a final slash.
    external_url: Arc<str>,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    is_closing: Arc<AtomicBool>,
}

/// A plugin, and who is to take over from it.
struct Entry {
    handle: Arc<Handle>,
    upgrade: Option<Upgrade>,
    waiting: Option<Waiting>,
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
        Self {
            context,
            external_url: external_url.into(),
            entries: Arc::default(),
            is_closing: Arc::default(),
        }
    }

    /// Stops all plugins, all at once, and takes no further wishes.
    pub async fn stop_all(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        let handles: Vec<_> = self
            .entries()
            .values()
            .flat_map(|entry| entry.upgrade.iter().map(|it| &it.new).chain([&entry.handle]))
            .cloned()
            .collect();
        join_all(handles.iter().map(|handle| handle.wish(Event::Stop))).await;
    }

    /// All plugins by name, and how they are contained.
    pub fn list(&self) -> (Vec<admin::Plugin>, String) {
        let external_url = &*self.external_url;
        let describe = |entry: &Entry| admin::Plugin {
            waiting: entry.waiting.as_ref().map(Waiting::describe),
            ..entry.handle.status().describe(external_url)
        };
        let plugins = self.entries().values().map(describe).collect();
        (plugins, self.context.containment.to_string())
    }

    /// Where clients reach the gateway, without a final slash.
    pub fn external_url(&self) -> &str {
        &self.external_url
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
        Ok(self.find(name)?.0.log().tail(tail))
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
        let failed = |message: String| ControlError::Failed { message };
        if self.is_closing.load(Ordering::SeqCst) {
            return Err(failed("the supervisor is stopping".to_owned()));
        }
        let (handle, successor) = self.find(name)?;
        match (event, successor) {
            (Event::Stop, Some(successor)) => drop(successor.wish(Event::Stop).await),
            (_, Some(_)) => {
                return Err(failed(format!(
                    "plugin {name:?} is being upgraded; try again when that is done"
                )));
            }
            (_, None) => {}
        }
        match handle.wish(event).await {
            Settled::Serving | Settled::Stopped => Ok(handle.status().describe(&self.external_url)),
            Settled::Failed(message) => Err(failed(format!("plugin {name:?}: {message}"))),
        }
    }

    /// The plugin, and who is to take over from it.
    fn find(&self, name: &str) -> Result<(Arc<Handle>, Option<Arc<Handle>>), ControlError> {
        let entries = self.entries();
        let entry = entry(&entries, name)?;
        Ok((entry.handle.clone(), entry.upgrade.as_ref().map(|upgrade| upgrade.new.clone())))
    }

    fn handle(&self, plugin: &str) -> Result<Arc<Handle>, ControlError> {
        Ok(self.find(plugin)?.0)
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn handles_now(&self) -> Vec<Arc<Handle>> {
        self.entries().values().map(|entry| entry.handle.clone()).collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By key, or by the name that the plugin gave itself.
fn entry<'a>(entries: &'a BTreeMap<String, Entry>, name: &str) -> Result<&'a Entry, ControlError> {
    let by_key = entries.get(name);
    let found = by_key.or_else(|| entries.values().find(|it| it.handle.status().name == name));
    found.ok_or_else(|| ControlError::NotFound {
        name: name.to_owned(),
        known: entries.keys().cloned().collect(),
    })
}
