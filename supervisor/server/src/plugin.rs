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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use outboard_core::lifecycle::Event;
use outboard_proto::admin::v1 as admin;
use tokio::sync::{broadcast, oneshot};

pub use context::{Context, Current, Settings};
pub use instance::InstanceSpec;
pub use log::{LogEntry, PluginLog};
pub use plan::plan;
pub use secrets::{Secrets, Source};
pub use status::Status;
pub use unit::Unit;

use crate::task;
use driver::{Handle, Settled};

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
}

/// One at a time for each plugin.
struct Upgrade {
    new: Arc<Handle>,
    /// What is wanted as soon as it is settled.
    then: Option<Then>,
}

enum Then {
    Update(Box<Unit>),
    Remove,
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

    /// Makes the plugins those of `units`: new ones are started, changed ones brought up to date, and
    /// those that are gone are stopped. Gives a future of all that settling; dropping it changes nothing.
    pub fn apply(&self, units: Vec<Unit>) -> impl Future<Output = ()> + Send + use<> {
        let mut entries = self.entries();
        let mut old = std::mem::take(&mut *entries);
        let mut settling: Vec<BoxFuture<'static, ()>> = Vec::new();
        for unit in units {
            let unit = self.named(unit);
            let key = unit.key.clone();
            let entry = match old.remove(&key) {
                Some(entry) => self.bring_up_to_date(entry, unit, &mut settling),
                None => self.begin(unit, &mut settling),
            };
            entries.insert(key, entry);
        }
        for (key, mut entry) in old {
            if let Some(upgrade) = &mut entry.upgrade {
                upgrade.new.abandon();
                upgrade.then = Some(Then::Remove);
                entries.insert(key, entry);
            } else {
                settling.push(self.remove(entry.handle, &entries).boxed());
            }
        }
        async move { drop(join_all(settling).await) }
    }

    /// Refuses a unit whose plugin's name another plugin has.
    fn named(&self, mut unit: Unit) -> Unit {
        if let Err(other) = self.context.claim_found(&unit) {
            unit.installed = Err(format!(
                "the plugin {other:?} has the same name; rename or remove one of them"
            ));
        }
        unit
    }

    fn begin(&self, unit: Unit, settling: &mut Vec<BoxFuture<'static, ()>>) -> Entry {
        let is_enabled = unit.is_enabled;
        let handle = Arc::new(Handle::new(self.context.clone(), unit));
        if is_enabled {
            settling.push(handle.wish(Event::Start).map(drop).boxed());
        }
        Entry { handle, upgrade: None }
    }

    fn bring_up_to_date(
        &self,
        mut entry: Entry,
        unit: Unit,
        settling: &mut Vec<BoxFuture<'static, ()>>,
    ) -> Entry {
        if let Some(upgrade) = &mut entry.upgrade {
            if !unit.is_enabled || !upgrade.new.runs_like(&unit) {
                // It may take long to start, and nobody wants it any more.
                upgrade.new.abandon();
            }
            upgrade.then = Some(Then::Update(Box::new(unit)));
        } else if entry.handle.needs_upgrade(&unit) {
            settling.push(self.upgrade(&mut entry, unit).boxed());
        } else {
            entry.handle.update(unit);
        }
        entry
    }

    /// Starts the new process beside the old one, which serves until the new one can take over, and
    /// goes on serving if it can't.
    fn upgrade(&self, entry: &mut Entry, unit: Unit) -> impl Future<Output = ()> + Send + use<> {
        let key = unit.key.clone();
        let new = Arc::new(entry.handle.successor(self.context.clone(), unit));
        entry.upgrade = Some(Upgrade { new: new.clone(), then: None });
        let settled = new.wish(Event::Start);
        let plugins = self.clone();
        let (done, finished) = oneshot::channel();
        // A task, so that it ends whether or not somebody waits for it.
        task::spawn("upgrade of a plugin", async move {
            let settled = settled.await;
            plugins.upgraded(&key, settled).await;
            // Nobody may be waiting.
            let _ = done.send(());
        })
        .detach();
        async move { drop(finished.await) }
    }

    async fn upgraded(&self, key: &str, settled: Settled) {
        let (leaving, then) = {
            let mut entries = self.entries();
            let Some(entry) = entries.get_mut(key) else { return };
            let Some(Upgrade { new, then }) = entry.upgrade.take() else { return };
            (entry.take_over(key, new, settled), then)
        };
        leaving.wish(Event::Stop).await;
        self.after_upgrade(key, then).await;
    }

    /// What was wanted meanwhile.
    async fn after_upgrade(&self, key: &str, then: Option<Then>) {
        let mut settling = Vec::new();
        match then {
            None => {}
            Some(Then::Update(unit)) => {
                let mut entries = self.entries();
                if let Some(entry) = entries.remove(key) {
                    let entry = self.bring_up_to_date(entry, *unit, &mut settling);
                    entries.insert(key.to_owned(), entry);
                }
            }
            Some(Then::Remove) => {
                let mut entries = self.entries();
                if let Some(entry) = entries.remove(key) {
                    settling.push(self.remove(entry.handle, &entries).boxed());
                }
            }
        }
        join_all(settling).await;
    }

    /// Stops a plugin that is no longer there; its driver ends with it.
    fn remove(
        &self,
        handle: Arc<Handle>,
        left: &BTreeMap<String, Entry>,
    ) -> impl Future<Output = ()> + Send + use<> {
        if !left.values().any(|entry| entry.handle.plugin() == handle.plugin()) {
            self.context.release(handle.plugin());
        }
        async move { drop(handle.wish(Event::Stop).await) }
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

    /// By key, or by the name that the plugin gave itself; and who is to take over from it.
    fn find(&self, name: &str) -> Result<(Arc<Handle>, Option<Arc<Handle>>), ControlError> {
        let entries = self.entries();
        let by_key = entries.get(name);
        let found = by_key.or_else(|| entries.values().find(|it| it.handle.status().name == name));
        let entry = found.ok_or_else(|| ControlError::NotFound {
            name: name.to_owned(),
            known: entries.keys().cloned().collect(),
        })?;
        Ok((entry.handle.clone(), entry.upgrade.as_ref().map(|upgrade| upgrade.new.clone())))
    }

    fn handles_now(&self) -> Vec<Arc<Handle>> {
        self.entries().values().map(|entry| entry.handle.clone()).collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Makes `new` the one that counts if it serves; gives back the one that is to go.
    fn take_over(&mut self, key: &str, new: Arc<Handle>, settled: Settled) -> Arc<Handle> {
        match settled {
            Settled::Serving => {
                let old = std::mem::replace(&mut self.handle, new);
                old.replaced();
                return old;
            }
            Settled::Stopped => {}
            Settled::Failed(message) => {
                let note = format!("not upgraded, the old version serves on: {message}");
                tracing::error!(plugin = key, "{note}");
                self.handle.note(note);
            }
        }
        new
    }
}
