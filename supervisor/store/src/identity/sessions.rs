//! Sessions: who is signed in by which cookie, and by what they have proved it.

mod change;
mod check;
mod find;
mod sign_in;

use outboard_core::identity::authentication::Authentication;
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::User;

use super::handle::handle;

handle! {
    /// The sessions of a [`Store`](crate::Store).
    Sessions
}

/// What a cookie stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of the cookie, in hex.
    pub hash: String,
    pub created_ms: i64,
    pub last_seen_ms: i64,
    pub expires_ms: i64,
    pub user_agent: String,
    /// From where it was begun.
    pub issued_for: String,
    /// At least one, who signed in last first.
    pub users: Vec<SessionUser>,
}

/// A user who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUser {
    pub account: String,
    pub source: String,
    pub name_key: String,
    pub username: String,
    /// At most one of a session is.
    pub is_current: bool,
    pub last_login_ms: i64,
    /// Those that are enabled, by scheme; the password first.
    pub authentications: Vec<Authentication>,
}

/// A session, and what is known of what it is asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedSession {
    pub session: Session,
    /// The current user, if the database keeps that one.
    pub user: Option<User>,
    /// Of those that were named the ones that there are, by name.
    pub scopes: Vec<Scope>,
}

impl Session {
    pub fn current(&self) -> Option<&SessionUser> {
        self.users.iter().find(|user| user.is_current)
    }
}

/// Somebody has proved who they are.
#[derive(Clone, Copy)]
pub struct SignIn<'a> {
    /// Of the cookie that counts from now on.
    pub hash: &'a str,
    /// Of the cookie that came with it: its session goes on, and that cookie is worth nothing any more, unless it
    /// is the same.
    pub previous: Option<&'a str>,
    pub account: &'a str,
    /// `None`: the password.
    pub scheme: Option<&'a str>,
    pub now_ms: i64,
    /// When the session ends.
    pub session_expires_ms: i64,
    /// Until when this counts. `None`: as long as the session.
    pub expires_ms: Option<i64>,
    pub user_agent: &'a str,
    pub issued_for: &'a str,
    /// Whoever else is signed in by the same cookie is signed out.
    pub alone: bool,
}
