//! Which instances are told of events, which can say who somebody is, which authenticate users, and which keep
//! users and clients: as configured, whether they run or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_core::config::Purpose;
use outboard_core::event::Types;
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::scheme::SchemeSettings;
use outboard_core::name::InstanceName;
use outboard_proto::plugin::v1::Capability;
use tokio::sync::watch;

use super::context::Context;
use super::instance::InstanceSpec;
use super::reach::Capabilities;
use super::unit::Unit;

/// What there is to be told and to be asked. It changes as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roles {
    /// All of the plugins that are enabled, by name.
    pub instances: BTreeSet<String>,
    /// By instance.
    pub notifiers: BTreeMap<String, Notifier>,
    /// Instances, in the order of their names.
    pub authenticators: Vec<String>,
    /// By instance.
    pub schemes: BTreeMap<String, SchemeRole>,
    /// In the order in which they are asked.
    pub user_backends: Vec<BackendRole>,
    pub client_backends: Vec<BackendRole>,
}

/// An instance that authenticates users beyond their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeRole {
    pub plugin: String,
    /// For people.
    pub display_name: String,
    pub settings: SchemeSettings,
}

/// An instance that keeps users or clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRole {
    pub instance: String,
    pub plugin: String,
    /// For people.
    pub display_name: String,
    /// Lower is asked first.
    pub rank: i64,
    pub readonly: bool,
}

/// An instance that is told of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Notifier {
    pub plugin: String,
    /// Of which.
    pub types: Types,
}

/// Holds the current [`Roles`], and tells of new ones. Clones are the same roster.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    known: Arc<Mutex<Known>>,
    current: Arc<watch::Sender<Option<Arc<Roles>>>>,
}

/// What the roles are made of.
#[derive(Debug, Default)]
struct Known {
    is_planned: bool,
    /// By instance.
    parts: BTreeMap<String, Part>,
}

/// What one instance is there for.
#[derive(Clone, Debug)]
struct Part {
    /// The plugin as it was found.
    home: String,
    notifier: Option<Notifier>,
    is_authenticator: bool,
    plugin: String,
    purpose: Purpose,
}

impl Roster {
    /// As they are now. `None`: the plugins have not been looked for yet.
    pub fn roles(&self) -> Option<Arc<Roles>> {
        self.current.borrow().clone()
    }

    /// Tells of all roles after the current ones.
    pub fn changes(&self) -> watch::Receiver<Option<Arc<Roles>>> {
        self.current.subscribe()
    }

    /// Makes them these, whatever plugins there are: for whoever brings no plugins along.
    pub fn set(&self, roles: Roles) {
        self.current.send_replace(Some(Arc::new(roles)));
    }

    /// Makes them those of `units`. A plugin that can't be read at the moment keeps what it had: its old version may
    /// serve on.
    pub(super) fn plan(&self, units: &[Unit], context: &Context) {
        let mut known = self.known();
        let mut old = std::mem::take(&mut known.parts);
        for unit in units.iter().filter(|unit| unit.is_enabled) {
            let is_lone = unit.installed.as_ref().is_ok_and(|installed| installed.is_lone);
            if unit.installed.is_err() || is_lone {
                let kept = old.extract_if(.., |_, part| part.home == unit.plugin);
                known.parts.extend(kept);
            }
            for (instance, part) in parts(unit, context) {
                let purpose = part.purpose.clone();
                known.parts.entry(instance).and_modify(|it| it.purpose = purpose).or_insert(part);
            }
        }
        known.is_planned = true;
        self.publish(&known);
    }

    /// Adds what the `Load` of a plugin without a manifest has told of its instance.
    pub(super) fn learn(&self, home: &str, plugin: &str, spec: &InstanceSpec, can: &Capabilities) {
        let notifier = can
            .has(Capability::Notify)
            .then(|| Notifier { plugin: plugin.to_owned(), types: every_type() });
        let part = Part {
            home: home.to_owned(),
            notifier,
            is_authenticator: can.has(Capability::Authenticate),
            plugin: plugin.to_owned(),
            purpose: spec.purpose.clone(),
        };
        let mut known = self.known();
        let instance = &spec.name;
        let others = known.parts.get(instance).is_some_and(|part| part.home != home);
        if !others && known.is_planned {
            known.parts.insert(instance.to_owned(), part);
            self.publish(&known);
        }
    }

    fn publish(&self, known: &Known) {
        let roles = Arc::new(known.roles());
        self.current.send_if_modified(|current| {
            let is_new = current.as_ref().is_none_or(|current| *current != roles);
            if is_new {
                *current = Some(roles);
            }
            is_new
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn roles(&self) -> Roles {
        let notifiers = self.parts.iter().filter_map(|(instance, part)| {
            part.notifier.clone().map(|notifier| (instance.clone(), notifier))
        });
        let authenticators = self.parts.iter().filter(|(_, part)| part.is_authenticator);
        Roles {
            instances: self.parts.keys().cloned().collect(),
            notifiers: notifiers.collect(),
            authenticators: authenticators.map(|(instance, _)| instance.clone()).collect(),
            schemes: self.of_kind(InstanceKind::Scheme).map(Part::scheme).collect(),
            user_backends: self.backends(InstanceKind::UserBackend),
            client_backends: self.backends(InstanceKind::ClientBackend),
        }
    }

    fn of_kind(&self, kind: InstanceKind) -> impl Iterator<Item = (&String, &Part)> {
        self.parts.iter().filter(move |(_, part)| part.purpose.kind == kind)
    }

    fn backends(&self, kind: InstanceKind) -> Vec<BackendRole> {
        let mut backends: Vec<_> = self.of_kind(kind).map(Part::backend).collect();
        backends.sort_by(|a, b| (a.rank, &a.instance).cmp(&(b.rank, &b.instance)));
        backends
    }
}

impl Part {
    fn scheme((instance, part): (&String, &Self)) -> (String, SchemeRole) {
        let role = SchemeRole {
            plugin: part.plugin.clone(),
            display_name: part.display_name(instance),
            settings: part.purpose.scheme.clone(),
        };
        (instance.clone(), role)
    }

    fn backend((instance, part): (&String, &Self)) -> BackendRole {
        BackendRole {
            instance: instance.clone(),
            plugin: part.plugin.clone(),
            display_name: part.display_name(instance),
            rank: part.purpose.rank,
            readonly: part.purpose.is_readonly,
        }
    }

    fn display_name(&self, instance: &str) -> String {
        let given = Some(&self.purpose.display_name).filter(|name| !name.is_empty());
        given.map_or_else(|| instance.to_owned(), Clone::clone)
    }
}

/// What the manifest of a unit and the operator make of its instances.
fn parts(unit: &Unit, context: &Context) -> Vec<(String, Part)> {
    let Ok(installed) = &unit.installed else { return Vec::new() };
    let manifest = &installed.manifest;
    let plugin = installed.name();
    let notifier = manifest.notify.clone();
    let notifier = notifier.map(|types| Notifier { plugin: plugin.to_owned(), types });
    let instances = unit.instances(context).into_iter();
    // One of a name that it can't have is never initialised.
    let fit = instances.filter(|spec| InstanceName::new(&spec.name).is_ok());
    let parts = fit.map(|spec| {
        let part = Part {
            home: unit.plugin.clone(),
            notifier: notifier.clone(),
            is_authenticator: manifest.authenticate,
            plugin: plugin.to_owned(),
            purpose: spec.purpose,
        };
        (spec.name, part)
    });
    parts.collect()
}

/// What an instance is told of where no manifest chooses.
fn every_type() -> Types {
    Types::new(&["*"]).unwrap_or_default()
}
