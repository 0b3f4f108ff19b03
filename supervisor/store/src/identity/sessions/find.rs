//! Looking for sessions: one statement each, since every request with a cookie asks.

use outboard_core::identity::authentication::Authentication;
use sqlx::FromRow;

use super::{Session, SessionUser, Sessions};
use crate::error::StoreError;
use crate::identity::handle::count;
use crate::outbox::rows::text;
use crate::pools::on;

/// What is read of a session.
macro_rules! columns {
    () => {
        "hash, session.created_ms, last_seen_ms, session.expires_ms, user_agent, issued_for, \
         account.id AS account, source, name_key, username, is_current, \
         session_account.last_login_ms AS signed_in_ms, scheme, \
         authentication.last_login_ms AS proved_ms, authentication.expires_ms AS counts_until_ms, uses"
    };
}

/// A row for each authentication, and one for each user without.
macro_rules! joins {
    () => {
        " JOIN session_account ON session_account.session = hash \
         JOIN account ON account.id = session_account.account AND deleted_ms IS NULL \
         LEFT JOIN authentication ON authentication.session = hash \
         AND authentication.account = session_account.account AND authentication.enabled = TRUE"
    };
}

/// Rows of one session and user come one after the other.
macro_rules! order {
    () => {
        " ORDER BY session.last_seen_ms DESC, hash, session_account.last_login_ms DESC, account.id, scheme"
    };
}

macro_rules! select_sessions {
    ($from:literal) => {
        concat!("SELECT ", columns!(), " FROM ", $from, joins!(), order!())
    };
}

pub(super) use {columns, joins, order};

#[derive(FromRow)]
pub(super) struct Row {
    hash: String,
    created_ms: i64,
    last_seen_ms: i64,
    expires_ms: i64,
    user_agent: String,
    issued_for: String,
    account: String,
    source: String,
    name_key: String,
    username: String,
    is_current: bool,
    signed_in_ms: i64,
    scheme: Option<String>,
    proved_ms: Option<i64>,
    counts_until_ms: Option<i64>,
    uses: Option<i64>,
}

impl Sessions<'_> {
    /// What the cookie with this hash stands for now, if anything.
    pub async fn find(self, hash: &str, now_ms: i64) -> Result<Option<Session>, StoreError> {
        const SQL: &str = select_sessions!(
            "(SELECT * FROM session WHERE hash = $1 AND expires_ms > $2) AS session"
        );
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(hash))
            .bind(now_ms)
            .fetch_all(pool)
            .await);
        Ok(gather(self.told("look for the session", rows)?).pop())
    }

    /// The sessions that a user is signed in by, those seen last first. Others who are signed in by the same are left
    /// out.
    pub async fn list_of(self, account: &str, now_ms: i64) -> Result<Vec<Session>, StoreError> {
        const SQL: &str = select_sessions!(
            "(SELECT * FROM session WHERE expires_ms > $2 AND hash IN \
             (SELECT session FROM session_account WHERE account = $1)) AS session"
        );
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(account))
            .bind(now_ms)
            .fetch_all(pool)
            .await);
        let mut sessions = gather(self.told("list the sessions of a user", rows)?);
        for session in &mut sessions {
            session.users.retain(|user| user.account == account);
        }
        Ok(sessions)
    }
}

/// Of rows in [`order`]. One that is there several times, beside something else, counts once.
pub(super) fn gather(rows: impl IntoIterator<Item = Row>) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for mut row in rows {
        let proof = row.authentication();
        if sessions.last().is_none_or(|session| session.hash != row.hash) {
            sessions.push(row.session());
        }
        let Some(session) = sessions.last_mut() else { continue };
        if session.users.last().is_none_or(|user| user.account != row.account) {
            session.users.push(row.user());
        }
        let Some(user) = session.users.last_mut() else { continue };
        let last = user.authentications.last();
        if let Some(proof) = proof.filter(|new| last.is_none_or(|it| it.scheme != new.scheme)) {
            user.authentications.push(proof);
        }
    }
    sessions
}

impl Row {
    fn session(&mut self) -> Session {
        Session {
            hash: self.hash.clone(),
            created_ms: self.created_ms,
            last_seen_ms: self.last_seen_ms,
            expires_ms: self.expires_ms,
            user_agent: std::mem::take(&mut self.user_agent),
            issued_for: std::mem::take(&mut self.issued_for),
            users: Vec::new(),
        }
    }

    fn user(self) -> SessionUser {
        SessionUser {
            account: self.account,
            source: self.source,
            name_key: self.name_key,
            username: self.username,
            is_current: self.is_current,
            last_login_ms: self.signed_in_ms,
            authentications: Vec::new(),
        }
    }

    fn authentication(&mut self) -> Option<Authentication> {
        Some(Authentication {
            scheme: self.scheme.take().map(|scheme| Some(scheme).filter(|it| !it.is_empty()))?,
            last_login_ms: self.proved_ms?,
            expires_ms: self.counts_until_ms,
            uses: count(self.uses?),
        })
    }
}
