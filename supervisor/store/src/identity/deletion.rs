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
/// With nobody to wait for, the name is free at once.
const FREE: &str = "DELETE FROM account WHERE id = $1";

impl Accounts<'_> {
    /// Deletes a user of whatever source, with password, sessions and consents, and notes which instances are to
    /// be told: all of it, or nothing. `instances`: those that serve, or are about to. Gives those of them that may know
    /// of users: the name is free again when these have been told. The others that may are told when they come back.
    /// `None`: there is no such user, or not any more.
    pub async fn delete(
        self,
        id: &str,
        instances: &[String],
        now_ms: i64,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let deleted = self.try_delete(id, instances, now_ms).await;
        self.told("delete the user", deleted)
    }

    async fn try_delete(
        self,
        id: &str,
        instances: &[String],
        now_ms: i64,
    ) -> Result<Option<Vec<String>>, sqlx::Error> {
        const NEXT: &str = "UPDATE deletion_log SET seq = seq + 1 WHERE id = 1 RETURNING seq";
        const MARK: &str =
            "UPDATE account SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL";
        let mut transaction = self.store.pools.begin().await?;
        let (seq, marked) = within!(&mut transaction, connection => {
            let seq: i64 = sqlx::query_scalar(NEXT).fetch_one(&mut *connection).await?;
            let mark = sqlx::query(MARK).bind(text(id)).bind(now_ms);
            (seq, mark.execute(connection).await?.rows_affected())
        });
        if marked == 0 {
            return Ok(None);
        }
        let holding = note(&mut transaction, id, seq, instances, now_ms).await?;
        for sql in GONE.iter().copied().chain(holding.is_empty().then_some(FREE)) {
            within!(&mut transaction, connection => {
                sqlx::query(sql).bind(text(id)).execute(connection).await.map(drop)
            })?;
        }
        transaction.commit().await?;
        Ok(Some(holding))
    }
}

/// Notes who is to be told, and gives those of `instances`. An instance that has never begun knows nobody.
async fn note(
    transaction: &mut Transaction,
    id: &str,
    seq: i64,
    instances: &[String],
    now_ms: i64,
) -> Result<Vec<String>, sqlx::Error> {
    const NOTE: &str = "
        INSERT INTO revocation (account, instance, attempts, not_before_ms)
        SELECT $1, instance, 0, $3 FROM deletion_heard WHERE instance = $2
        ON CONFLICT (account, instance) DO NOTHING";
    const HEARD: &str = "UPDATE deletion_heard SET seq = $2 WHERE instance = $1";
    const MISSED: &str = "
        INSERT INTO deletion (seq, account, username, deleted_ms)
        SELECT $2, id, username, deleted_ms FROM account
        WHERE id = $1 AND EXISTS (SELECT 1 FROM deletion_heard WHERE seq < $2)";
    let mut holding = Vec::new();
    within!(transaction, connection => {
        for instance in instances {
            let note = sqlx::query(NOTE).bind(text(id)).bind(text(instance)).bind(now_ms);
            if note.execute(&mut *connection).await?.rows_affected() > 0 {
                holding.push(instance.clone());
            }
            let heard = sqlx::query(HEARD).bind(text(instance)).bind(seq);
            heard.execute(&mut *connection).await?;
        }
        sqlx::query(MISSED).bind(text(id)).bind(seq).execute(connection).await.map(drop)
    })?;
    Ok(holding)
}
