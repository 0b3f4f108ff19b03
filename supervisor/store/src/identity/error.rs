//! Why a change was not made.

use std::fmt;

use crate::error::StoreError;

/// What kind of thing was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    User,
    Client,
    Scope,
    ApiKey,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Scope => "scope",
            Self::ApiKey => "API key",
        })
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("there is a {thing} {name:?} already; choose another name, or change that one")]
    AlreadyExists { thing: Thing, name: String },
    #[error(
        "the name {name:?} is that of a user who was deleted, and not all instances have been told yet; \
         choose another name, wait for them, or free it by force"
    )]
    Held { name: String },
    #[error("there is no {thing} {name:?}; add it first")]
    NotFound { thing: Thing, name: String },
    #[error(
        "{thing} {name:?} was changed meanwhile (revision {found}, expected {expected}); \
         read it again and repeat the change"
    )]
    Changed { thing: Thing, name: String, expected: i64, found: i64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}
