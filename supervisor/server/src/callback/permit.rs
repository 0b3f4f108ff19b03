//! Whether a call may be made: who makes it, and whether that was granted.

use std::sync::{Arc, Mutex, PoisonError};

use outboard_core::grant::Group;
use tonic::{Request, Status};

use super::Caller;
use super::room::activation;
use crate::grants::Badge;

/// Somebody who may make a call.
#[derive(Clone, Debug)]
pub struct Permitted {
    pub activation: String,
    pub instance: String,
    pub plugin: String,
    badge: Arc<Badge>,
    subject: Option<Subject>,
}

/// Whom a call is about, for the audit. Put beside each request, and filled in by whoever answers it.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject(Arc<Mutex<Option<String>>>);

impl Subject {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, whom: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(whom.to_owned());
    }
}

impl Caller {
    /// Who calls, if that activation lives in this process and was granted this group.
    pub(super) fn permit<T>(
        &self,
        request: &Request<T>,
        group: Group,
    ) -> Result<Permitted, Status> {
        let permitted = self.identify(request)?;
        permitted.also(group)?;
        Ok(permitted)
    }

    /// Who calls, for what needs no grant.
    pub(super) fn identify<T>(&self, request: &Request<T>) -> Result<Permitted, Status> {
        let activation = activation(request)?;
        let instance = self.0.instance(&activation)?;
        let (plugin, badge) = (self.0.plugin().to_owned(), self.0.badge().clone());
        let subject = request.extensions().get().cloned();
        Ok(Permitted { activation, instance, plugin, badge, subject })
    }
}

impl Permitted {
    /// Refuses what needs this group as well, if it was not granted.
    pub fn also(&self, group: Group) -> Result<(), Status> {
        if self.has(group) { Ok(()) } else { Err(self.denied(group)) }
    }

    pub fn has(&self, group: Group) -> bool {
        self.badge.has(group)
    }

    /// Writes down whom the call is about, for the audit: a name, never a secret.
    pub fn concerns(&self, whom: &str) {
        if let Some(subject) = &self.subject {
            subject.set(whom);
        }
    }

    fn denied(&self, group: Group) -> Status {
        let plugin = &self.plugin;
        let author = if self.badge.asks(group) {
            String::new()
        } else {
            format!(
                "the author asks for it in plugin.toml, grants.callbacks = [\"{group}\"], and then "
            )
        };
        Status::permission_denied(format!(
            "{group:?} is not granted to plugin {plugin:?}; {author}the operator gives it: `outboard plugin grant {plugin} \
             {group}`, or in outboard.toml, [[plugin]] name = {plugin:?}, grants.callbacks = [\"{group}\"]",
            group = group.word()
        ))
    }
}
