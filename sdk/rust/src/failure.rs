//! A handler's error: what the client is told, and what only the log is.

use std::error::Error;
use std::fmt;

use http::StatusCode;

use crate::problem::chain;

/// Why a handler could not answer.
///
/// [`Failure::new`] is for what the client may know: it becomes a response of that status with
/// `{"error": message}`. Every other error turns into a `Failure` by `?`: it is written to the log, and
/// the client gets the host's 500, which tells nothing.
///
/// ```
/// use outboard_sdk::{Failure, StatusCode};
///
/// fn age(text: &str) -> Result<u8, Failure> {
///     text.parse().map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "age must be 0 to 255"))
/// }
///
/// fn config() -> Result<String, Failure> {
///     Ok(std::fs::read_to_string("/nowhere")?)
/// }
///
/// assert_eq!(age("old").unwrap_err().status(), StatusCode::BAD_REQUEST);
/// assert_eq!(config().unwrap_err().status(), StatusCode::INTERNAL_SERVER_ERROR);
/// ```
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
    is_public: bool,
}

impl Failure {
    /// The client gets `status` and, as JSON, `message`.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), is_public: true }
    }

    /// The client gets the host's 500; `message` goes to the log alone.
    pub fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, message: message.into(), is_public: false }
    }

    /// What the client gets.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn is_public(&self) -> bool {
        self.is_public
    }
}

// Not an `Error` itself: then the conversion below would meet the one of a type into itself.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.message)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::internal(chain(&error))
    }
}
