//! Why the host did not do what it was asked.

use thiserror::Error;
use tonic::{Code, Status};

/// A call to the host that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct HostError {
    kind: HostErrorKind,
    message: String,
    problems: Vec<String>,
}

/// What to make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostErrorKind {
    /// Nothing answers: the host is going away, or this process was not started by Outboard.
    Unreachable,
    /// This process has closed the activation.
    Closed,
    /// The operator has not granted this, and the message names the manifest line to add; or the host has
    /// closed the activation.
    Denied,
    /// The host says no: nobody is signed in, or the password is wrong.
    Refused,
    /// What keeps it can't be written.
    ReadOnly,
    /// The arguments are wrong.
    Invalid,
    /// It is there already.
    Exists,
    /// It is not there.
    NotFound,
    /// It is not, or no longer, as the caller said it must be.
    Conflict,
    /// A limit is reached.
    Limit,
    /// The time for it is up, or the call was given up.
    Deadline,
    /// This host has no such call; it is older.
    Unsupported,
    /// The host failed.
    Failed,
}

impl HostError {
    pub(crate) fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), problems: Vec::new() }
    }

    pub(crate) fn with_problems(self, problems: Vec<String>) -> Self {
        Self { problems, ..self }
    }

    /// What is wrong with the arguments, a line each; where they are about fields, each begins with the field's name.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What to make of it.
    pub fn kind(&self) -> HostErrorKind {
        self.kind
    }

    /// What happened, in the host's words where it answered.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<Status> for HostError {
    fn from(status: Status) -> Self {
        let kind = match status.code() {
            Code::Unavailable => HostErrorKind::Unreachable,
            Code::PermissionDenied | Code::Unauthenticated => HostErrorKind::Denied,
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
                HostErrorKind::Invalid
            }
            Code::AlreadyExists => HostErrorKind::Exists,
            Code::NotFound => HostErrorKind::NotFound,
            Code::ResourceExhausted => HostErrorKind::Limit,
            Code::DeadlineExceeded | Code::Cancelled => HostErrorKind::Deadline,
            Code::Unimplemented => HostErrorKind::Unsupported,
            Code::Ok | Code::Unknown | Code::Aborted | Code::Internal | Code::DataLoss => {
                HostErrorKind::Failed
            }
        };
        Self::new(kind, format!("the host answered {:?}: {}", status.code(), status.message()))
    }
}
