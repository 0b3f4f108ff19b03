//! One process's access to the host: its activations, and nothing of anybody else's.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use outboard_core::route::{EndpointSpec, Endpoints, EndpointsError};
use outboard_jail::Tree;
use outboard_proto::env::ACTIVATION_METADATA;
use outboard_proto::transport::Broker;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use super::counts::Counts;
use super::{Services, Site};
use crate::grants::Badge;
use crate::plugin::PluginLog;
use crate::plugin::snapshot::{Activation, Routes};

/// Most announcements of the host's services to one process.
const MOST_ANNOUNCED: u32 = 16;

/// The caller's side of one process.
pub struct Room {
    plugin: String,
    generation: u64,
    tree: Tree,
    pub(super) site: Arc<Site>,
    pub(super) log: Arc<PluginLog>,
    pub(super) routes: Arc<Routes>,
    pub(super) services: Services,
    badge: Arc<Badge>,
    broker: OnceLock<Broker>,
    /// How often the host's services were announced over the broker; each has a socket of its own.
    announced: AtomicU32,
    closing: CancellationToken,
    tenants: Mutex<HashMap<String, Tenant>>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, generation, .. } = self;
        f.debug_struct("Room")
            .field("plugin", plugin)
            .field("generation", generation)
            .finish_non_exhaustive()
    }
}

/// An activation and what it has added so far.
#[derive(Debug)]
struct Tenant {
    instance: String,
    counts: Arc<Counts>,
    endpoints: Endpoints,
    /// Endpoints that were refused during `Init` because another has their place.
    clashes: Vec<String>,
    /// Set once its `Init` went well: from then on changes are published at once.
    published: Option<Arc<Activation>>,
}

impl Room {
    #[expect(clippy::too_many_arguments, reason = "each is something else that it needs")]
    pub fn new(
        plugin: String,
        generation: u64,
        tree: Tree,
        site: Arc<Site>,
        log: Arc<PluginLog>,
        routes: Arc<Routes>,
        services: Services,
        badge: Arc<Badge>,
    ) -> Arc<Self> {
        Arc::new(Self {
            plugin,
            generation,
            tree,
            site,
            log,
            routes,
            services,
            badge,
            broker: OnceLock::new(),
            announced: AtomicU32::new(0),
            closing: CancellationToken::new(),
            tenants: Mutex::default(),
        })
    }

    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Path before the URLs of `instance`'s endpoints.
    pub fn base_path(&self, instance: &str) -> String {
        self.site.base_path(instance)
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the process at the other end of `socket` is the plugin's, or a descendant.
    pub fn has(&self, socket: BorrowedFd<'_>) -> bool {
        outboard_jail::peer::check(socket, &self.tree).is_ok()
    }

    /// Known once the process is connected.
    pub fn set_broker(&self, broker: Broker) {
        // A second one would be a second connection to one process, which there never is.
        let _ = self.broker.set(broker);
    }

    pub(super) fn broker(&self) -> Option<&Broker> {
        self.broker.get()
    }

    /// Whether the host's services may be announced once more.
    pub(super) fn may_announce(&self) -> bool {
        self.announced.fetch_add(1, Ordering::Relaxed) < MOST_ANNOUNCED
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Nobody is left to answer.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Lets `activation` in, before its `Init`.
    pub fn admit(&self, activation: String, instance: String) {
        let tenant = Tenant {
            counts: self.services.counts.of(&self.plugin, &instance),
            instance,
            endpoints: Endpoints::default(),
            clashes: Vec::new(),
            published: None,
        };
        self.tenants().insert(activation, tenant);
    }

    /// Publishes what `activation` has staged; what it adds from now on is published at once.
    pub fn publish(&self, activation: &Arc<Activation>) {
        let mut tenants = self.tenants();
        if let Some(tenant) = tenants.get_mut(activation.id()) {
            tenant.published = Some(activation.clone());
            self.routes.publish(activation.clone(), tenant.endpoints.table());
        }
    }

    /// Takes the routes of `activation` down; it may still call.
    pub fn withdraw(&self, activation: &str) {
        if let Some(tenant) = self.tenants().get_mut(activation) {
            tenant.published = None;
        }
        self.routes.withdraw(activation);
    }

    /// Shows `activation`, which is no longer routed to, the door: nothing it calls is answered any more.
    pub fn dismiss(&self, activation: &str) {
        self.tenants().remove(activation);
    }

    /// What `activation` has added so far.
    pub fn endpoints(&self, activation: &str) -> Endpoints {
        self.tenants().get(activation).map(|tenant| tenant.endpoints.clone()).unwrap_or_default()
    }

    /// What was refused during `Init` and makes it fail.
    pub fn clashes(&self, activation: &str) -> Vec<String> {
        self.tenants().get(activation).map(|tenant| tenant.clashes.clone()).unwrap_or_default()
    }

    /// What the plugin may call, kept up to date.
    pub fn badge(&self) -> &Arc<Badge> {
        &self.badge
    }

    /// The instance of `activation`, and where its calls are counted.
    pub(super) fn counts(&self, activation: &str) -> Option<(String, Arc<Counts>)> {
        let tenants = self.tenants();
        let tenant = tenants.get(activation)?;
        Some((tenant.instance.clone(), tenant.counts.clone()))
    }

    pub(super) fn instance(&self, activation: &str) -> Result<String, Status> {
        self.tenants()
            .get(activation)
            .map(|tenant| tenant.instance.clone())
            .ok_or_else(|| foreign(activation))
    }

    pub(super) fn add(&self, activation: &str, specs: Vec<EndpointSpec>) -> Result<(), Refusal> {
        self.change(activation, |endpoints| endpoints.add(specs))
    }

    pub(super) fn remove(&self, activation: &str, ids: &[u32]) -> Result<(), Refusal> {
        self.change(activation, |endpoints| endpoints.remove(ids))
    }

    /// The lock is held over the swap, so that two changes are published in the order they were made.
    fn change(
        &self,
        activation: &str,
        change: impl FnOnce(&mut Endpoints) -> Result<(), EndpointsError>,
    ) -> Result<(), Refusal> {
        let mut tenants = self.tenants();
        let tenant = tenants.get_mut(activation).ok_or(Refusal::Foreign)?;
        if let Err(error) = change(&mut tenant.endpoints) {
            // Whether or not the plugin minds, its author should know.
            if matches!(error, EndpointsError::Place { .. }) && tenant.published.is_none() {
                tenant.clashes.push(error.to_string());
            }
            return Err(Refusal::Endpoints(error));
        }
        if let Some(published) = &tenant.published {
            self.routes.update(published, tenant.endpoints.table());
        }
        Ok(())
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<String, Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a change of endpoints was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The activation is not of this process, or has ended.
    Foreign,
    Endpoints(EndpointsError),
}

/// The activation that a call says it is for. Whether it lives here is for [`Room`] to say.
pub(super) fn activation<T>(request: &Request<T>) -> Result<String, Status> {
    let named = request.metadata().get(ACTIVATION_METADATA).ok_or_else(|| {
        Status::permission_denied(format!(
            "metadata {ACTIVATION_METADATA:?} is missing; send the activation that Init named"
        ))
    })?;
    named.to_str().map(str::to_owned).map_err(|_| foreign("(not ASCII)"))
}

pub(super) fn foreign(activation: &str) -> Status {
    Status::permission_denied(format!(
        "activation {activation:?} does not live in this process; send the one that Init named, and \
         none after its Close"
    ))
}
