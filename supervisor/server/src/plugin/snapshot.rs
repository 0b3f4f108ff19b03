//! What is being served right now, as the gateway reads it: whole, immutable, and never asked for twice.
//!
//! A request takes one [`Snapshot`] and is done with the managing side: whatever starts, stops or is replaced
//! meanwhile makes another snapshot. What a request does leave behind is a mark on its [`Activation`], so
//! that whoever ends one can wait until its last request is answered.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use outboard_core::grant::Grants;
use outboard_core::route::Table;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use tokio::sync::{Notify, watch};
use tonic::transport::Channel;

use super::backend::Backend;
use super::handles::{Handle, Handles, Ticket};
use super::reach::Reach;
use crate::gateway::observe::{Observer, Series};
use crate::gateway::quota::{EndpointGates, Quota, Quotas};
use crate::grants::Badge;

/// One `Init` of an instance in one process, as requests see it.
#[derive(Debug)]
pub struct Activation {
    id: Arc<str>,
    plugin: String,
    instance: String,
    backend: Arc<Backend>,
    reach: Reach,
    badge: Arc<Badge>,
    in_flight: AtomicUsize,
    is_retired: AtomicBool,
    drained: Notify,
    is_cut_off: AtomicBool,
    cut_off: Notify,
    complaints: Mutex<Complaints>,
}

/// How often it was logged that it did not answer as it should.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    held_back: u64,
}

/// Shortest time between two complaints: a plugin that is dead gets as many requests as one that lives.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

impl Activation {
    /// An activation in the process of `backend`; nothing is routed to it yet.
    pub fn new(
        id: String,
        plugin: String,
        instance: String,
        backend: Arc<Backend>,
        reach: Reach,
    ) -> Self {
        Self {
            id: id.into(),
            plugin,
            instance,
            backend,
            reach,
            badge: Badge::fixed(Grants::default()),
            in_flight: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            drained: Notify::new(),
            is_cut_off: AtomicBool::new(false),
            cut_off: Notify::new(),
            complaints: Mutex::default(),
        }
    }

    /// The same, with what its plugin may do. Without it, it may do nothing that needs a grant.
    #[must_use]
    pub fn with_grants(self, badge: Arc<Badge>) -> Self {
        Self { badge, ..self }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its plugin was granted, as it is now.
    pub fn grants(&self) -> &Badge {
        &self.badge
    }

    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// How its process is reached with requests of clients.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The first connection to its process, for calls of the host's own.
    pub fn channel(&self) -> Channel {
        self.reach.channel()
    }

    /// Whether its plugin implements these calls.
    pub fn can(&self, capability: Capability) -> bool {
        self.reach.can(capability)
    }

    /// Whether it may be logged now that it did not answer as it should, and then how often that was held back
    /// since the last time.
    pub(crate) fn may_complain(&self) -> Option<u64> {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.last.is_some_and(|last| last.elapsed() < COMPLAIN_EVERY) {
            complaints.held_back += 1;
            return None;
        }
        complaints.last = Some(Instant::now());
        Some(std::mem::take(&mut complaints.held_back))
    }

    /// How many requests it is answering.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Waits until no request is left. Meant for after [`Routes::withdraw`] or a replacement; before that the
    /// next request may come at any time. Set a limit, and then [`Self::cut_off`] what is left: a request may
    /// take as long as it likes.
    pub async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.in_flight() == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Gives up the requests that are left: they are cancelled, and their clients get 503, or see a response or
    /// an upgraded connection break off that had begun, so that no request runs on through `Close`. [`Self::drained`] is ready shortly after; as there, only for what is no
    /// longer routed to.
    pub fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::SeqCst);
        self.cut_off.notify_waiters();
    }

    /// Whether [`Self::cut_off`] was called.
    pub(crate) fn has_been_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::SeqCst)
    }

    /// Waits until [`Self::cut_off`] is called.
    pub(crate) async fn is_cut_off(&self) {
        let mut told = pin!(self.cut_off.notified());
        // Listen first, then look; there it is set first, then told.
        told.as_mut().enable();
        if !self.has_been_cut_off() {
            told.await;
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

/// An instance that is served: who answers, what, and how much of it at a time.
#[derive(Debug, Clone)]
struct Served {
    activation: Arc<Activation>,
    table: Arc<Table>,
    quota: Arc<Quota>,
    gates: EndpointGates,
    series: Arc<Series>,
    /// The activation has ended, but the instance is still wanted.
    is_away: bool,
}

/// All that is served at one moment, by instance name.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    instances: HashMap<String, Arc<Served>>,
}

impl Snapshot {
    /// The activation and the endpoints of an instance.
    pub fn get(&self, instance: &str) -> Option<(&Arc<Activation>, &Arc<Table>)> {
        let served = self.instances.get(instance).filter(|served| !served.is_away)?;
        Some((&served.activation, &served.table))
    }

    /// The names of the instances that are served, in no order.
    pub fn instances(&self) -> impl Iterator<Item = &str> {
        let served = self.instances.iter().filter(|(_, served)| !served.is_away);
        served.map(|(instance, _)| instance.as_str())
    }

    /// The name of the instance that an activation serves, or served last.
    fn instance_of(&self, activation: &str) -> Option<String> {
        let served = self.instances.values().find(|served| *served.activation.id == *activation);
        served.map(|served| served.activation.instance.clone())
    }
}

/// The current snapshot, and the ways to make another.
#[derive(Debug, Default)]
pub struct Routes {
    current: ArcSwap<Snapshot>,
    /// Held by whoever makes the next snapshot; readers never touch it.
    writer: Mutex<()>,
    changed: watch::Sender<()>,
    quotas: Arc<Quotas>,
    observer: Observer,
    handles: Handles,
}

impl Routes {
    /// Nothing is served yet. What will be is held to `quotas`, and `observer` is told.
    pub fn new(quotas: Arc<Quotas>, observer: Observer) -> Self {
        Self { quotas, observer, ..Self::default() }
    }

    /// The handles of all requests that are under way.
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Who is told what becomes of requests.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Tells of each snapshot after the current one.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Serves `activation` from now on, in the place of any other of its instance, which it gives back so that
    /// it can be drained.
    pub fn publish(&self, activation: Arc<Activation>, table: Table) -> Option<Arc<Activation>> {
        let instance = activation.instance.clone();
        let served = Arc::new(Served {
            quota: self.quotas.plugin(&activation.plugin),
            gates: EndpointGates::of(&table, &EndpointGates::default()),
            series: self.observer.series(&activation.plugin, &instance),
            activation,
            table: Arc::new(table),
            is_away: false,
        });
        let replaced = self.change(|next| next.instances.insert(instance, served))?;
        replaced.activation.retire();
        Some(replaced.activation.clone())
    }

    /// Changes the endpoints of `activation`. False if it is not, or no longer, the one that is served.
    pub fn update(&self, activation: &Arc<Activation>, table: Table) -> bool {
        self.change(|next| match next.instances.get_mut(&activation.instance) {
            Some(served) if !served.is_away && Arc::ptr_eq(&served.activation, activation) => {
                let gates = EndpointGates::of(&table, &served.gates);
                *served =
                    Arc::new(Served { table: Arc::new(table), gates, ..Served::clone(served) });
                true
            }
            _ => false,
        })
    }

    /// Stops serving the activation of this id, and gives it back so that it can be drained; its instance is
    /// unknown from now on (404). Nothing if it is not, or no longer, the one that is served.
    pub fn withdraw(&self, activation: &str) -> Option<Arc<Activation>> {
        let withdrawn = self.change(|next| {
            let instance = next.instance_of(activation)?;
            next.instances.remove(&instance)
        })?;
        withdrawn.activation.retire();
        Some(withdrawn.activation.clone())
    }

    /// As [`Self::withdraw`], but the instance is only away (503) until another activation is published or this
    /// one is withdrawn: for a process that is being started again, and for one that has failed and waits for
    /// somebody to start it.
    pub fn suspend(&self, activation: &str) -> Option<Arc<Activation>> {
        let suspended = self.change(|next| {
            let instance = next.instance_of(activation)?;
            let served = next.instances.get_mut(&instance)?;
            *served = Arc::new(Served { is_away: true, ..Served::clone(served) });
            Some(served.activation.clone())
        })?;
        suspended.retire();
        Some(suspended)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        let result = change(&mut next);
        self.current.store(Arc::new(next));
        self.changed.send_replace(());
        result
    }

    /// Takes a request in: what its instance serves, marked as busy until the result is dropped.
    pub(crate) fn enter(&self, instance: &str) -> Result<Entered, Absent> {
        loop {
            let served =
                self.current.load().instances.get(instance).ok_or(Absent::Unknown)?.clone();
            if served.is_away {
                return Err(Absent::Away(served.series.clone()));
            }
            if served.activation.enter() {
                return Ok(Entered { served, sender: OnceLock::new() });
            }
            // It was replaced or withdrawn since the snapshot was read, so there is a newer one.
        }
    }
}

/// Why nobody serves an instance.
#[derive(Debug)]
pub(crate) enum Absent {
    Unknown,
    /// With the numbers of the instance.
    Away(Arc<Series>),
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Entered {
    served: Arc<Served>,
    /// Set where the plugin is told anything of it.
    sender: OnceLock<Arc<Sender>>,
}

/// What a plugin is told of who sent a request.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    pub(crate) ticket: Option<Ticket>,
    pub(crate) identity: Option<wire::Identity>,
}

impl Entered {
    pub(crate) fn activation(&self) -> &Activation {
        &self.served.activation
    }

    pub(crate) fn table(&self) -> &Table {
        &self.served.table
    }

    /// The same request, once more: it ends when the last of these is dropped.
    pub(crate) fn again(&self) -> Self {
        self.served.activation.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { served: self.served.clone(), sender: self.sender.clone() }
    }

    /// A handle for the request, good until it ends.
    pub(crate) fn ticket(&self, handles: &Handles, handle: Handle) -> Ticket {
        handles.mint(&self.served.activation.id, handle)
    }

    /// Keeps what the plugin is told of the sender, with the first call.
    pub(crate) fn introduce(&self, sender: Sender) {
        // There is one sender.
        let _ = self.sender.set(Arc::new(sender));
    }

    /// Writes that into a head.
    pub(crate) fn sign(&self, request: &mut wire::Request) {
        if let Some(sender) = self.sender.get() {
            request.handle = sender.ticket.as_ref().map(Ticket::text).unwrap_or_default();
            request.identity.clone_from(&sender.identity);
        }
    }

    /// What its plugin is allowed.
    pub(crate) fn quota(&self) -> &Quota {
        &self.served.quota
    }

    /// What single endpoints of the table are allowed.
    pub(crate) fn gates(&self) -> &EndpointGates {
        &self.served.gates
    }

    /// The numbers of its instance.
    pub(crate) fn series(&self) -> &Series {
        &self.served.series
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.served.activation.leave();
    }
}

#[cfg(test)]
mod tests;
