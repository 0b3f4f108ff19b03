//! What is being served right now, as the gateway reads it: whole, immutable, and never asked for twice.
//!
//! A request takes one [`Snapshot`] and is done with the managing side: whatever starts, stops or is replaced
//! meanwhile makes another snapshot. What a request does leave behind is a mark on its [`Activation`], so
//! that whoever ends one can wait until its last request is answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use outboard_core::route::Table;
use outboard_proto::plugin::v1::http_client::HttpClient;
use tokio::sync::Notify;
use tonic::transport::Channel;

/// One `Init` of an instance in one process, as requests see it.
#[derive(Debug)]
pub struct Activation {
    id: String,
    plugin: String,
    instance: String,
    http: HttpClient<Channel>,
    in_flight: AtomicUsize,
    is_retired: AtomicBool,
    drained: Notify,
}

impl Activation {
    /// An activation that is reached through `channel`; nothing is routed to it yet.
    pub fn new(id: String, plugin: String, instance: String, channel: Channel) -> Self {
        Self {
            id,
            plugin,
            instance,
            http: HttpClient::new(channel),
            in_flight: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            drained: Notify::new(),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// A client of its own for one request.
    pub(crate) fn http(&self) -> HttpClient<Channel> {
        self.http.clone()
    }

    /// How many requests it is answering.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Waits until no request is left. Meant for after [`Routes::withdraw`] or a replacement; before that the
    /// next request may come at any time. Set a limit: a request may take as long as it likes.
    pub async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.in_flight() == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Counts a request in, unless the activation is on its way out.
    ///
    /// The order is what makes [`Self::drained`] true: here count, then look at the flag; there set the flag,
    /// then look at the count. So one of the two sees the other.
    fn enter(&self) -> bool {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let is_open = !self.is_retired.load(Ordering::SeqCst);
        if !is_open {
            self.leave();
        }
        is_open
    }

    fn leave(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1
            && self.is_retired.load(Ordering::SeqCst)
        {
            self.drained.notify_waiters();
        }
    }

    fn retire(&self) {
        self.is_retired.store(true, Ordering::SeqCst);
        self.drained.notify_waiters();
    }
}

/// An instance that is served: who answers, and what.
#[derive(Debug, Clone)]
struct Served {
    activation: Arc<Activation>,
    table: Arc<Table>,
}

/// All that is served at one moment, by instance name.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    instances: HashMap<String, Served>,
}

impl Snapshot {
    /// The activation and the endpoints of an instance.
    pub fn get(&self, instance: &str) -> Option<(&Arc<Activation>, &Arc<Table>)> {
        self.instances.get(instance).map(|served| (&served.activation, &served.table))
    }

    /// The names of the instances that are served, in no order.
    pub fn instances(&self) -> impl Iterator<Item = &str> {
        self.instances.keys().map(String::as_str)
    }

    fn serves(&self, activation: &str) -> Option<&Served> {
        self.instances.values().find(|served| served.activation.id == activation)
    }
}

/// The current snapshot, and the three ways to make another.
#[derive(Debug, Default)]
pub struct Routes {
    current: ArcSwap<Snapshot>,
    /// Held by whoever makes the next snapshot; readers never touch it.
    writer: Mutex<()>,
}

impl Routes {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Serves `activation` from now on, in the place of any other of its instance, which it gives back so that
    /// it can be drained.
    pub fn publish(&self, activation: Arc<Activation>, table: Table) -> Option<Arc<Activation>> {
        let served = Served { activation, table: Arc::new(table) };
        let instance = served.activation.instance.clone();
        let replaced = self.change(|next| next.instances.insert(instance, served))?;
        replaced.activation.retire();
        Some(replaced.activation)
    }

    /// Changes the endpoints of `activation`. False if it is not, or no longer, the one that is served.
    pub fn update(&self, activation: &Arc<Activation>, table: Table) -> bool {
        self.change(|next| match next.instances.get_mut(&activation.instance) {
            Some(served) if Arc::ptr_eq(&served.activation, activation) => {
                served.table = Arc::new(table);
                true
            }
            _ => false,
        })
    }

    /// Stops serving the activation of this id, and gives it back so that it can be drained. Nothing if it is
    /// not, or no longer, the one that is served.
    pub fn withdraw(&self, activation: &str) -> Option<Arc<Activation>> {
        let withdrawn = self.change(|next| {
            let instance = next.serves(activation)?.activation.instance.clone();
            next.instances.remove(&instance)
        })?;
        withdrawn.activation.retire();
        Some(withdrawn.activation)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        let result = change(&mut next);
        self.current.store(Arc::new(next));
        result
    }

    /// Takes a request in: what its instance serves, marked as busy until the result is dropped.
    pub(crate) fn enter(&self, instance: &str) -> Option<Entered> {
        loop {
            let Served { activation, table } = self.current.load().instances.get(instance)?.clone();
            if activation.enter() {
                return Some(Entered { activation, table });
            }
            // It was replaced or withdrawn since the snapshot was read, so there is a newer one.
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Entered {
    activation: Arc<Activation>,
    table: Arc<Table>,
}

impl Entered {
    pub(crate) fn activation(&self) -> &Activation {
        &self.activation
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.activation.leave();
    }
}

#[cfg(test)]
mod tests;
