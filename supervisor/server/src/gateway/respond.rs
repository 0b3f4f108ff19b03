//! What a client gets: a plugin's response that passed all checks, or one of the host's own.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, RETRY_AFTER, SET_COOKIE,
};
use http::{Response, StatusCode};
use outboard_core::route::Method;
use outboard_core::route::hygiene::{self, Outgoing, ResponseError};
use outboard_proto::plugin::v1 as wire;

pub(super) type Reply = Response<Bytes>;

/// Why the host answers instead of a plugin. None of it says what happened inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request breaks a rule of HTTP, or means two things.
    Malformed(Cow<'static, str>),
    NotFound,
    /// The client took too long to send the body.
    SlowBody,
    BodyTooLarge {
        limit: usize,
    },
    UriTooLong {
        limit: usize,
    },
    /// The bodies of other requests fill the room that there is for bodies.
    Busy,
    /// CONNECT: this is no proxy.
    Tunnel,
    /// A step of the chain said FAIL, or we are wrong.
    Failed,
    /// The plugin is being started again, or has failed.
    Away,
    /// The plugin was ended, or its instance replaced, before it had answered.
    CutOff,
    /// The plugin is not reachable, or its answer is none.
    BadGateway,
    /// The plugin did not answer in time.
    Late,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Busy | Self::Away | Self::CutOff => StatusCode::SERVICE_UNAVAILABLE,
            Self::Tunnel => StatusCode::NOT_IMPLEMENTED,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short name that a program can compare, and a sentence for a person.
    fn words(&self) -> (&'static str, Cow<'static, str>) {
        match self {
            Self::Malformed(message) => ("bad request", message.clone()),
            Self::NotFound => {
                ("resource not found", "no resource available at this address".into())
            }
            Self::SlowBody => ("request timeout", "the body did not arrive in time".into()),
            Self::BodyTooLarge { limit } => {
                ("body too large", format!("the body is larger than {limit} bytes").into())
            }
            Self::UriTooLong { limit } => {
                ("uri too long", format!("path and query are longer than {limit} bytes").into())
            }
            Self::Busy => ("busy", "too many requests at a time; try again later".into()),
            Self::Away => {
                ("unavailable", "the service behind this address will be back shortly".into())
            }
            Self::CutOff => {
                ("unavailable", "the service behind this address ended before it answered".into())
            }
            Self::Tunnel => {
                ("not implemented", "this is no proxy; CONNECT is not supported".into())
            }
            Self::Failed => ("internal error", "the request could not be processed".into()),
            Self::BadGateway => {
                ("bad gateway", "the service behind this address did not answer".into())
            }
            Self::Late => {
                ("timeout", "the service behind this address did not answer in time".into())
            }
        }
    }

    /// Whether more of the request may be on its way, so that the connection cannot be used again.
    fn leaves_body(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. } | Self::SlowBody | Self::Busy | Self::CutOff | Self::Tunnel
        )
    }

    pub(super) fn reply(&self) -> Reply {
        let (error, message) = self.words();
        let body = serde_json::json!({ "error": error, "message": message }).to_string();
        let mut reply = Response::new(Bytes::from(body));
        *reply.status_mut() = self.status();
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.leaves_body() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

/// A plugin's response as it may be sent, or what is wrong with it. `base_path` is where its cookies belong.
pub(super) fn reply(
    response: wire::Response,
    body: Bytes,
    base_path: impl Fn() -> String,
) -> Result<Reply, ResponseError> {
    let status = hygiene::status(response.status, false)?;
    if response.headers.len() > hygiene::MAX_HEADERS {
        return Err(ResponseError::Many);
    }
    let length = u64::try_from(body.len()).expect("a length is at most 64 bits");
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::from_u16(status).expect("200 to 599 are statuses");
    let headers = reply.headers_mut();
    for header in response.headers {
        match hygiene::outgoing(&header.name, &header.value)? {
            Outgoing::Pass => {}
            Outgoing::Length(declared) if declared != length => {
                return Err(ResponseError::Length { body: length });
            }
            // The host writes the length, so that a repeated one cannot double it.
            Outgoing::Length(_) | Outgoing::Drop | Outgoing::Trailer | Outgoing::Upgrade => continue,
        }
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|_| ResponseError::Name(header.name.clone()))?;
        let value = if name == SET_COOKIE {
            let Some(scoped) = hygiene::set_cookie(&header.value, &base_path()) else { continue };
            scoped.into()
        } else {
            header.value
        };
        let value = HeaderValue::from_maybe_shared(value);
        let value = value.map_err(|_| ResponseError::Value(header.name.clone()))?;
        headers.try_append(name, value).map_err(|_| ResponseError::Many)?;
    }
    let sandbox = HeaderValue::from_static(hygiene::SANDBOX);
    headers.try_append(CONTENT_SECURITY_POLICY, sandbox).map_err(|_| ResponseError::Many)?;
    if !hygiene::has_no_body(status) {
        *reply.body_mut() = body;
    }
    Ok(reply)
}

/// What HEAD gets of a reply to GET: all but the body, which still counts for `Content-Length`.
pub(super) fn without_body(mut reply: Reply) -> Reply {
    let length = reply.body().len();
    if !hygiene::has_no_body(reply.status().as_u16()) {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *reply.body_mut() = Bytes::new();
    reply
}

/// The answer to OPTIONS at a path whose endpoints have these methods.
pub(super) fn options<'a>(methods: impl IntoIterator<Item = &'a Method>) -> Reply {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_str(&allow(methods)).expect("methods are tokens");
    reply.headers_mut().insert(ALLOW, allow);
    reply
}

fn allow<'a>(methods: impl IntoIterator<Item = &'a Method>) -> String {
    const COMMON: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let mut names = Vec::new();
    for method in methods {
        match method {
            Method::Any => names.extend(COMMON),
            Method::Named(name) => names.push(name),
        }
    }
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    names.join(", ")
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

    #[test]
    fn allow_names_each_method_once_with_what_the_host_adds() {
        let named = |name: &str| Method::parse(name).unwrap();
        assert_eq!(allow(&[named("GET"), named("PUT")]), "GET, HEAD, OPTIONS, PUT");
        assert_eq!(allow(&[named("POST")]), "OPTIONS, POST");
        assert_eq!(
            allow(&[named("*"), named("GET")]),
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        );
    }

    #[test]
    fn more_headers_than_a_client_takes_are_the_plugins_fault() {
        let header =
            |number: u32| wire::Header { name: format!("x-{number}"), value: Bytes::new() };
        let with = |count| {
            let response =
                wire::Response { status: 200, headers: (0..count).map(header).collect() };
            reply(response, Bytes::new(), String::new)
        };
        assert!(with(1000).is_ok());
        for count in [1001, 24_575, 40_000] {
            assert_eq!(with(count).unwrap_err(), ResponseError::Many);
        }
    }
}
