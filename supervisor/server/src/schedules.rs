//! What plugins are to do later: one supervisor at a time calls for each schedule.
//!
//! The database says what is due, by its own clock, and who calls: a schedule is claimed for as long as a call can
//! take, and whoever is gone loses it. Only instances that run here are looked at.

mod call;
mod upkeep;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use outboard_store::storage::Schedule;
use outboard_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::plugin::snapshot::Routes;

pub use upkeep::keep_up;

/// Calls at a time.
const MOST_CALLS: usize = 64;
/// Calls of one instance that begin together.
const MOST_OF_ONE: u32 = 8;
/// Nobody tells what other supervisors set, or that one of them is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// While the database can't be asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls for schedules. Clones are of the same.
#[derive(Clone)]
pub struct Schedules(Arc<Common>);

struct Common {
    store: Store,
    routes: Arc<Routes>,
    /// This run of this supervisor.
    holder: String,
    bell: Notify,
}

impl Schedules {
    pub fn new(store: Store, routes: Arc<Routes>) -> Self {
        let holder = uuid::Uuid::new_v4().to_string();
        Self(Arc::new(Common { store, routes, holder, bell: Notify::new() }))
    }

    /// Something may be due sooner than was known.
    pub fn ring(&self) {
        self.0.bell.notify_one();
    }

    /// For ever.
    pub async fn run(self) {
        let mut changes = self.0.routes.changes();
        let mut calls = FuturesUnordered::new();
        loop {
            let wait = match self.0.claim(MOST_CALLS.saturating_sub(calls.len())).await {
                Ok((claimed, wait)) => {
                    calls.extend(claimed.into_iter().map(|schedule| self.0.call(schedule)));
                    wait
                }
                Err(error) => {
                    tracing::warn!(%error, "can't look for what is due; trying again");
                    PATIENCE
                }
            };
            let mut wait = pin!(sleep(wait));
            tokio::select! {
                () = &mut wait => {}
                () = self.0.bell.notified() => {}
                // Without routes there is nobody to call.
                changed = changes.changed() => if changed.is_err() { return },
                Some(()) = calls.next(), if !calls.is_empty() => {}
            }
        }
    }
}

impl Common {
    /// Claims what is due and can be called here, and tells how long there is nothing else to do.
    async fn claim(&self, room: usize) -> Result<(Vec<Schedule>, Duration), StoreError> {
        let schedules = self.store.schedules();
        let mut claimed = Vec::new();
        for instance in schedules.due_instances().await? {
            // Whether it can do that is for the call to say: who waits for it wants to know.
            if self.routes.snapshot().get(&instance).is_none() {
                continue;
            }
            for schedule in schedules.due(&instance, MOST_OF_ONE).await? {
                if claimed.len() == room {
                    // The end of a call makes room, and is heard.
                    return Ok((claimed, LOOK_AGAIN));
                }
                if schedules.claim(&schedule, &self.holder, call::CLAIM).await? {
                    claimed.push(schedule);
                }
            }
        }
        let next = schedules.next_in().await?;
        Ok((claimed, next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN))))
    }
}
