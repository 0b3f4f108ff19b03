//! What time does to events: those that wait too long are given up, and those that are done with are forgotten.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Common, in_ms, now_ms};

/// Between two rounds; an event may wait a twentieth longer than it should.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// For ever.
pub(super) async fn run(common: Arc<Common>) {
    let mut round = interval((common.settings.max_age / 20).clamp(SHORTEST, LONGEST));
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        expire(&common).await;
        purge(&common).await;
    }
}

async fn expire(common: &Common) {
    let now = now_ms();
    let before = now - in_ms(common.settings.max_age);
    match common.store.outbox().expire(before, now).await {
        Ok(expired) => common.gave_way(&expired, "they waited longer than events.max_age"),
        Err(error) => {
            tracing::warn!(%error, "old events could not be given up; the next round tries again");
        }
    }
}

async fn purge(common: &Common) {
    let before = now_ms() - in_ms(common.settings.retention);
    match common.store.outbox().purge(before).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "forgot events that were delivered long ago"),
        Err(error) => {
            tracing::warn!(%error, "old events could not be forgotten; the next round tries again");
        }
    }
}
