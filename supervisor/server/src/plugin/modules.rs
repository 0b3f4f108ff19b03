//! The plugins, as what instances can be made of.

use outboard_core::identity::kind::InstanceKind;
use outboard_proto::plugin::v1::Capability;

use super::Plugins;
use super::status::Status;

/// A plugin that runs, and so has said what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    pub name: String,
    pub display_name: String,
    pub description: String,
    /// What its instances can be there for.
    pub kinds: Vec<InstanceKind>,
}

/// What makes a plugin more than what authenticates or keeps people.
const IS_PLUGIN: [Capability; 4] =
    [Capability::HttpHandle, Capability::HttpServe, Capability::Notify, Capability::Authenticate];

impl Plugins {
    /// In the order of their names.
    pub fn modules(&self) -> Vec<Module> {
        let statuses = self.handles_now().into_iter().map(|handle| handle.status());
        let mut modules: Vec<_> = statuses.filter_map(|status| module(&status)).collect();
        modules.sort_by(|a, b| a.name.cmp(&b.name));
        modules.dedup_by(|a, b| a.name == b.name);
        modules
    }
}

fn module(status: &Status) -> Option<Module> {
    let said = status.said.as_ref()?;
    // An isolated instance has a process of its own: `plugin@instance`.
    let name = status.name.split('@').next().unwrap_or_default().to_owned();
    let display_name =
        if said.display_name.is_empty() { name.clone() } else { said.display_name.clone() };
    let others = [
        (Capability::Scheme, InstanceKind::Scheme),
        (Capability::UserBackend, InstanceKind::UserBackend),
        (Capability::ClientBackend, InstanceKind::ClientBackend),
    ];
    let others = others.into_iter().filter(|(capability, _)| said.capabilities.has(*capability));
    let mut kinds: Vec<_> = others.map(|(_, kind)| kind).collect();
    if kinds.is_empty() || IS_PLUGIN.iter().any(|can| said.capabilities.has(*can)) {
        kinds.insert(0, InstanceKind::Plugin);
    }
    Some(Module { name, display_name, description: said.description.clone(), kinds })
}
