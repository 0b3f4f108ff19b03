//! What a client gets of the host instead of a plugin's response.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

use super::body::Body;
use super::gate::Full;
use super::observe::Reason;
use super::respond::Reply;

/// Why the host answers instead of a plugin. None of it says what happened inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request breaks a rule of HTTP, or means two things.
    Malformed(Cow<'static, str>),
    NotFound,
    /// The endpoint is for those who are signed in, with all that it requires.
    SignIn,
    /// The same, for a browser that wants a page: where it logs in.
    LogIn(Box<str>),
    /// The endpoint is for others, or the request comes from a page that may not act for its user.
    Forbidden,
    /// Who it is could not be found out.
    Unjudged,
    /// The client took too long to send the body.
    SlowBody,
    BodyTooLarge {
        limit: u64,
    },
    UriTooLong {
        limit: usize,
    },
    /// The bodies of other requests fill the room that there is for bodies.
    Busy,
    /// Other requests have all places at the plugin or the endpoint.
    Full(Full),
    /// CONNECT: this is no proxy.
    Tunnel,
    /// A transfer coding other than chunked: the length of such a body can't be agreed on.
    Coding,
    /// A step of the chain said FAIL, or we are wrong.
    Failed,
    /// The plugin is being started again, or has failed.
    Away,
    /// The plugin was ended, or its instance replaced, before it had answered.
    CutOff,
    /// The plugin is not reachable, or its answer is none.
    BadGateway,
    /// The plugin did not answer within the time that ran out.
    Late(Reason),
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::LogIn(_) => StatusCode::FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Busy | Self::Full(_) | Self::Away | Self::CutOff | Self::Unjudged => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Tunnel | Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short name that a program can compare, and a sentence for a person.
    fn words(&self) -> (&'static str, Cow<'static, str>) {
        match self {
            Self::Malformed(message) => ("bad request", message.clone()),
            Self::NotFound => {
                ("resource not found", "no resource available at this address".into())
            }
            Self::SignIn | Self::LogIn(_) => {
                ("unauthorized", "this address is for those who are signed in".into())
            }
            Self::Forbidden => ("forbidden", "this request is not allowed to its sender".into()),
            Self::Unjudged => {
                ("unavailable", "who sent the request can't be found out at the moment".into())
            }
            Self::SlowBody => ("request timeout", "the body did not arrive in time".into()),
            Self::BodyTooLarge { limit } => {
                ("body too large", format!("the body is larger than {limit} bytes").into())
            }
            Self::UriTooLong { limit } => {
                ("uri too long", format!("path and query are longer than {limit} bytes").into())
            }
            Self::Busy | Self::Full(_) => {
                ("busy", "too many requests at a time; try again later".into())
            }
            Self::Away => {
                ("unavailable", "the service behind this address will be back shortly".into())
            }
            Self::CutOff => {
                ("unavailable", "the service behind this address ended before it answered".into())
            }
            Self::Coding => {
                ("not implemented", "the only transfer coding here is chunked, once".into())
            }
            Self::Tunnel => {
                ("not implemented", "this is no proxy; CONNECT is not supported".into())
            }
            Self::Failed => ("internal error", "the request could not be processed".into()),
            Self::BadGateway => {
                ("bad gateway", "the service behind this address did not answer".into())
            }
            Self::Late(_) => {
                ("timeout", "the service behind this address did not answer in time".into())
            }
        }
    }

    /// Whether more of the request may be on its way, so that the connection cannot be used again.
    fn leaves_body(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. }
                | Self::SlowBody
                | Self::Busy
                | Self::Full(_)
                | Self::CutOff
                | Self::Tunnel
                | Self::Coding
        )
    }

    /// What it counts as.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) | Self::Coding => Reason::Malformed,
            Self::NotFound => Reason::NotFound,
            Self::SignIn | Self::LogIn(_) => Reason::Unauthorized,
            Self::Forbidden => Reason::Forbidden,
            Self::Unjudged => Reason::Unjudged,
            Self::SlowBody => Reason::SlowBody,
            Self::BodyTooLarge { .. } => Reason::BodyTooLarge,
            Self::UriTooLong { .. } => Reason::UriTooLong,
            Self::Busy => Reason::Busy,
            Self::Full(Full::Queue) => Reason::QueueFull,
            Self::Full(Full::Timeout) => Reason::QueueTimeout,
            Self::Tunnel => Reason::Connect,
            Self::Failed => Reason::Failed,
            Self::Away => Reason::Away,
            Self::CutOff => Reason::CutOff,
            Self::BadGateway => Reason::BadGateway,
            Self::Late(reason) => *reason,
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let (error, message) = self.words();
        let body = serde_json::json!({ "error": error, "message": message }).to_string();
        let mut reply = Response::new(Body::from(Bytes::from(body)));
        *reply.status_mut() = self.status();
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::LogIn(location) = self
            && let Ok(location) = HeaderValue::from_str(location)
        {
            headers.insert(LOCATION, location);
        }
        if matches!(self, Self::SignIn | Self::LogIn(_) | Self::Forbidden) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.leaves_body() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_found_has_the_body_that_clients_of_glewlwyd_know() {
        let (error, message) = Refusal::NotFound.words();
        assert_eq!(
            (error, &*message),
            ("resource not found", "no resource available at this address")
        );
    }
}
