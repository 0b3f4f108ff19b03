//! Writes down what a document says, in the order in which one thing needs another.

use super::read::{Instance, Plan, User};
use super::{Done, Import, ImportError};
use crate::app::LiveError;
use crate::identity::Failure;

/// Whether something was there before.
type WasThere = bool;

impl Import {
    pub(super) async fn apply(&self, plan: &Plan) -> Result<Done, ImportError> {
        let mut done = Done::default();
        for (place, instance) in plan.instances(true) {
            done.count(self.instance(instance).await.map_err(|error| stopped(place, &error))?);
        }
        let scopes = self.identity.scopes();
        for (place, scope, object) in &plan.scopes {
            let changed = match scopes.get(&scope.name).await {
                Ok(_) => scopes.set(&scope.name, object).await.map(|_| true),
                Err(Failure::NotFound) => scopes.add(object).await.map(|_| false),
                Err(failure) => Err(failure),
            };
            done.count(changed.map_err(|error| stopped(place, &error))?);
        }
        let clients = self.identity.clients();
        for (place, draft) in &plan.clients {
            let id = draft.client_id.as_deref().unwrap_or_default();
            let changed = match clients.get(id).await {
                Ok(_) => clients.set(id, draft).await.map(|_| true),
                Err(Failure::NotFound) => clients.add(draft).await.map(|_| false),
                Err(failure) => Err(failure),
            };
            done.count(changed.map_err(|error| stopped(place, &error))?);
        }
        for (place, user) in &plan.users {
            done.count(self.user(user).await.map_err(|error| stopped(place, &error))?);
        }
        for (place, instance) in plan.instances(false) {
            done.count(self.instance(instance).await.map_err(|error| stopped(place, &error))?);
        }
        Ok(done)
    }

    async fn user(&self, user: &User) -> Result<WasThere, Failure> {
        let (people, draft) = (self.identity.people(), &user.draft);
        let name = draft.username.as_deref().unwrap_or_default();
        match people.get(name).await {
            Ok(_) => people.set(name, draft).await.map(|_| true),
            Err(Failure::NotFound) if user.hashes.is_empty() => {
                people.add(draft).await.map(|_| false)
            }
            Err(Failure::NotFound) => {
                people.import(draft, user.hashes.clone()).await.map(|_| false)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn instance(&self, instance: &Instance) -> Result<WasThere, LiveError> {
        let (kind, sent) = (instance.kind, &instance.sent);
        let (name, wanted) = (sent.name.as_str(), &sent.wanted);
        let was_there = match self.live.get(kind, name).await {
            Ok(_) => true,
            Err(LiveError::NotFound) => false,
            Err(error) => return Err(error),
        };
        if was_there {
            self.live.set(kind, name, wanted).await?;
        } else {
            self.live.add(kind, &sent.module, name, wanted).await?;
        }
        match (instance.enabled, was_there) {
            (true, true) => self.live.reset(kind, name).await?,
            (true, false) => {}
            (false, _) => self.live.disable(kind, name).await?,
        }
        Ok(was_there)
    }
}

impl Done {
    fn count(&mut self, was_there: WasThere) {
        if was_there {
            self.changed += 1;
        } else {
            self.added += 1;
        }
    }
}

fn stopped(place: &str, error: &impl std::fmt::Display) -> ImportError {
    ImportError::Stopped(format!("{place}: {error}"))
}
