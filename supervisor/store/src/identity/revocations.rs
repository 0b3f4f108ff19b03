//! Who still has to be told that a user is gone.

use sqlx::FromRow;

use super::handle::{count, handle};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{on, within};

handle! {
    /// The revocations of a [`Store`](crate::Store).
    Revocations
}

/// An instance that is to be told of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Who is gone.
    pub account: String,
    /// The name that the user had.
    pub username: String,
    pub source: String,
    pub deleted_ms: i64,
    /// Who is to be told.
    pub instance: String,
    /// How often it was tried.
    pub attempts: u32,
    pub not_before_ms: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

#[derive(FromRow)]
struct Row {
    account: String,
    username: String,
    source: String,
    deleted_ms: i64,
    instance: String,
    attempts: i64,
    not_before_ms: i64,
    last_error: Option<String>,
}

impl From<Row> for Revocation {
    fn from(row: Row) -> Self {
        Self {
            account: row.account,
            username: row.username,
            source: row.source,
            deleted_ms: row.deleted_ms,
            instance: row.instance,
            attempts: count(row.attempts),
            not_before_ms: row.not_before_ms,
            last_error: row.last_error,
        }
    }
}

macro_rules! select_revocations {
    ($rest:literal) => {
        concat!(
            "SELECT account, username, source, deleted_ms, instance, attempts, not_before_ms, last_error \
             FROM revocation JOIN account ON account.id = account ",
            $rest
        )
    };
}

impl Revocations<'_> {
    /// Those whose time has come, the oldest first: at most so many.
    pub async fn due(self, now_ms: i64, limit: u32) -> Result<Vec<Revocation>, StoreError> {
        const SQL: &str = select_revocations!(
            "WHERE not_before_ms <= $1 ORDER BY not_before_ms, account, instance LIMIT $2"
        );
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(now_ms)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await);
        self.read(rows)
    }

    /// Those of an instance, whether their time has come or not, in the order of the deletions.
    pub async fn of_instance(self, instance: &str) -> Result<Vec<Revocation>, StoreError> {
        const SQL: &str = select_revocations!("WHERE instance = $1 ORDER BY deleted_ms, account");
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(instance)).fetch_all(pool).await
        });
        self.read(rows)
    }

    /// All, in the order of the deletions.
    pub async fn list(self) -> Result<Vec<Revocation>, StoreError> {
        const SQL: &str = select_revocations!("ORDER BY deleted_ms, account, instance");
        let rows: Result<Vec<Row>, _> =
            on!(&self.store.pools, pool => sqlx::query_as(SQL).fetch_all(pool).await);
        self.read(rows)
    }

    /// When the next one is due.
    pub async fn next_ms(self) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT MIN(not_before_ms) FROM revocation";
        let next = on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_one(pool).await);
        self.told("look for what is to be told", next)
    }

    /// The instance has been told. With the last one the name is free again: then this is true.
    pub async fn answered(self, account: &str, instance: &str) -> Result<bool, StoreError> {
        const TOLD: &str = "DELETE FROM revocation WHERE account = $1 AND instance = $2";
        let answered = self.remove(TOLD, &[account, instance]).await;
        self.told("note that an instance was told", answered).map(|freed| freed > 0)
    }

    /// The instance is gone for good: nobody has to tell it any more. Gives how many names are free by that.
    pub async fn forget_instance(self, instance: &str) -> Result<u64, StoreError> {
        const FORGET: &str = "DELETE FROM revocation WHERE instance = $1";
        let forgotten = self.remove(FORGET, &[instance]).await;
        self.told("forget what an instance was to be told", forgotten)
    }

    /// The instance could not be told.
    pub async fn failed(
        self,
        account: &str,
        instance: &str,
        error: &str,
        not_before_ms: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE revocation SET attempts = attempts + 1, not_before_ms = $4, last_error = $3
            WHERE account = $1 AND instance = $2";
        let noted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(account))
            .bind(text(instance))
            .bind(text(error))
            .bind(not_before_ms)
            .execute(pool)
            .await
            .map(drop));
        self.told("note that an instance could not be told", noted)
    }

    /// Frees the name of a user who was deleted, whoever has not been told. False: there is no such one.
    pub async fn force(self, source: &str, name_key: &str) -> Result<bool, StoreError> {
        const SQL: &str =
            "DELETE FROM account WHERE source = $1 AND name_key = $2 AND deleted_ms IS NOT NULL";
        let freed = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(source))
            .bind(text(name_key))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("free the name of a user who was deleted", freed)
    }

    /// Removes rows, and the accounts that nobody has to be told of any more. Gives how many of these.
    async fn remove(self, sql: &'static str, bound: &[&str]) -> Result<u64, sqlx::Error> {
        // A write to all that may be freed, so that of two who tell the last ones each sees the other.
        const HOLD: &str =
            "UPDATE account SET deleted_ms = deleted_ms WHERE deleted_ms IS NOT NULL";
        const FREE: &str = "
            DELETE FROM account WHERE deleted_ms IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM revocation WHERE revocation.account = account.id)";
        let mut transaction = self.store.pools.begin().await?;
        let freed = within!(&mut transaction, connection => {
            sqlx::query(HOLD).execute(&mut *connection).await?;
            let mut query = sqlx::query(sql);
            for value in bound {
                query = query.bind(text(value));
            }
            query.execute(&mut *connection).await?;
            sqlx::query(FREE).execute(connection).await?.rows_affected()
        });
        transaction.commit().await?;
        Ok(freed)
    }

    fn read(self, rows: Result<Vec<Row>, sqlx::Error>) -> Result<Vec<Revocation>, StoreError> {
        let rows = self.told("read who is to be told", rows)?;
        Ok(rows.into_iter().map(Revocation::from).collect())
    }
}
