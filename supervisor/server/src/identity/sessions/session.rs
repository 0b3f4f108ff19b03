//! A session as it was found: whoever holds one does not hold its cookie.

use outboard_core::identity::authentication::Authentication;
use outboard_core::identity::name::UserName;
use outboard_core::identity::user::UserId;
use outboard_store::identity::{Session as Row, SessionUser};

use crate::identity::token::digest_of;

/// What one browser's cookie stands for.
#[derive(Clone, Debug)]
pub struct Session(Row);

impl Session {
    pub(in crate::identity) fn new(row: Row) -> Self {
        Self(row)
    }

    /// The digest of its cookie: a name for the session that opens nothing.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    pub fn created_ms(&self) -> i64 {
        self.0.created_ms
    }

    pub fn last_seen_ms(&self) -> i64 {
        self.0.last_seen_ms
    }

    pub fn expires_ms(&self) -> i64 {
        self.0.expires_ms
    }

    /// What the client called itself when it signed in last.
    pub fn user_agent(&self) -> &str {
        &self.0.user_agent
    }

    /// From where.
    pub fn issued_for(&self) -> &str {
        &self.0.issued_for
    }

    /// Who is signed in, the newest first.
    pub fn users(&self) -> impl Iterator<Item = &SessionUser> {
        self.0.users.iter()
    }

    /// Whom requests are from.
    pub fn current(&self) -> Option<&SessionUser> {
        self.0.current()
    }

    /// Whether a user is signed in.
    pub fn has(&self, user: &UserId) -> bool {
        self.0.users.iter().any(|it| it.account == user.as_str())
    }

    /// One of its users, however the name is written.
    pub fn user_named(&self, name: &str) -> Option<&SessionUser> {
        let name = UserName::new(name).ok()?;
        self.0.users.iter().find(|user| user.name_key == name.key())
    }

    /// What one of its users has proved in it.
    pub fn authentications_of(&self, user: &UserId) -> &[Authentication] {
        let of_user = self.0.users.iter().find(|it| it.account == user.as_str());
        of_user.map_or(&[], |user| &user.authentications)
    }

    /// What plugins may know it by, in steps of one user: good for nothing else, and not the same for two users.
    pub(in crate::identity) fn label(&self, user: &UserId) -> String {
        let mut label = digest_of(&format!("steps of {} in {}", user.as_str(), self.0.hash));
        label.truncate(32);
        label
    }
}
