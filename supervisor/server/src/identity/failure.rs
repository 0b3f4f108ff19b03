//! Why something about people was not done.

use std::time::Duration;

use outboard_store::StoreError;
use outboard_store::identity::IdentityError;

/// What became of a question or a change. None of it tells a secret, so that it may be shown to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("there is no such thing")]
    NotFound,
    /// A password is wrong, somebody is disabled, or nobody is signed in: which of these is not told.
    #[error("refused")]
    Unauthorized,
    /// What is wrong, a line each, each beginning with the name of a field.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error("{0}")]
    ReadOnly(String),
    #[error("{0}")]
    Conflict(String),
    #[error("too many attempts; try again in {} s", .retry_after.as_secs().max(1))]
    Limited { retry_after: Duration },
    #[error("{0}")]
    Unavailable(String),
}

/// The log is told what the matter is; whoever asked can't do anything about it.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database could not be asked about people");
        Self::Unavailable(
            "the database can't be asked at the moment; see the supervisor's log".into(),
        )
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::NotFound { .. } => Self::NotFound,
            IdentityError::Store(error) => error.into(),
            taken => Self::Conflict(taken.to_string()),
        }
    }
}

impl Failure {
    /// One thing that is wrong.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(vec![what.into()])
    }

    /// Fails if anything is wrong.
    pub fn if_any(faults: Vec<String>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self::Invalid(faults)) }
    }
}
