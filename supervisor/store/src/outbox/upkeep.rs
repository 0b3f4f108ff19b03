//! What time does: too old to wait, too old to be remembered. In small steps, so that events that
//! come in meanwhile wait for none of it.

use sqlx::FromRow;

use super::Outbox;
use super::change::Change;
use super::group::Place;
use super::write::give_up;
use crate::error::StoreError;
use crate::pools::on;

/// Deliveries or events at a time.
const STEP: i64 = 500;
const TOO_OLD: &str = "it waited too long and was given up; see events.max_age";

#[derive(FromRow)]
struct Old {
    seq: i64,
    accepted_ms: i64,
    is_over: bool,
}

impl Outbox<'_> {
    /// Gives up what is pending since before `before_ms`.
    pub async fn expire(self, before_ms: i64, now_ms: i64) -> Result<Vec<Place>, StoreError> {
        let mut expired = Vec::new();
        for notifier in self.notifiers_with_pending().await? {
            let places = self.expire_of(&notifier, before_ms, now_ms).await;
            expired.extend(self.told("give up what waited too long", places)?);
        }
        Ok(expired)
    }

    async fn expire_of(
        self,
        notifier: &str,
        before_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<Place>, sqlx::Error> {
        let mut expired = Vec::new();
        loop {
            let mut change = Change::begin(self.store, now_ms).await?;
            let overdue = change.overdue(notifier, before_ms, STEP).await?;
            if overdue.is_empty() {
                return Ok(expired);
            }
            expired.extend(give_up(&mut change, &overdue, TOO_OLD).await?);
            change.commit().await?;
        }
    }

    /// Forgets events that were accepted before `before_ms` and that nobody needs any more; a repeat
    /// of them is new from then on. Gives how many they were.
    pub async fn purge(self, before_ms: i64) -> Result<u64, StoreError> {
        let (mut purged, mut after) = (0, 0);
        loop {
            let old = self.told("look for old events", self.oldest_events(after).await)?;
            let Some(last) = old.last() else { return Ok(purged) };
            after = last.seq;
            let is_end = last.accepted_ms >= before_ms;
            let over: Vec<i64> = old
                .into_iter()
                .filter(|event| event.is_over && event.accepted_ms < before_ms)
                .map(|event| event.seq)
                .collect();
            purged += self.told("forget old events", self.forget(&over).await)?;
            if is_end {
                return Ok(purged);
            }
        }
    }

    async fn oldest_events(self, after: i64) -> Result<Vec<Old>, sqlx::Error> {
        const SQL: &str = "
            SELECT event.seq, accepted_ms, (event_body.seq IS NULL) AS is_over
            FROM event LEFT JOIN event_body ON event_body.seq = event.seq
            WHERE event.seq > $1 ORDER BY event.seq LIMIT $2";
        on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(after).bind(STEP).fetch_all(pool).await
        })
    }

    /// A body that is gone never comes back, so what was over is still over.
    async fn forget(self, seqs: &[i64]) -> Result<u64, sqlx::Error> {
        if seqs.is_empty() {
            return Ok(0);
        }
        let mut change = Change::begin(self.store, 0).await?;
        let forgotten = change.forget(seqs).await?;
        change.commit().await?;
        Ok(forgotten)
    }
}
