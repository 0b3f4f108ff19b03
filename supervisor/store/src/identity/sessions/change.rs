//! Changing sessions.

use sqlx::QueryBuilder;

use super::Sessions;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{on, within};

/// Sessions that are removed in one statement.
const MOST_PURGED: i64 = 1000;

impl Sessions<'_> {
    /// Makes another of the session's users the current one. False: that one is none of them.
    pub async fn select(self, hash: &str, account: &str) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE session_account SET is_current = (account = $2) WHERE session = $1
            AND EXISTS (SELECT 1 FROM session_account WHERE session = $1 AND account = $2)";
        let selected = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(hash))
            .bind(text(account))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("select the current user of a session", selected)
    }

    /// Signs one user out of a session. Who signed in last of the others is the current one then, if it was this one;
    /// without others the session is gone. False: nobody is left.
    pub async fn sign_out(self, hash: &str, account: &str) -> Result<bool, StoreError> {
        let signed_out = self.try_sign_out(hash, account).await;
        self.told("sign a user out", signed_out)
    }

    async fn try_sign_out(self, hash: &str, account: &str) -> Result<bool, sqlx::Error> {
        const OUT: &str = "DELETE FROM session_account WHERE session = $1 AND account = $2";
        const NEXT: &str = "
            UPDATE session_account SET is_current = TRUE
            WHERE session = $1
              AND account = (SELECT account FROM session_account WHERE session = $1
                             ORDER BY last_login_ms DESC, account LIMIT 1)
              AND NOT EXISTS (SELECT 1 FROM session_account WHERE session = $1 AND is_current = TRUE)";
        const END: &str = "
            DELETE FROM session WHERE hash = $1
            AND NOT EXISTS (SELECT 1 FROM session_account WHERE session = $1)";
        const LEFT: &str = "SELECT COUNT(*) FROM session WHERE hash = $1";
        let hash = text(hash);
        let mut transaction = self.store.pools.begin().await?;
        let left: i64 = within!(&mut transaction, connection => {
            let out = sqlx::query(OUT).bind(&*hash).bind(text(account));
            out.execute(&mut *connection).await?;
            sqlx::query(NEXT).bind(&*hash).execute(&mut *connection).await?;
            sqlx::query(END).bind(&*hash).execute(&mut *connection).await?;
            sqlx::query_scalar(LEFT).bind(&*hash).fetch_one(connection).await?
        });
        transaction.commit().await?;
        Ok(left > 0)
    }

    /// Ends a session, for all of its users. False: there was none.
    pub async fn end(self, hash: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM session WHERE hash = $1";
        let ended = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(hash))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("end a session", ended)
    }

    /// Signs a user out everywhere, but for one session. Gives of how many.
    pub async fn end_all_of(
        self,
        account: &str,
        except: Option<&str>,
    ) -> Result<usize, StoreError> {
        const SQL: &str = "SELECT session FROM session_account WHERE account = $1 AND session <> COALESCE($2, '')";
        let sessions: Result<Vec<String>, _> = on!(&self.store.pools, pool => sqlx::query_scalar(SQL)
            .bind(text(account))
            .bind(except.map(text))
            .fetch_all(pool)
            .await);
        let sessions = self.told("look for the sessions of a user", sessions)?;
        for hash in &sessions {
            self.sign_out(hash, account).await?;
        }
        Ok(sessions.len())
    }

    /// Counts one use of each of these proofs; `None`: the password.
    pub async fn count_use(
        self,
        hash: &str,
        account: &str,
        schemes: &[Option<&str>],
    ) -> Result<(), StoreError> {
        if schemes.is_empty() {
            return Ok(());
        }
        let counted = on!(&self.store.pools, pool => {
            let mut query =
                QueryBuilder::new("UPDATE authentication SET uses = uses + 1 WHERE session = ");
            query.push_bind(text(hash)).push(" AND account = ").push_bind(text(account));
            query.push(" AND enabled = TRUE AND scheme IN (");
            let mut list = query.separated(", ");
            for scheme in schemes {
                list.push_bind(text(scheme.unwrap_or_default()));
            }
            query.push(")");
            query.build().execute(pool).await.map(drop)
        });
        self.told("count a use of a session", counted)
    }

    /// What a user has proved by a scheme counts no more, in no session: it was registered anew, or not any more.
    pub async fn disable(self, account: &str, scheme: Option<&str>) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE authentication SET enabled = FALSE WHERE scheme = $2 AND \
                           session IN (SELECT session FROM session_account WHERE account = $1) AND account = $1";
        let disabled = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(account))
            .bind(text(scheme.unwrap_or_default()))
            .execute(pool)
            .await
            .map(drop));
        self.told("take a proof back", disabled)
    }

    /// Removes sessions that have ended. Gives how many; where they are many, more are left.
    pub async fn purge(self, now_ms: i64) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM session WHERE hash IN \
                           (SELECT hash FROM session WHERE expires_ms <= $1 LIMIT $2)";
        let purged = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(now_ms)
            .bind(MOST_PURGED)
            .execute(pool)
            .await
            .map(|done| done.rows_affected()));
        self.told("remove sessions that have ended", purged)
    }
}
