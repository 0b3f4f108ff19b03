//! Who is gone is told to every instance: at once to those that run, until they answer, and to all others before they
//! serve again.

mod tell;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::name::UserName;
use outboard_core::identity::user::User;
use outboard_store::identity::Revocation;
use outboard_store::{Store, StoreError};
use tokio::sync::{Notify, oneshot};
use tonic::transport::Channel;

use self::tell::{Told, tell};
use super::people::People;
use super::{Failure, Identity, Parts};
use crate::events::now_ms;
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::Routes;
use crate::task;

/// Instances that are told at the same time.
const AT_ONCE: usize = 32;
/// Of those that wait, how many are looked at in one go.
const MOST: u32 = 256;
/// How long whoever deletes a user waits for the instances that run.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at what is due, at most: another supervisor may have written it down.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// From the first attempt to the second; doubled after each further one.
const FIRST_WAIT_MS: i64 = 1000;
const LONGEST_WAIT_MS: i64 = 300_000;

/// Whether a name is free although not all instances have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    No,
    Yes,
}

impl People<'_> {
    /// Deletes a user: password, sessions and consents go at once, and every instance is told. The name is free again when
    /// all of them have answered, which is soon if they run; `forced`, it is free at once, and who was not told never is.
    ///
    /// # Errors
    /// [`Failure::NotFound`], that nothing may be changed there, or that the source can't say.
    pub async fn delete(self, name: &str, forced: Forced) -> Result<(), Failure> {
        let roles = self.0.roster.roles();
        let roles = roles.ok_or_else(|| {
            Failure::Unavailable("the plugins are not known yet; try again".to_owned())
        })?;
        let instances: Vec<_> = roles.instances.iter().cloned().collect();
        let user = match self.find(name).await {
            Ok((user, source)) => {
                source.check_writable()?;
                source.remove(&user).await?;
                user
            }
            Err(Failure::NotFound) if forced == Forced::Yes => return self.free(name).await,
            Err(failure) => return Err(failure),
        };
        let now = now_ms();
        if !self.0.store.accounts().delete(user.id.as_str(), &instances, now).await? {
            return Err(Failure::NotFound);
        }
        tracing::info!(user = %user.id, instances = instances.len(), "a user is deleted");
        self.0.teller().tell_now(revocations(&user, instances, now)).await;
        match forced {
            Forced::Yes => self.free(name).await.or_else(unless_free),
            Forced::No => Ok(()),
        }
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
            // The bell may have been rung since.
            let _ = tokio::time::timeout(wait, teller.bell.notified()).await;
        }
    }

    /// Tells an activation whose `Init` went well, and that serves nothing yet, what its instance has missed.
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
        let store = &self.0.store;
        let missed = store.revocations().of_instance(instance).await;
        let missed = missed.map_err(|error| vec![Failure::from(error).to_string()])?;
        let timeout = self.settings().call_timeout;
        for revocation in missed {
            let told = tell(channel.clone(), activation, kind, &revocation, timeout).await;
            if let Told::Failed(why) = &told {
                let Revocation { username, .. } = &revocation;
                return Err(vec![format!(
                    "must be told first that user {username:?} was deleted, and RevokeUser failed: {why}; see the plugin's \
                     log, or give it up with `outboard user delete {username} --force`"
                )]);
            }
            self.0.teller().note(&revocation, told).await;
        }
        Ok(())
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

/// Tells instances, and writes down which of them have been told.
#[derive(Clone)]
struct Teller {
    store: Store,
    routes: Arc<Routes>,
    roster: Roster,
    timeout: Duration,
    /// Rung when there is more to tell.
    bell: Arc<Notify>,
}

impl Teller {
    /// Tells those that run, and waits for them for a moment. What is left is told later.
    async fn tell_now(self, revocations: Vec<Revocation>) {
        let (done, told) = oneshot::channel();
        let telling = async move {
            self.tell_all(revocations).await;
            // What failed is due soon.
            self.bell.notify_one();
            // Nobody may be waiting any more.
            let _ = done.send(());
        };
        task::spawn("telling who is gone", telling).detach();
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            tracing::debug!("not every instance has been told of a deletion yet");
        }
    }

    /// Tells what is due, and when the next is.
    async fn tell_due(&self) -> Result<Option<i64>, StoreError> {
        let due = self.store.revocations().due(now_ms(), MOST).await?;
        self.tell_all(due).await;
        self.store.revocations().next_ms().await
    }

    async fn tell_all(&self, revocations: Vec<Revocation>) {
        let telling = revocations.into_iter().map(|revocation| async move {
            let told = self.tell(&revocation).await;
            self.note(&revocation, told).await;
        });
        stream::iter(telling).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn tell(&self, revocation: &Revocation) -> Told {
        let instance = &revocation.instance;
        let Ok(entered) = self.routes.enter(instance) else {
            return Told::Failed("it does not run; it is told before it serves again".to_owned());
        };
        let roles = self.roster.roles();
        let is_scheme = roles.is_some_and(|roles| roles.schemes.contains_key(instance));
        let kind = if is_scheme { InstanceKind::Scheme } else { InstanceKind::Plugin };
        let activation = entered.activation();
        tokio::select! {
            told = tell(activation.channel(), activation.id(), kind, revocation, self.timeout) => told,
            () = activation.is_cut_off() => Told::Failed("it is being closed".to_owned()),
        }
    }

    async fn note(&self, revocation: &Revocation, told: Told) {
        let Revocation { account, instance, attempts, .. } = revocation;
        let revocations = self.store.revocations();
        let noted = match told {
            Told::Answered => revocations.answered(account, instance).await.map(drop),
            Told::Failed(why) => {
                tracing::debug!(
                    instance,
                    user = account,
                    why,
                    "an instance was not told of a deletion"
                );
                let at = now_ms().saturating_add(wait_ms(*attempts));
                revocations.failed(account, instance, &why, at).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, instance, "an instance is told of a deletion once more");
        }
    }
}

/// After so many attempts that failed, and one more.
fn wait_ms(attempts: u32) -> i64 {
    let doubled = 1_i64.checked_shl(attempts.min(32)).unwrap_or(i64::MAX);
    FIRST_WAIT_MS.saturating_mul(doubled).min(LONGEST_WAIT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_minutes() {
        let waits: Vec<_> = [0, 1, 2, 8, 9, 1000, u32::MAX].into_iter().map(wait_ms).collect();
        assert_eq!(waits, [1000, 2000, 4000, 256_000, 300_000, 300_000, 300_000]);
    }
}
