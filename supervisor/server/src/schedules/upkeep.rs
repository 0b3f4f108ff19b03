//! What time does to what is kept: entries, locks, sessions and deletions that nobody needs any more are
//! removed.

use std::time::Duration;

use outboard_store::{Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::now_ms;

const BETWEEN: Duration = Duration::from_mins(1);
/// How long it is known which deletions of users an instance has missed that is away.
const MISSED_MS: i64 = 365 * 24 * 3_600_000;

/// For ever.
pub async fn keep_up(store: Store) {
    let mut round = interval(BETWEEN);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        if let Err(error) = purge(&store).await {
            tracing::warn!(%error, "what has ended could not be removed; the next round tries again");
        }
    }
}

async fn purge(store: &Store) -> Result<(), StoreError> {
    while store.storage().purge().await? {}
    while store.sessions().purge(now_ms()).await? > 0 {}
    store.revocations().purge(now_ms().saturating_sub(MISSED_MS)).await
}
