//! Which of several supervisors tells a notifier. Time is that of the database, which is one for all.

use std::time::Duration;

use super::{Outbox, stored};
use crate::error::StoreError;
use crate::pools::on;

impl Outbox<'_> {
    /// Whether `holder` may tell the notifier for `ttl` from now on. It may say so again before that
    /// is over.
    pub async fn take_lease(
        self,
        notifier: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            INSERT INTO notifier_lease (notifier, holder, until_ms)
            SELECT $1, $2, now_ms + $3 FROM clock WHERE TRUE
            ON CONFLICT (notifier) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
            WHERE notifier_lease.holder = excluded.holder
               OR notifier_lease.until_ms <= (SELECT now_ms FROM clock)";
        let ttl = stored(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)).min(i64::MAX / 2);
        let taken = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(notifier)
            .bind(holder)
            .bind(ttl)
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("take the lease of a notifier", taken)
    }

    /// Another may have it at once.
    pub async fn release_lease(self, notifier: &str, holder: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM notifier_lease WHERE notifier = $1 AND holder = $2";
        let released = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(notifier)
            .bind(holder)
            .execute(pool)
            .await
            .map(drop));
        self.told("release the lease of a notifier", released)
    }
}
