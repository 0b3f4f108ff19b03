//! What all drivers share.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use outboard_core::lifecycle::Policy;
use outboard_jail::{Containment, Launcher};
use tokio::sync::Semaphore;

use super::instance::InstanceSpec;
use super::roles::Roster;
use super::snapshot::Routes;
use super::unit::Unit;
use crate::callback::{Services, Site};
use crate::dirs::Dirs;
use crate::environment::Environment;
use crate::grants::Given;

/// Plugins that start at the same time, for each core.
const STARTS_PER_CORE: usize = 2;

/// What is given to every driver, and never changes.
pub struct Context {
    pub launcher: Launcher,
    pub containment: Containment,
    pub dirs: Dirs,
    pub environment: Environment,
    pub routes: Arc<Routes>,
    /// Which instances are told of events, and which are asked who somebody is.
    pub roster: Roster,
    /// What processes may ask of the host.
    pub services: Services,
    /// What they may do beyond the default.
    pub given: Given,
    /// How many starts may be under way at once: more would only slow each other down.
    pub(super) starts: Arc<Semaphore>,
    current: ArcSwap<Current>,
    names: Mutex<BTreeMap<String, String>>,
    /// Which plugin has which instance.
    owners: Mutex<BTreeMap<String, String>>,
    /// Instances that are gone for good, and are about to be told so.
    deleted: Mutex<BTreeSet<String>>,
}

/// What a reload may change.
#[derive(Clone, Debug)]
pub struct Current {
    pub site: Arc<Site>,
    pub settings: Settings,
    /// Configured instances, by plugin.
    pub instances: BTreeMap<String, Vec<InstanceSpec>>,
}

/// How patient the supervisor is.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub policy: Policy,
    pub start_timeout: Duration,
    /// For one call of a plugin's `Lifecycle`.
    pub call_timeout: Duration,
    /// From the polite stop to the signal, and from the signal to the kill.
    pub stop_grace: Duration,
}

impl Context {
    #[expect(clippy::too_many_arguments, reason = "each is something else that drivers need")]
    pub fn new(
        launcher: Launcher,
        containment: Containment,
        dirs: Dirs,
        environment: Environment,
        routes: Arc<Routes>,
        services: Services,
        given: Given,
        current: Current,
    ) -> Arc<Self> {
        let current = ArcSwap::from_pointee(current);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Arc::new(Self {
            launcher,
            containment,
            dirs,
            environment,
            routes,
            roster: services.events.roster().clone(),
            services,
            given,
            starts: Arc::new(Semaphore::new(STARTS_PER_CORE * cores)),
            current,
            names: Mutex::default(),
            owners: Mutex::default(),
            deleted: Mutex::default(),
        })
    }

    pub fn reload(&self, current: Current) {
        self.current.store(Arc::new(current));
    }

    pub fn site(&self) -> Arc<Site> {
        self.current.load().site.clone()
    }

    pub fn settings(&self) -> Settings {
        self.current.load().settings
    }

    /// The configured instances of `plugin`; `None` if nobody configured any.
    pub fn instances(&self, plugin: &str) -> Option<Vec<InstanceSpec>> {
        self.current.load().instances.get(plugin).cloned()
    }

    /// Reserves a name for `plugin`, as it was found, or says which other plugin has it.
    pub(super) fn claim(&self, name: &str, plugin: &str) -> Result<(), String> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match names.get(name) {
            Some(owner) if owner != plugin => Err(owner.clone()),
            Some(_) => Ok(()),
            None => {
                names.insert(name.to_owned(), plugin.to_owned());
                Ok(())
            }
        }
    }

    /// Reserves the name in a unit's manifest. Without a manifest it is reserved with `Load`.
    pub(super) fn claim_found(&self, unit: &Unit) -> Result<(), String> {
        match &unit.installed {
            Ok(installed) if !installed.is_lone => self.claim(installed.name(), &unit.plugin),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Lets go of every name of a plugin that is no longer there.
    pub fn release(&self, plugin: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|_, owner| owner != plugin && names.get(owner).is_none_or(|of| of != plugin));
        names.retain(|_, owner| owner != plugin);
    }

    /// Reserves an instance's name for `plugin`, or says which other plugin has it. What is configured
    /// goes before an instance that nobody configured.
    pub(super) fn claim_instance(&self, name: &str, plugin: &str) -> Result<(), String> {
        let current = self.current.load();
        let mut configured = current.instances.values().flatten();
        if let Some(spec) = configured.find(|spec| spec.name == name && spec.plugin != plugin) {
            return Err(spec.plugin.clone());
        }
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        match owners.get(name) {
            Some(owner) if owner != plugin => Err(owner.clone()),
            Some(_) => Ok(()),
            None => {
                owners.insert(name.to_owned(), plugin.to_owned());
                Ok(())
            }
        }
    }

    /// Lets go of an instance's name, if `plugin` has it.
    pub(super) fn release_instance(&self, name: &str, plugin: &str) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.get(name).is_some_and(|owner| owner == plugin) {
            owners.remove(name);
        }
    }

    /// Says that an instance which is no longer configured is gone for good, or not after all.
    pub fn set_deleted(&self, name: &str, is_deleted: bool) {
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        if is_deleted {
            deleted.insert(name.to_owned());
        } else {
            deleted.remove(name);
        }
    }

    pub(super) fn is_deleted(&self, name: &str) -> bool {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}
