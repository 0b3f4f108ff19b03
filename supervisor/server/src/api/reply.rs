//! What is answered: as Glewlwyd's clients know it, whose errors are arrays of messages or nothing at all.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::app::LiveError;
use crate::identity::Failure;

pub(super) type Answer = Result<Response, Refused>;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Refused {
    /// What was sent is no JSON.
    NoJson,
    /// What was sent is wrong; a line each.
    Invalid(Vec<String>),
    /// There is one of that name.
    Duplicate(String),
    /// Nobody is known here, or not well enough.
    Unauthorized,
    Forbidden(String),
    NotFound,
    /// Somebody else has changed it meanwhile.
    Conflict(String),
    TooLarge(String),
    Limited(Duration),
    /// It is nobody's mistake who asks.
    Failed(String),
    Unavailable(String),
}

impl Refused {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(vec![message.into()])
    }

    /// The same, where the name is the only thing that others may have changed.
    #[must_use]
    pub(super) fn of_a_new_one(self) -> Self {
        match self {
            Self::Conflict(message) => Self::Duplicate(message),
            other => other,
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound => Self::NotFound,
            Failure::Unauthorized => Self::Unauthorized,
            Failure::Invalid(errors) => Self::Invalid(errors),
            Failure::ReadOnly(message) => Self::Invalid(vec![message]),
            Failure::Conflict(message) => Self::Conflict(message),
            Failure::Limited { retry_after } => Self::Limited(retry_after),
            Failure::Unavailable(message) => Self::Unavailable(message),
        }
    }
}

impl From<LiveError> for Refused {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::NotFound => Self::NotFound,
            LiveError::Refused(problems) => Self::Invalid(problems),
            LiveError::Failed(message) => Self::Failed(message),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NoJson => empty(StatusCode::BAD_REQUEST),
            Self::Invalid(errors) => json(StatusCode::BAD_REQUEST, &json!(errors)),
            Self::Duplicate(message) => {
                json(StatusCode::BAD_REQUEST, &json!({ "error": [message] }))
            }
            Self::Unauthorized => empty(StatusCode::UNAUTHORIZED),
            Self::NotFound => empty(StatusCode::NOT_FOUND),
            Self::Forbidden(message) => json(StatusCode::FORBIDDEN, &json!([message])),
            Self::Conflict(message) => json(StatusCode::CONFLICT, &json!([message])),
            Self::TooLarge(message) => json(StatusCode::PAYLOAD_TOO_LARGE, &json!([message])),
            Self::Limited(wait) => {
                let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(RETRY_AFTER, seconds(wait));
                response
            }
            Self::Failed(message) => failed(StatusCode::INTERNAL_SERVER_ERROR, &message),
            Self::Unavailable(message) => failed(StatusCode::SERVICE_UNAVAILABLE, &message),
        }
    }
}

/// What went wrong is for the operator's eyes.
fn failed(status: StatusCode, message: &str) -> Response {
    tracing::error!(message, "a request to the HTTP API could not be answered");
    empty(status)
}

/// Done, and nothing more to say.
pub(super) fn done() -> Response {
    empty(StatusCode::OK)
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// What was asked for.
pub(super) fn found(value: &Value) -> Response {
    json(StatusCode::OK, value)
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Whole seconds, and never none: who comes back at once comes too early.
fn seconds(wait: Duration) -> HeaderValue {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(whole.max(1))
}
