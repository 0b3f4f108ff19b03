//! Brings the plugins in line with the directory and the configuration: begins, upgrades, removes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use outboard_core::lifecycle::Event;
use tokio::sync::oneshot;

use super::driver::{Handle, Settled};
use super::{Entry, Plugins, Unit};
use crate::task;

/// One at a time for each plugin.
pub(super) struct Upgrade {
    pub(super) new: Arc<Handle>,
    /// What is wanted as soon as it is settled.
    then: Option<Then>,
}

pub(super) enum Then {
    Update(Box<Unit>),
    Remove,
}

impl Plugins {
    /// Makes the plugins those of `units`: new ones are started, changed ones brought up to date, and
    /// those that are gone are stopped. Gives a future of all that settling; dropping it changes nothing.
    pub fn apply(&self, units: Vec<Unit>) -> impl Future<Output = ()> + Send + use<> {
        let mut entries = self.entries();
        let mut old = std::mem::take(&mut *entries);
        let mut settling: Vec<BoxFuture<'static, ()>> = Vec::new();
        let units = units.into_iter().map(|unit| self.named(unit));
        let units = units.map(|unit| match old.get_mut(&unit.key) {
            Some(entry) => (self.hold_back(entry, unit), None),
            None => self.fall_back(unit),
        });
        let (units, waiting): (Vec<_>, Vec<_>) = units.unzip();
        // Before any of them serves: what is announced from now on waits for those that are to be told.
        self.context.roster.plan(&units, &self.context);
        for (unit, waiting) in units.into_iter().zip(waiting) {
            let key = unit.key.clone();
            let entry = match old.remove(&key) {
                Some(entry) => self.bring_up_to_date(entry, unit, &mut settling),
                None => Entry { waiting, ..self.begin(unit, &mut settling) },
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
        Entry { handle, upgrade: None, waiting: None }
    }

    pub(super) fn bring_up_to_date(
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
                if let Some(mut entry) = entries.remove(key) {
                    let unit = self.hold_back(&mut entry, *unit);
                    let entry = self.bring_up_to_date(entry, unit, &mut settling);
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
