//! How a step of a chain ends.

use bytes::Bytes;
use http::StatusCode;
use outboard_proto::plugin::v1;

use crate::failure::Failure;
use crate::response::Response;

/// What a handler decides.
///
/// A request runs through all endpoints of its instance that match, by priority; most handlers answer
/// with a [`Response`], which completes the chain. A filter says [`Outcome::proceed`] or
/// [`Outcome::refuse`].
///
/// All of them have the same body: who reads it whole leaves it to the others, and who takes it as a stream
/// takes it from them; see [`Request::take_body`](crate::Request::take_body). What they answer is one
/// response that grows: [`Request::response_so_far`](crate::Request::response_so_far).
///
/// ```
/// use outboard_sdk::{Outcome, Request, Response};
///
/// async fn only_with_token(_: std::sync::Arc<()>, request: Request) -> Outcome {
///     match request.header("x-token") {
///         Some("open sesame") => Outcome::proceed().context("ali"),
///         _ => Outcome::refuse(),
///     }
/// }
///
/// async fn treasure(_: std::sync::Arc<()>, request: Request) -> Response {
///     Response::text(format!("gold for {:?}", request.context()))
/// }
/// ```
#[derive(Debug)]
pub struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) response: Option<Response>,
    pub(crate) context: Option<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Complete,
    Proceed,
    Refuse,
    Fail,
}

impl Outcome {
    /// Sends the response; no further endpoint runs.
    pub fn complete(response: Response) -> Self {
        Self::of(Verdict::Complete).response(response)
    }

    /// Runs the next endpoint that matches. After the last one the response so far is sent, or 404 if
    /// nothing but filters matched.
    pub fn proceed() -> Self {
        Self::of(Verdict::Proceed)
    }

    /// Sends the response so far with status 401.
    pub fn refuse() -> Self {
        Self::of(Verdict::Refuse)
    }

    /// Sends the host's 500.
    pub fn fail() -> Self {
        Self::of(Verdict::Fail)
    }

    fn of(verdict: Verdict) -> Self {
        Self { verdict, response: None, context: None }
    }

    /// Replaces the response so far, body included. Default: it stays as it is.
    #[must_use]
    pub fn response(mut self, response: Response) -> Self {
        self.response = Some(response);
        self
    }

    /// Hands bytes to the next endpoint of the chain, see
    /// [`Request::context`](crate::Request::context). Default: what came is handed on; limit: 64 KiB.
    #[must_use]
    pub fn context(mut self, context: impl Into<Bytes>) -> Self {
        self.context = Some(context.into());
        self
    }
}

impl Verdict {
    pub(crate) fn into_proto(self) -> v1::Outcome {
        match self {
            Self::Complete => v1::Outcome::Complete,
            Self::Proceed => v1::Outcome::Continue,
            Self::Refuse => v1::Outcome::Refuse,
            Self::Fail => v1::Outcome::Fail,
        }
    }
}

/// What a handler may return: all of these become an [`Outcome`].
#[diagnostic::on_unimplemented(
    message = "a handler can't answer with `{Self}`",
    label = "not an answer",
    note = "return a Response, an Outcome, a String or a StatusCode, or a Result of one of them with \
            Failure as its error"
)]
pub trait IntoOutcome {
    /// The decision.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for Response {
    fn into_outcome(self) -> Outcome {
        Outcome::complete(self)
    }
}

/// Plain text, status 200.
impl IntoOutcome for String {
    fn into_outcome(self) -> Outcome {
        Response::text(self).into_outcome()
    }
}

/// Plain text, status 200.
impl IntoOutcome for &'static str {
    fn into_outcome(self) -> Outcome {
        Response::text(self).into_outcome()
    }
}

/// An empty body.
impl IntoOutcome for StatusCode {
    fn into_outcome(self) -> Outcome {
        Response::new().status(self).into_outcome()
    }
}

impl IntoOutcome for Failure {
    fn into_outcome(self) -> Outcome {
        if self.is_public() {
            let body = serde_json::json!({ "error": self.message() });
            return Response::json(&body).status(self.status()).into_outcome();
        }
        tracing::error!(error = self.message(), "a handler failed");
        Outcome::fail()
    }
}

impl<T: IntoOutcome, E: IntoOutcome> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(answer) => answer.into_outcome(),
            Err(answer) => answer.into_outcome(),
        }
    }
}
