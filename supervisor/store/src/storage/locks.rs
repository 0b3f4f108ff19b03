//! Locks: who has the token has the lock, until its time is over.

use std::time::Duration;

use super::space::Space;
use crate::error::StoreError;
use crate::identity::handle;
use crate::outbox::rows::text;
use crate::pools::{on, within};

handle! {
    /// The locks of the instances of a [`Store`](crate::Store).
    Locks
}

impl Locks<'_> {
    /// Takes a lock for a time. Gives its token, which is greater than any of this instance before; `None`: somebody has
    /// it.
    pub async fn acquire(
        self,
        instance: &str,
        name: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let acquired = self.try_acquire(instance, name, ttl).await;
        self.told("take a lock", acquired)
    }

    async fn try_acquire(
        self,
        instance: &str,
        name: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, sqlx::Error> {
        const HELD: &str = "
            SELECT COUNT(*) FROM instance_lock
            WHERE instance = $1 AND name = $2 AND until_ms > (SELECT now_ms FROM clock)";
        const TAKE: &str = "
            INSERT INTO instance_lock (instance, name, token, until_ms) VALUES ($1, $2, $3, $4)
            ON CONFLICT (instance, name) DO UPDATE
            SET token = excluded.token, until_ms = excluded.until_ms
            WHERE instance_lock.until_ms <= $5";
        // Who waits asks again and again, and writes nothing.
        let held: i64 = on!(&self.store.pools, pool => sqlx::query_scalar(HELD)
            .bind(text(instance))
            .bind(text(name))
            .fetch_one(pool)
            .await?);
        if held > 0 {
            return Ok(None);
        }
        let mut space = Space::begin(self.store, instance).await?;
        let (token, now_ms) = (space.version, space.now_ms);
        let taken = within!(space.transaction(), connection => sqlx::query(TAKE)
            .bind(text(instance))
            .bind(text(name))
            .bind(token)
            .bind(now_ms.saturating_add(millis(ttl)))
            .bind(now_ms)
            .execute(connection)
            .await?
            .rows_affected());
        if taken == 0 {
            return Ok(None);
        }
        space.commit().await?;
        Ok(u64::try_from(token).ok())
    }

    /// Keeps a lock for a time from now. False: it was lost.
    pub async fn renew(
        self,
        instance: &str,
        name: &str,
        token: u64,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE instance_lock SET until_ms = (SELECT now_ms FROM clock) + $4
            WHERE instance = $1 AND name = $2 AND token = $3
              AND until_ms > (SELECT now_ms FROM clock)";
        let renewed = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .bind(text(name))
            .bind(stored(token))
            .bind(millis(ttl))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("renew a lock", renewed)
    }

    /// Lets a lock go. False: it had been lost.
    pub async fn release(self, instance: &str, name: &str, token: u64) -> Result<bool, StoreError> {
        const SQL: &str = "
            DELETE FROM instance_lock WHERE instance = $1 AND name = $2 AND token = $3
              AND until_ms > (SELECT now_ms FROM clock)";
        let released = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .bind(text(name))
            .bind(stored(token))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("release a lock", released)
    }
}

fn stored(token: u64) -> i64 {
    // No token is so great, so that none matches.
    i64::try_from(token).unwrap_or(-1)
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}
