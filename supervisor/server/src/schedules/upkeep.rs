//! What time does to what is kept: entries, locks and sessions that have ended are removed.

use std::time::{Duration, SystemTime};

use outboard_store::{Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};

const BETWEEN: Duration = Duration::from_mins(1);

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
    Ok(())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
