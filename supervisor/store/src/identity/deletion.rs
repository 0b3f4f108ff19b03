//! The end of a user: everything goes at once but the account, which stays until all have been told.

use super::accounts::Accounts;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{Transaction, within};

/// Sessions of the user alone first: whose they are is asked of rows that go as well.
const GONE: [&str; 5] = [
    "DELETE FROM session
     WHERE hash IN (SELECT session FROM session_account WHERE account = $1)
       AND NOT EXISTS (SELECT 1 FROM session_account WHERE session = hash AND account <> $1)",
    "DELETE FROM session_account WHERE account = $1",
    "DELETE FROM consent WHERE account = $1",
    "DELETE FROM user_password WHERE account = $1",
    "DELETE FROM user_detail WHERE account = $1",
];

impl Accounts<'_> {
    /// Deletes a user of whatever source, with password, sessions and consents, and notes which instances are to
    /// be told: all of it, or nothing. False: there is no such user, or not any more.
    ///
    /// The name is free again when all of them have been told.
    pub async fn delete(
        self,
        id: &str,
        instances: &[String],
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let deleted = self.try_delete(id, instances, now_ms).await;
        self.told("delete the user", deleted)
    }

    async fn try_delete(
        self,
        id: &str,
        instances: &[String],
        now_ms: i64,
    ) -> Result<bool, sqlx::Error> {
        const MARK: &str =
            "UPDATE account SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL";
        let mut transaction = self.store.pools.begin().await?;
        let marked = within!(&mut transaction, connection => sqlx::query(MARK)
            .bind(text(id))
            .bind(now_ms)
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if marked == 0 {
            return Ok(false);
        }
        for sql in GONE {
            within!(&mut transaction, connection => {
                sqlx::query(sql).bind(text(id)).execute(connection).await.map(drop)
            })?;
        }
        note(&mut transaction, id, instances, now_ms).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Who is to be told. Nobody: the name is free at once.
async fn note(
    transaction: &mut Transaction,
    id: &str,
    instances: &[String],
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    const NOTE: &str = "
        INSERT INTO revocation (account, instance, attempts, not_before_ms) VALUES ($1, $2, 0, $3)
        ON CONFLICT (account, instance) DO NOTHING";
    const FREE: &str = "DELETE FROM account WHERE id = $1";
    for instance in instances {
        within!(transaction, connection => sqlx::query(NOTE)
            .bind(text(id))
            .bind(text(instance))
            .bind(now_ms)
            .execute(connection)
            .await
            .map(drop))?;
    }
    if instances.is_empty() {
        within!(transaction, connection => {
            sqlx::query(FREE).bind(text(id)).execute(connection).await.map(drop)
        })?;
    }
    Ok(())
}
