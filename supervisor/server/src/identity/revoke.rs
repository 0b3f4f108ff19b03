//! Who is gone is told to every instance that may know of it: at once to those that run, until they answer, and to all
//! others before they serve again.
//!
//! What an instance is to be told that is enabled at the deletion is a revocation, and holds the name. What others have
//! missed is told when they come back, and holds nothing.

mod tell;
mod teller;

use std::time::Duration;

use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::name::UserName;
use outboard_core::identity::user::User;
use outboard_store::identity::Revocation;
use tonic::transport::Channel;

use self::tell::Line;
use self::teller::Teller;
use super::people::People;
use super::{Failure, Identity, Parts};
use crate::clock::now_ms;

/// Between two looks at what is due, at most: another supervisor may have written it down.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Whether a name is free although not all instances have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    No,
    Yes,
}

impl People<'_> {
    /// Deletes a user: password, sessions and consents go at once, and every instance is told. The name is free again when
    /// all that are enabled have answered, which is soon if they run; `forced`, it is free at once, and who of these was
    /// not told never is.
    ///
    /// # Errors
    /// [`Failure::NotFound`], that nothing may be changed there, or that the source can't say.
    pub async fn delete(self, name: &str, forced: Forced) -> Result<(), Failure> {
        self.enabled()?;
        let user = match self.find(name).await {
            Ok((user, source)) => {
                source.check_writable()?;
                source.remove(&user).await?;
                user
            }
            Err(Failure::NotFound) if forced == Forced::Yes => return self.free(name).await,
            Err(failure) => return Err(failure),
        };
        // Not earlier: the source may have been slow.
        let (enabled, now) = (self.enabled()?, now_ms());
        let holding = self.0.store.accounts().delete(user.id.as_str(), &enabled, now).await?;
        let holding = holding.ok_or(Failure::NotFound)?;
        tracing::info!(user = %user.id, instances = holding.len(), "a user is deleted");
        self.0.teller().tell_now(revocations(&user, holding, now)).await;
        match forced {
            Forced::Yes => self.free(name).await.or_else(unless_free),
            Forced::No => Ok(()),
        }
    }

    /// The instances that serve, or are about to.
    fn enabled(self) -> Result<Vec<String>, Failure> {
        let roles = self.0.roster.roles();
        let roles = roles.ok_or_else(|| {
            Failure::Unavailable("the plugins are not known yet; try again".to_owned())
        })?;
        Ok(roles.instances.iter().cloned().collect())
    }

    /// Frees the name of a user who is deleted, whoever has not been told.
    async fn free(self, name: &str) -> Result<(), Failure> {
        let name = UserName::new(name).map_err(|_| Failure::NotFound)?;
        let mut is_freed = false;
        for source in self.source_names() {
            is_freed |= self.0.store.revocations().force(&source, name.key()).await?;
        }
        if is_freed { Ok(()) } else { Err(Failure::NotFound) }
    }

    /// Who is deleted, and which instances have not been told.
    ///
    /// # Errors
    /// If the database can't be asked.
    pub async fn revocations(self) -> Result<Vec<Revocation>, Failure> {
        Ok(self.0.store.revocations().list().await?)
    }

    /// Gives up what an instance is still to be told: it may serve with whatever it knows.
    ///
    /// # Errors
    /// [`Failure::NotFound`]: there has never been such an instance.
    pub async fn give_up(self, instance: &str) -> Result<(), Failure> {
        let was_there = self.0.store.revocations().give_up(instance).await?;
        if !was_there {
            return Err(Failure::NotFound);
        }
        tracing::warn!(instance, "what it was to be told of deleted users is given up");
        Ok(())
    }
}

/// All have been told already.
fn unless_free(failure: Failure) -> Result<(), Failure> {
    if failure == Failure::NotFound { Ok(()) } else { Err(failure) }
}

fn revocations(user: &User, instances: Vec<String>, now: i64) -> Vec<Revocation> {
    let of = |instance| Revocation {
        account: user.id.to_string(),
        username: user.username.shown().to_owned(),
        source: user.source.clone(),
        deleted_ms: now,
        instance,
        attempts: 0,
        not_before_ms: now,
        last_error: None,
    };
    instances.into_iter().map(of).collect()
}

impl Identity {
    /// Tells instances until it is dropped.
    pub async fn revoke(self) {
        let teller = self.0.teller();
        loop {
            let next = match teller.tell_due().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "who is gone is told later");
                    None
                }
            };
            let wait = next.map_or(LOOK_EVERY, |at_ms| {
                let wait = u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or_default();
                Duration::from_millis(wait.max(100)).min(LOOK_EVERY)
            });
            teller.rest(wait).await;
        }
    }

    /// Notes that an instance is about to run, and may know of users from now on.
    ///
    /// # Errors
    /// Why it must not run.
    pub async fn before_init(&self, instance: &str) -> Result<(), String> {
        let begun = self.0.store.revocations().begin(instance).await;
        begun.map_err(|error| error.to_string())
    }

    /// Tells an activation whose `Init` went well, and that serves nothing yet, what its instance is still to be told.
    ///
    /// # Errors
    /// Why it must not serve, a line each.
    pub async fn before_serving(
        &self,
        instance: &str,
        kind: InstanceKind,
        activation: &str,
        channel: Channel,
    ) -> Result<(), Vec<String>> {
        let line = Line { channel, activation, kind, timeout: self.settings().call_timeout };
        let told = self.0.teller().catch_up(instance, &line).await;
        told.map_err(|why| vec![why])
    }
}

impl Parts {
    fn teller(&self) -> Teller {
        Teller {
            store: self.store.clone(),
            routes: self.routes.clone(),
            roster: self.roster.clone(),
            timeout: self.settings.call_timeout,
            bell: self.bell.clone(),
        }
    }
}
