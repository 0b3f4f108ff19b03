//! What a handler gets.

mod head;
mod upload;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use outboard_proto::frame::SendError;
use outboard_proto::plugin::v1;
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::body::Body;
use crate::failure::Failure;
use crate::fields;
use crate::response::Response;

pub(crate) use head::{Head, Malformed};

/// Most that a body read whole may have, unless its reader says otherwise: as much as the plain path takes.
const WHOLE_BYTES: usize = 4 * 1024 * 1024;

/// An HTTP request, as the host passed it on.
///
/// The host has removed hop-by-hop fields and everything that clients must not say. A `HEAD` request
/// arrives as `GET`. The body may still be on its way: read it whole with [`Request::bytes`] or
/// [`Request::json`], or piece by piece with [`Request::take_body`].
pub struct Request {
    head: Arc<Head>,
    /// Which of the matches this step is.
    step: usize,
    context: Bytes,
    so_far: Option<Box<Response>>,
}

/// Who sent a request. No client can forge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity<'r> {
    /// Somebody who is signed in.
    User {
        /// Never reused, unlike the name.
        id: &'r str,
        /// As it is written.
        username: &'r str,
        /// Those that the endpoints require, all satisfied.
        scopes: &'r [String],
    },
    /// Whoever has an API key.
    ApiKey {
        /// Those that the endpoints require, all the key's.
        scopes: &'r [String],
    },
}

/// A response that must not, or can't, come before the response.
#[derive(Debug, Error)]
#[error("not sent: {0}")]
pub struct InformError(SendError);

impl Request {
    /// The one for a step of a chain.
    pub(crate) fn new(
        head: Arc<Head>,
        step: usize,
        context: Bytes,
        so_far: Option<Response>,
    ) -> Self {
        Self { head, step, context, so_far: so_far.map(Box::new) }
    }

    /// The method, case kept.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The whole path as received, from the first `/`, percent-encoding kept, prefix and instance
    /// included. At most 8 KiB with the query. It may hold bytes that are no UTF-8.
    pub fn path(&self) -> &[u8] {
        &self.head.request.path
    }

    /// What [`Sessions`](crate::identity::Sessions) and others call this request by, until the end of its response and
    /// in this activation only. `None`: the instance has no grant that could use it.
    pub fn handle(&self) -> Option<&str> {
        Some(self.head.request.handle.as_str()).filter(|handle| !handle.is_empty())
    }

    /// Who sent it, as the host has found out. `None`: none of the endpoints requires anything
    /// ([`Endpoint::signed_in`](crate::Endpoint::signed_in)).
    pub fn identity(&self) -> Option<Identity<'_>> {
        let identity = self.head.request.identity.as_ref()?;
        let scopes = &identity.scopes;
        Some(if identity.api_key {
            Identity::ApiKey { scopes }
        } else {
            Identity::User { id: &identity.user_id, username: &identity.username, scopes }
        })
    }

    /// What followed `?`, as received. `None`: there was no `?`; empty: nothing followed it.
    pub fn raw_query(&self) -> Option<&[u8]> {
        self.head.request.query.as_deref()
    }

    /// Names and values of the query in their order, decoded as HTML forms encode them (`+` is a
    /// space); bytes that are no UTF-8 become `U+FFFD`. Repeated names are kept.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let query = self.head.request.query.as_deref().unwrap_or_default();
        query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            (form_decode(name), form_decode(halves.next().unwrap_or_default()))
        })
    }

    /// The first value of that name in the query. `Some("")`: it is present but empty.
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query().find(|(candidate, _)| candidate == name).map(|(_, value)| value)
    }

    /// The header fields, repeated names kept. At most 100 fields, 64 KiB in all.
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The first value of a header field, if it is there and visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.head.header(name)?;
        let is_visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
        std::str::from_utf8(value).ok().filter(|text| text.as_bytes().iter().all(is_visible))
    }

    /// `http` or `https`, as the client used it.
    pub fn scheme(&self) -> &str {
        &self.head.request.scheme
    }

    /// Host and port that the client asked for. At most 255 bytes.
    pub fn authority(&self) -> &str {
        &self.head.request.authority
    }

    /// `HTTP/1.1` or `HTTP/2.0`.
    pub fn protocol(&self) -> &str {
        &self.head.request.protocol
    }

    /// The client's address. Behind a proxy it is the proxy's, unless the operator trusts that proxy.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.head.request.client_address.parse().ok()
    }

    /// Names this request in logs, here and in the host.
    pub fn request_id(&self) -> &str {
        &self.head.request.request_id
    }

    /// W3C Trace Context of the host's span, to be sent on with calls elsewhere.
    pub fn traceparent(&self) -> &str {
        &self.head.request.traceparent
    }

    /// The whole body, however it arrives. It stays for whoever asks again, also in later endpoints of the
    /// chain. Default: empty; limit: 4 MiB, else see [`Request::bytes_up_to`].
    ///
    /// # Errors
    ///
    /// 413, if it is larger; 500, if it was taken by [`Request::take_body`].
    ///
    /// # Cancellation
    ///
    /// Nothing is lost with a future that is dropped: ask again.
    pub async fn bytes(&self) -> Result<Bytes, Failure> {
        self.bytes_up_to(WHOLE_BYTES).await
    }

    /// The same with another limit. It must fit into memory as often as there are requests at once.
    ///
    /// # Errors
    ///
    /// As those of [`Request::bytes`].
    pub async fn bytes_up_to(&self, limit: usize) -> Result<Bytes, Failure> {
        self.head.upload.lock().await.bytes_up_to(limit).await.map_err(|error| {
            if !error.is_too_large() {
                return error.into();
            }
            let message = format!("the body must be at most {limit} bytes");
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        })
    }

    /// The whole body as text.
    ///
    /// # Errors
    ///
    /// 400, if it is not UTF-8; else those of [`Request::bytes`].
    pub async fn text(&self) -> Result<String, Failure> {
        String::from_utf8(self.bytes().await?.into())
            .map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the body is not UTF-8"))
    }

    /// The whole body read as JSON.
    ///
    /// # Errors
    ///
    /// 400, if it is not JSON or not a `T`, and the answer says where; else those of
    /// [`Request::bytes`].
    pub async fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes().await?).map_err(|error| {
            Failure::new(StatusCode::BAD_REQUEST, format!("the body is not as expected: {error}"))
        })
    }

    /// The body to be read as it arrives, with the trailers at its end.
    ///
    /// It can be had once: for everybody else, in this handler and in later endpoints of the chain, it then
    /// fails as [taken](crate::BodyError::is_taken). Not so if somebody has read it whole before, or it is
    /// empty. (On the plain path each endpoint has its own.)
    ///
    /// A client that has sent `Expect: 100-continue` is told to go on when the body is first asked for,
    /// here or by [`Request::bytes`]. A body that is left unread is not waited for: the client learns the
    /// response and need not send the rest.
    pub fn take_body(&self) -> Body {
        // Taken is also what somebody else is just reading whole.
        self.head.upload.try_lock().map_or_else(|_| Body::taken(), |mut upload| upload.take())
    }

    /// Sends a response before the response, such as 103 with `Link` fields. Clients may ignore it, and on
    /// the plain path it is dropped. Limit: 100.
    ///
    /// # Errors
    ///
    /// For a status that is not 100 or 102 to 199, above the limit, and when the client is gone.
    pub fn inform(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), InformError> {
        let Some(informer) = &self.head.informer else { return Ok(()) };
        let headers = fields::into_proto(headers);
        let informational = v1::Informational { status: status.as_u16().into(), headers };
        informer.inform(informational).map_err(InformError)
    }

    /// The protocols that the client would change to, as it names them, such as `websocket`. `None`: it
    /// asks for none. See [`Response::upgrade`].
    pub fn upgrade(&self) -> Option<&str> {
        Some(self.head.request.upgrade.as_str()).filter(|protocols| !protocols.is_empty())
    }

    /// What the client sends after an upgrade.
    pub(crate) fn take_connection(&self) -> Option<Body> {
        self.head.take_connection()
    }

    /// When the host gives the request up, its response included. `None`: it has not said.
    pub fn deadline(&self) -> Option<Instant> {
        self.head.deadline
    }

    /// What is left until then; zero, if that was in the past.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What the segment `:name` or `@name` of the endpoint's pattern matched, percent-decoded. Never
    /// empty.
    ///
    /// # Errors
    ///
    /// 400, if it is not UTF-8; 500, if the pattern has no such variable.
    pub fn variable(&self, name: &str) -> Result<&str, Failure> {
        let Some(value) = self.variable_bytes(name) else {
            return Err(Failure::internal(format!(
                "the endpoint's pattern has no variable {name:?}"
            )));
        };
        std::str::from_utf8(value).map_err(|_| {
            Failure::new(StatusCode::BAD_REQUEST, format!("{name} in the path is not UTF-8"))
        })
    }

    /// The same as bytes: any but NUL and `/`. `None`: the pattern has no such variable.
    pub fn variable_bytes(&self, name: &str) -> Option<&[u8]> {
        let variables = &self.head.matches.get(self.step)?.variables;
        variables.iter().find(|variable| variable.name == name).map(|variable| &variable.value[..])
    }

    /// What the endpoints before this one in the chain left with
    /// [`Outcome::context`](crate::Outcome::context). Default: empty; at most 64 KiB.
    pub fn context(&self) -> &Bytes {
        &self.context
    }

    /// The response as the endpoints before this one in the chain left it. `None`: none has made one.
    pub fn response_so_far(&self) -> Option<&Response> {
        self.so_far.as_deref()
    }

    /// The same, to go on with it: what is to be sent in its place goes into the [`Outcome`](crate::Outcome).
    /// If nothing does, the response stays as it was, less what was read of a body that streams.
    pub fn take_response_so_far(&mut self) -> Option<Response> {
        self.so_far.take().map(|response| *response)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("path", &String::from_utf8_lossy(self.path()))
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}

fn form_decode(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return String::from_utf8_lossy(text);
    }
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests;
