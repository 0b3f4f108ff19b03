//! What instances that were away when users were deleted are told when they come back.

use sqlx::FromRow;

use super::revocations::Revocations;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{on, within};

/// A deletion that an instance has not been told of, since it was away.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Missed {
    /// Grows with each deletion.
    pub seq: i64,
    /// Who is gone.
    pub account: String,
    /// The name that the user had.
    pub username: String,
    pub deleted_ms: i64,
}

impl Revocations<'_> {
    /// From now on the instance may know of users, and is told of deletions: at once, or when it comes back.
    pub async fn begin(self, instance: &str) -> Result<(), StoreError> {
        const IS_KNOWN: &str = "SELECT COUNT(*) FROM deletion_heard WHERE instance = $1";
        // A deletion that is under way comes before it or after it, and not at the same time.
        const HOLD: &str = "UPDATE deletion_log SET seq = seq";
        const BEGIN: &str = "
            INSERT INTO deletion_heard (instance, seq) SELECT $1, seq FROM deletion_log WHERE id = 1
            ON CONFLICT (instance) DO NOTHING";
        let begun = async {
            let known: i64 = on!(&self.store.pools, pool => {
                sqlx::query_scalar(IS_KNOWN).bind(text(instance)).fetch_one(pool).await?
            });
            if known > 0 {
                return Ok(());
            }
            let mut transaction = self.store.pools.begin().await?;
            within!(&mut transaction, connection => {
                sqlx::query(HOLD).execute(&mut *connection).await?;
                sqlx::query(BEGIN).bind(text(instance)).execute(connection).await.map(drop)
            })?;
            transaction.commit().await
        };
        self.told("note that an instance may know of users", begun.await)
    }

    /// What the instance has missed, in the order of the deletions: at most so many.
    pub async fn missed(self, instance: &str, limit: u32) -> Result<Vec<Missed>, StoreError> {
        const SQL: &str = "
            SELECT deletion.seq, account, username, deleted_ms
            FROM deletion JOIN deletion_heard ON deletion_heard.seq < deletion.seq
            WHERE instance = $1 ORDER BY deletion.seq LIMIT $2";
        let missed = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await);
        self.told("read what an instance has missed", missed)
    }

    /// The instance has been told of a deletion that it had missed, and of all before it.
    pub async fn heard(self, instance: &str, seq: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE deletion_heard SET seq = $2 WHERE instance = $1 AND seq < $2";
        let noted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .bind(seq)
            .execute(pool)
            .await
            .map(drop));
        self.told("note that an instance was told", noted)
    }

    /// The instances that have missed something, by name.
    pub async fn behind(self) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "
            SELECT instance FROM deletion_heard
            WHERE seq < (SELECT MAX(seq) FROM deletion) ORDER BY instance";
        let behind = on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_all(pool).await);
        self.told("look for what instances have missed", behind)
    }

    /// Whether the instance has missed deletions that nobody can tell it of any more.
    pub async fn is_too_late(self, instance: &str) -> Result<bool, StoreError> {
        const SQL: &str = "
            SELECT COUNT(*) FROM deletion_heard
            WHERE instance = $1 AND seq < (SELECT forgotten FROM deletion_log)";
        let late: Result<i64, _> = on!(&self.store.pools, pool => {
            sqlx::query_scalar(SQL).bind(text(instance)).fetch_one(pool).await
        });
        Ok(self.told("look for what an instance has missed", late)? > 0)
    }

    /// The instance is told of no deletion until now, whatever it knows; names that waited for it are free. False:
    /// there has never been such an instance.
    pub async fn give_up(self, instance: &str) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE deletion_heard SET seq = (SELECT seq FROM deletion_log) WHERE instance = $1";
        let moved = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        let was_there = self.told("give up what an instance is to be told", moved)?;
        self.forget_instance(instance).await?;
        Ok(was_there)
    }

    /// Removes what every instance has been told of, and all that is older than `oldest_ms`, whoever missed it.
    pub async fn purge(self, oldest_ms: i64) -> Result<(), StoreError> {
        const TOLD: &str = "
            DELETE FROM deletion WHERE NOT EXISTS
            (SELECT 1 FROM deletion_heard WHERE deletion_heard.seq < deletion.seq)";
        const NOTE: &str = "
            UPDATE deletion_log SET forgotten = (SELECT MAX(seq) FROM deletion WHERE deleted_ms < $1)
            WHERE EXISTS (SELECT 1 FROM deletion WHERE deleted_ms < $1)";
        const OLD: &str = "DELETE FROM deletion WHERE seq <= (SELECT forgotten FROM deletion_log)";
        let purged = async {
            let mut transaction = self.store.pools.begin().await?;
            within!(&mut transaction, connection => {
                sqlx::query(TOLD).execute(&mut *connection).await?;
                sqlx::query(NOTE).bind(oldest_ms).execute(&mut *connection).await?;
                sqlx::query(OLD).execute(connection).await.map(drop)
            })?;
            transaction.commit().await
        };
        self.told("remove deletions that nobody is to be told of", purged.await)
    }
}
