//! Changing sessions.

use sqlx::QueryBuilder;

use super::{Session, Sessions, SignIn};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{Transaction, on, within};

/// Sessions that are removed in one statement.
const MOST_PURGED: i64 = 1000;

impl Sessions<'_> {
    /// Writes down that somebody has proved who they are. Whoever it is is the session's current user from now on.
    /// False: there is no such account, or not any more, or the cookie was to stay and its session has ended; and
    /// nothing was written.
    pub async fn sign_in(self, sign_in: &SignIn<'_>) -> Result<bool, StoreError> {
        let signed_in = self.try_sign_in(sign_in).await;
        self.told("sign a user in", signed_in)
    }

    async fn try_sign_in(self, sign_in: &SignIn<'_>) -> Result<bool, sqlx::Error> {
        // A write, so that a deletion that comes meanwhile comes before or after.
        const HOLD: &str =
            "UPDATE account SET username = username WHERE id = $1 AND deleted_ms IS NULL";
        const LOGIN: &str = "UPDATE user_detail SET last_login_ms = $2 WHERE account = $1";
        let mut transaction = self.store.pools.begin().await?;
        let account = text(sign_in.account);
        let held = within!(&mut transaction, connection => {
            sqlx::query(HOLD).bind(&*account).execute(connection).await.map(|done| done.rows_affected())
        })?;
        if held == 0 {
            return Ok(false);
        }
        if !open(&mut transaction, sign_in).await? {
            return Ok(false);
        }
        enter(&mut transaction, sign_in).await?;
        prove(&mut transaction, sign_in).await?;
        within!(&mut transaction, connection => sqlx::query(LOGIN)
            .bind(&*account)
            .bind(sign_in.now_ms)
            .execute(connection)
            .await
            .map(drop))?;
        transaction.commit().await?;
        Ok(true)
    }

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

    /// The session was used just now, and ends later than was said before.
    pub async fn touch(
        self,
        session: &Session,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE session SET last_seen_ms = $2, expires_ms = $3 \
                           WHERE hash = $1 AND last_seen_ms <= $2";
        let touched = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(&session.hash))
            .bind(now_ms)
            .bind(expires_ms)
            .execute(pool)
            .await
            .map(drop));
        self.told("note that a session was used", touched)
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

/// The session goes on under its new cookie, or begins. False: it was to go on under the same one, and has ended.
async fn open(transaction: &mut Transaction, sign_in: &SignIn<'_>) -> Result<bool, sqlx::Error> {
    const GO_ON: &str = "
        UPDATE session SET hash = $2, last_seen_ms = $3, expires_ms = $4, user_agent = $5, issued_for = $6
        WHERE hash = $1 AND expires_ms > $3";
    const BEGIN: &str = "
        INSERT INTO session (hash, created_ms, last_seen_ms, expires_ms, user_agent, issued_for)
        VALUES ($1, $2, $2, $3, $4, $5)";
    if let Some(previous) = sign_in.previous {
        let went_on = within!(&mut *transaction, connection => sqlx::query(GO_ON)
            .bind(text(previous))
            .bind(text(sign_in.hash))
            .bind(sign_in.now_ms)
            .bind(sign_in.session_expires_ms)
            .bind(text(sign_in.user_agent))
            .bind(text(sign_in.issued_for))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if went_on > 0 || previous == sign_in.hash {
            return Ok(went_on > 0);
        }
    }
    within!(transaction, connection => sqlx::query(BEGIN)
        .bind(text(sign_in.hash))
        .bind(sign_in.now_ms)
        .bind(sign_in.session_expires_ms)
        .bind(text(sign_in.user_agent))
        .bind(text(sign_in.issued_for))
        .execute(connection)
        .await
        .map(|_| true))
}

/// The user is the session's current one.
async fn enter(transaction: &mut Transaction, sign_in: &SignIn<'_>) -> Result<(), sqlx::Error> {
    const ALONE: &str = "DELETE FROM session_account WHERE session = $1 AND account <> $2";
    const FIRST: &str =
        "UPDATE session_account SET is_current = FALSE WHERE session = $1 AND account <> $2";
    const ENTER: &str = "
        INSERT INTO session_account (session, account, is_current, last_login_ms)
        VALUES ($1, $2, TRUE, $3)
        ON CONFLICT (session, account) DO UPDATE
        SET is_current = TRUE, last_login_ms = excluded.last_login_ms";
    let others = if sign_in.alone { ALONE } else { FIRST };
    within!(&mut *transaction, connection => sqlx::query(others)
        .bind(text(sign_in.hash))
        .bind(text(sign_in.account))
        .execute(connection)
        .await
        .map(drop))?;
    within!(transaction, connection => sqlx::query(ENTER)
        .bind(text(sign_in.hash))
        .bind(text(sign_in.account))
        .bind(sign_in.now_ms)
        .execute(connection)
        .await
        .map(drop))
}

/// Takes the place of an earlier proof of the same sort.
async fn prove(transaction: &mut Transaction, sign_in: &SignIn<'_>) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        INSERT INTO authentication (session, account, scheme, last_login_ms, expires_ms, uses, enabled)
        VALUES ($1, $2, $3, $4, $5, 0, TRUE)
        ON CONFLICT (session, account, scheme) DO UPDATE
        SET last_login_ms = excluded.last_login_ms, expires_ms = excluded.expires_ms, uses = 0,
            enabled = TRUE";
    within!(transaction, connection => sqlx::query(SQL)
        .bind(text(sign_in.hash))
        .bind(text(sign_in.account))
        .bind(text(sign_in.scheme.unwrap_or_default()))
        .bind(sign_in.now_ms)
        .bind(sign_in.expires_ms)
        .execute(connection)
        .await
        .map(drop))
}
