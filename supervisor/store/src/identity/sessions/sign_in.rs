//! Writing down that somebody has proved who they are.
//!
//! A log-in waits for this, so all of it is one call: one statement for PostgreSQL, several in one text for SQLite. Each
//! of them is about the account only where it is there and not deleted, which holds until the end of the transaction:
//! PostgreSQL locks its row, and where SQLite writes nobody else does. So a deletion that comes meanwhile comes before or
//! after.

use super::{Sessions, SignIn};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{Pools, Transaction, within};

/// Of whoever signs in.
macro_rules! account {
    () => {
        "SELECT id FROM account WHERE id = $1 AND deleted_ms IS NULL"
    };
}

/// What a statement for PostgreSQL begins with.
macro_rules! locked {
    () => {
        concat!("WITH held AS (", account!(), " FOR SHARE)")
    };
}

/// What a statement for SQLite begins with.
macro_rules! held {
    () => {
        concat!("WITH held AS (", account!(), ") ")
    };
}

/// The session goes on under its new cookie.
macro_rules! go_on {
    () => {
        "UPDATE session
         SET hash = $2, last_seen_ms = $4, expires_ms = $5, user_agent = $6, issued_for = $7
         WHERE hash = $3 AND expires_ms > $4 AND EXISTS (SELECT 1 FROM held)"
    };
}

/// There is a session, unless one goes on.
macro_rules! open {
    () => {
        "INSERT INTO session (hash, created_ms, last_seen_ms, expires_ms, user_agent, issued_for)
         SELECT $2, $4, $4, $5, $7, $8 FROM held WHERE TRUE
         ON CONFLICT (hash) DO NOTHING"
    };
}

/// The others are signed out, where one is to be alone.
macro_rules! send_out {
    () => {
        "DELETE FROM session_account
         WHERE $9 AND session = $2 AND account <> $1 AND EXISTS (SELECT 1 FROM held)"
    };
}

/// Else they stay, but none of them is the current one.
macro_rules! step_back {
    () => {
        "UPDATE session_account SET is_current = FALSE
         WHERE NOT $9 AND session = $2 AND account <> $1 AND EXISTS (SELECT 1 FROM held)"
    };
}

macro_rules! enter {
    () => {
        "INSERT INTO session_account (session, account, is_current, last_login_ms)
         SELECT $2, id, TRUE, $4 FROM held WHERE TRUE
         ON CONFLICT (session, account) DO UPDATE
         SET is_current = TRUE, last_login_ms = excluded.last_login_ms"
    };
}

/// Takes the place of an earlier proof of the same sort.
macro_rules! prove {
    () => {
        "INSERT INTO authentication (session, account, scheme, last_login_ms, expires_ms, uses, enabled)
         SELECT $2, id, $3, $4, $6, 0, TRUE FROM held WHERE TRUE
         ON CONFLICT (session, account, scheme) DO UPDATE
         SET last_login_ms = excluded.last_login_ms, expires_ms = excluded.expires_ms, uses = 0,
             enabled = TRUE"
    };
}

/// Only of users that the database keeps.
macro_rules! note {
    () => {
        "UPDATE user_detail SET last_login_ms = $4
         WHERE account = $1 AND EXISTS (SELECT 1 FROM held)"
    };
}

/// What both databases are told, each in its words. All of it answers with whether there is such an account.
struct Words {
    go_on: &'static str,
    enter: &'static str,
}

const POSTGRES: Words = Words {
    go_on: concat!(locked!(), " ", go_on!()),
    enter: concat!(
        locked!(),
        ", opened AS (",
        open!(),
        "), sent_out AS (",
        send_out!(),
        "), stepped_back AS (",
        step_back!(),
        "), entered AS (",
        enter!(),
        "), proved AS (",
        prove!(),
        "), noted AS (",
        note!(),
        ") SELECT COUNT(*) FROM held"
    ),
};

const SQLITE: Words = Words {
    go_on: concat!(held!(), go_on!()),
    enter: concat!(
        held!(),
        open!(),
        ";",
        held!(),
        send_out!(),
        ";",
        held!(),
        step_back!(),
        ";",
        held!(),
        enter!(),
        ";",
        held!(),
        prove!(),
        ";",
        held!(),
        note!(),
        ";",
        held!(),
        "SELECT COUNT(*) FROM held"
    ),
};

/// All rows are asked for, so that SQLite gets to the last of its statements.
macro_rules! enter_on {
    ($sql:expr, $sign_in:expr, $connection:expr) => {
        sqlx::query_scalar::<_, i64>($sql)
            .bind(text($sign_in.account))
            .bind(text($sign_in.hash))
            .bind(text($sign_in.scheme.unwrap_or_default()))
            .bind($sign_in.now_ms)
            .bind($sign_in.session_expires_ms)
            .bind($sign_in.expires_ms)
            .bind(text($sign_in.user_agent))
            .bind(text($sign_in.issued_for))
            .bind($sign_in.alone)
            .fetch_all($connection)
            .await
            .map(|held| held.into_iter().any(|count| count > 0))
    };
}

impl Sessions<'_> {
    /// Writes down that somebody has proved who they are. Whoever it is is the session's current user from now on.
    /// False: there is no such account, or not any more, or the cookie was to stay and its session has ended; and
    /// nothing was written.
    pub async fn sign_in(self, sign_in: &SignIn<'_>) -> Result<bool, StoreError> {
        let signed_in = match (&self.store.pools, sign_in.previous) {
            // One statement counts as a whole or not at all.
            (Pools::Postgres(pool), None) => enter_on!(POSTGRES.enter, sign_in, pool),
            _ => self.try_sign_in(sign_in).await,
        };
        self.told("sign a user in", signed_in)
    }

    async fn try_sign_in(self, sign_in: &SignIn<'_>) -> Result<bool, sqlx::Error> {
        let mut transaction = self.store.pools.begin().await?;
        let words = match &transaction {
            Transaction::Sqlite(_) => SQLITE,
            Transaction::Postgres(_) => POSTGRES,
        };
        if let Some(previous) = sign_in.previous {
            let goes_on = go_on(&mut transaction, words.go_on, sign_in, previous).await?;
            if !goes_on && previous == sign_in.hash {
                return Ok(false);
            }
        }
        let signed_in = within!(&mut transaction, connection => {
            enter_on!(words.enter, sign_in, connection)
        })?;
        if signed_in {
            transaction.commit().await?;
        }
        Ok(signed_in)
    }
}

/// A statement of its own: what cascades from it has come to its end before somebody enters.
async fn go_on(
    transaction: &mut Transaction,
    sql: &'static str,
    sign_in: &SignIn<'_>,
    previous: &str,
) -> Result<bool, sqlx::Error> {
    within!(transaction, connection => sqlx::query(sql)
        .bind(text(sign_in.account))
        .bind(text(sign_in.hash))
        .bind(text(previous))
        .bind(sign_in.now_ms)
        .bind(sign_in.session_expires_ms)
        .bind(text(sign_in.user_agent))
        .bind(text(sign_in.issued_for))
        .execute(connection)
        .await
        .map(|done| done.rows_affected() > 0))
}
