//! Tells instances, and writes down which of them have been told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use outboard_core::identity::kind::InstanceKind;
use outboard_store::identity::Revocation;
use outboard_store::{Store, StoreError};
use tokio::sync::{Notify, oneshot};

use super::tell::{Gone, Line, Told};
use crate::clock::now_ms;
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::{Activation, Routes};
use crate::task;

/// Instances that are told at the same time.
const AT_ONCE: usize = 32;
/// Of those that wait, how many are looked at in one go.
const MOST: u32 = 256;
/// How long whoever deletes a user waits for the instances that run.
const PATIENCE: Duration = Duration::from_secs(2);
/// From the first attempt to the second; doubled after each further one.
const FIRST_WAIT_MS: i64 = 1000;
const LONGEST_WAIT_MS: i64 = 300_000;

/// Tells instances, and writes down which of them have been told.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) store: Store,
    pub(super) routes: Arc<Routes>,
    pub(super) roster: Roster,
    pub(super) timeout: Duration,
    /// Rung when there is more to tell.
    pub(super) bell: Arc<Notify>,
}

impl Teller {
    /// Tells those that run, and waits for them for a moment. What is left is told later.
    pub(super) async fn tell_now(self, revocations: Vec<Revocation>) {
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
    pub(super) async fn tell_due(&self) -> Result<Option<i64>, StoreError> {
        let due = self.store.revocations().due(now_ms(), MOST).await?;
        self.tell_all(due).await;
        self.tell_missed().await?;
        self.store.revocations().next_ms().await
    }

    /// Waits so long, or until there is more to tell.
    pub(super) async fn rest(&self, wait: Duration) {
        // The bell may have been rung since.
        let _ = tokio::time::timeout(wait, self.bell.notified()).await;
    }

    /// Tells an instance all that it is still to be told.
    ///
    /// # Errors
    /// Why it was not, and what to do about it.
    pub(super) async fn catch_up(&self, instance: &str, line: &Line<'_>) -> Result<(), String> {
        let waiting = self.store.revocations().of_instance(instance).await;
        for revocation in waiting.map_err(|error| error.to_string())? {
            let gone = Gone::from(&revocation);
            let told = line.tell(&gone).await;
            if let Told::Failed(why) = &told {
                return Err(untold(instance, &gone, why));
            }
            self.note(&revocation, told).await;
        }
        self.catch_up_missed(instance, line).await
    }

    async fn catch_up_missed(&self, instance: &str, line: &Line<'_>) -> Result<(), String> {
        let revocations = self.store.revocations();
        if revocations.is_too_late(instance).await.map_err(|error| error.to_string())? {
            return Err(format!(
                "was away for so long that nobody can tell it any more which users were deleted; delete it and add it \
                 anew, or let it serve with what it knows: `outboard user revocations --give-up {instance}`"
            ));
        }
        loop {
            let missed = revocations.missed(instance, MOST).await;
            let missed = missed.map_err(|error| error.to_string())?;
            if missed.is_empty() {
                return Ok(());
            }
            for missed in missed {
                let gone = Gone::from(&missed);
                if let Told::Failed(why) = line.tell(&gone).await {
                    return Err(untold(instance, &gone, &why));
                }
                let noted = revocations.heard(instance, missed.seq).await;
                noted.map_err(|error| error.to_string())?;
            }
        }
    }

    /// Tells instances that run here what was deleted by a supervisor that did not know of them.
    async fn tell_missed(&self) -> Result<(), StoreError> {
        let behind = self.store.revocations().behind().await?.into_iter();
        let telling = behind.map(|instance| async move {
            let Ok(entered) = self.routes.enter(&instance) else { return };
            let line = self.line(entered.activation());
            let told = tokio::select! {
                told = self.catch_up_missed(&instance, &line) => told,
                () = entered.activation().is_cut_off() => return,
            };
            if let Err(why) = told {
                tracing::warn!(instance, why, "an instance does not know of all deletions");
            }
        });
        stream::iter(telling).buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(())
    }

    async fn tell_all(&self, revocations: Vec<Revocation>) {
        let telling = revocations.into_iter().map(|revocation| async move {
            let told = self.tell(&revocation).await;
            self.note(&revocation, told).await;
        });
        stream::iter(telling).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn tell(&self, revocation: &Revocation) -> Told {
        let Ok(entered) = self.routes.enter(&revocation.instance) else {
            return Told::Failed("it does not run; it is told before it serves again".to_owned());
        };
        let line = self.line(entered.activation());
        let gone = Gone::from(revocation);
        tokio::select! {
            told = line.tell(&gone) => told,
            () = entered.activation().is_cut_off() => Told::Failed("it is being closed".to_owned()),
        }
    }

    fn line<'a>(&self, activation: &'a Activation) -> Line<'a> {
        let roles = self.roster.roles();
        let is_scheme =
            roles.is_some_and(|roles| roles.schemes.contains_key(activation.instance()));
        let kind = if is_scheme { InstanceKind::Scheme } else { InstanceKind::Plugin };
        let (channel, id) = (activation.channel(), activation.id());
        Line { channel, activation: id, kind, timeout: self.timeout }
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

/// What keeps an instance from serving.
fn untold(instance: &str, gone: &Gone<'_>, why: &str) -> String {
    let username = gone.username;
    format!(
        "must be told first that user {username:?} was deleted, and RevokeUser failed: {why}; see the plugin's log, or \
         give up what it is to be told by `outboard user revocations --give-up {instance}`"
    )
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
