//! What an author implements to tell the host who people are.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use outboard_proto::plugin::v1;

use crate::plugin::Plugin;

/// What the host keeps of a message.
const LONGEST_MESSAGE: usize = 1024;

/// A plugin whose instances know people. Its manifest has `authenticate = true`, and its `main` calls
/// [`Server::authenticator`](crate::Server::authenticator).
///
/// The host lets nobody in whom no plugin vouches for: an error, a panic and silence (after 5 s, `auth.timeout`)
/// are no answer. It remembers answers for a minute (`auth.cache_ttl`).
pub trait Authenticator: Plugin {
    /// Tells whose token that is. The host refuses a user of another e-mail than the claimed one, and one that is
    /// not active.
    ///
    /// # Errors
    ///
    /// [`AuthError::refuse`] if it is nobody's or the wrong one's; [`AuthError::unavailable`] if that can't be
    /// told now.
    fn authenticate(
        &self,
        instance: Arc<Self::Instance>,
        credentials: Credentials,
    ) -> impl Future<Output = Result<User, AuthError>> + Send;

    /// Tells whether a user may do what needs these groups. Default: the host compares the groups itself.
    ///
    /// # Errors
    ///
    /// [`AuthError::unavailable`] if that can't be told now; a refusal counts as [`Permission::Denied`].
    fn authorize(
        &self,
        _instance: Arc<Self::Instance>,
        _user: User,
        _needed: Needed,
    ) -> impl Future<Output = Result<Permission, AuthError>> + Send {
        ready(Ok(Permission::ByGroups))
    }
}

/// What a client says of itself. Printed, it does not show the token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// Who the client claims to be. Never empty; at most 320 bytes.
    pub email: String,
    /// What should prove it. Never empty; at most 8192 bytes. Not to be logged.
    pub token: String,
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// For people. Limit: 256 characters.
    pub name: String,
    /// The claimed one; the host compares them without regard to ASCII case. Limit: 320 bytes.
    pub email: String,
    /// False: known, but not let in.
    pub active: bool,
    /// Names of groups, compared byte by byte. Limits: 1000 of them, 255 bytes each.
    pub groups: Vec<String>,
}

/// What a user needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needed {
    /// None: any active user will do.
    pub groups: Vec<String>,
    /// How many of them.
    pub matched: GroupMatch,
}

/// How many of the needed groups a user must be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupMatch {
    /// Each of them.
    All,
    /// At least one.
    Any,
}

/// Whether a user may do it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// It may.
    Allowed,
    /// It may not. Why, for an operator; limit: 1024 characters, the rest is cut.
    Denied(String),
    /// The host compares the user's groups with the needed ones.
    ByGroups,
}

/// Kinds of refusals. Clients are told only that they are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The token is wrong, or no longer valid.
    Token,
    /// Nobody has this e-mail. In a chain of plugins the next one is asked.
    User,
    /// The token is somebody else's.
    Owner,
    /// The user is known, but not active.
    Inactive,
}

/// Why there is no user. The message is for an operator, without the token; limit: 1024 characters, the rest is
/// cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthError {
    /// `None`: it can't be told.
    refusal: Option<RefusalReason>,
    message: String,
}

impl AuthError {
    /// They are not who they say they are.
    pub fn refuse(reason: RefusalReason, message: impl Into<String>) -> Self {
        Self { refusal: Some(reason), message: message.into() }
    }

    /// It can't be told now, such as when a directory does not answer. Clients learn that it is not their fault.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { refusal: None, message: message.into() }
    }

    /// The kind of refusal, if it is one.
    pub fn refusal(&self) -> Option<RefusalReason> {
        self.refusal
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message as the host takes it.
    pub(crate) fn short_message(&self) -> String {
        cut(&self.message)
    }
}

/// As much of it as the host takes.
pub(crate) fn cut(message: &str) -> String {
    message.chars().take(LONGEST_MESSAGE).collect()
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuthError {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("email", &self.email).finish_non_exhaustive()
    }
}

impl User {
    pub(crate) fn from_proto(user: v1::UserDetail) -> Self {
        let v1::UserDetail { name, email, active, groups } = user;
        Self { name, email, active, groups }
    }

    pub(crate) fn into_proto(self) -> v1::UserDetail {
        let Self { name, email, active, groups } = self;
        v1::UserDetail { name, email, active, groups }
    }
}

impl GroupMatch {
    /// One that this version does not know must not let more in.
    pub(crate) fn from_proto(matched: v1::GroupMatch) -> Self {
        match matched {
            v1::GroupMatch::Any => Self::Any,
            v1::GroupMatch::Unspecified | v1::GroupMatch::All => Self::All,
        }
    }
}

impl RefusalReason {
    pub(crate) fn into_proto(self) -> v1::RefusalReason {
        match self {
            Self::Token => v1::RefusalReason::Token,
            Self::User => v1::RefusalReason::User,
            Self::Owner => v1::RefusalReason::Owner,
            Self::Inactive => v1::RefusalReason::Inactive,
        }
    }
}
