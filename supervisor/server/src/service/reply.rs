//! What callers over HTTP are told: `{"error": "…"}` for whatever goes wrong.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::auth::Failure;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that says why not.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    status: StatusCode,
    message: String,
    /// Few, and boxed: most answers are good ones.
    headers: Box<HeaderMap>,
}

impl Refused {
    /// `status` is one of HTTP's errors.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, message: message.into(), headers: Box::default() }
    }

    #[must_use]
    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.headers.insert(RETRY_AFTER, seconds(wait));
        self
    }

    #[must_use]
    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.headers.insert(ALLOW, HeaderValue::from_static(methods));
        self
    }

    #[must_use]
    pub(super) fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.headers.insert(WWW_AUTHENTICATE, challenge);
        self
    }

    /// The same without a body.
    pub(super) fn silent(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(*self.headers);
        response
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &serde_json::json!({ "error": self.message }));
        response.headers_mut().extend(*self.headers);
        response
    }
}

impl From<Failure> for Refused {
    /// Why somebody is refused is not told: it would help whoever guesses.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(_) => Self::new(401, "this e-mail with this token is refused"),
            Failure::Unavailable(unavailable) => {
                Self::new(503, unavailable.to_string()).retry_after(unavailable.retry_after)
            }
        }
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("what we answer has only texts as keys");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Whole seconds, and never none: who comes back at once comes too early.
pub(super) fn seconds(wait: Duration) -> HeaderValue {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_cut_short() {
        let check = |ms: u64, expected: &str| {
            assert_eq!(seconds(Duration::from_millis(ms)), expected);
        };
        check(0, "1");
        check(1000, "1");
        check(1001, "2");
    }
}
