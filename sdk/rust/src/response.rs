//! What a handler answers.

use std::future::Future;

use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TRAILER, UPGRADE};
use http::status::InvalidStatusCode;
use outboard_proto::plugin::v1;
use serde::Serialize;

use crate::body::{Body, BoxError, Writer};
use crate::fields;
use crate::request::Request;
use crate::sse;
use crate::upgrade::{Upgrade, Upgraded};

/// An HTTP response, with its whole body or one that comes in pieces.
///
/// The host frames it: do not set `Connection` or `Transfer-Encoding`. A `Content-Length` is needed only for
/// a body in pieces whose length is known; it must be right. On the plain path body and headers together
/// are at most 4 MiB, and a body in pieces is collected first.
///
/// ```
/// use outboard_sdk::{Response, StatusCode};
///
/// let response = Response::text("not here").status(StatusCode::NOT_FOUND);
/// assert_eq!(response.body().as_bytes().unwrap(), "not here");
/// ```
#[derive(Debug)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Response {
    /// An empty body and no headers. Status: 200.
    pub fn new() -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Body::empty() }
    }

    /// Plain text in UTF-8. Status: 200.
    pub fn text(text: impl Into<String>) -> Self {
        Self::typed("text/plain; charset=utf-8", Bytes::from(text.into()))
    }

    /// A page in UTF-8. Status: 200. Escape what came from outside.
    pub fn html(page: impl Into<String>) -> Self {
        Self::typed("text/html; charset=utf-8", Bytes::from(page.into()))
    }

    /// JSON. Status: 200; an empty 500, and the reason in the log, if `value` can't be written as JSON
    /// (a map whose keys are no strings).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::typed("application/json", Bytes::from(body)),
            Err(error) => {
                tracing::error!(%error, "an answer can't be written as JSON");
                Self::new().status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Any bytes under a media type. Status: 200.
    pub fn bytes(media_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let mut response = Self::new();
        response.headers.insert(CONTENT_TYPE, media_type);
        response.body = body.into().into();
        response
    }

    /// A body of pieces, each sent as it comes, and asked for as fast as the client reads. Status: 200; the
    /// media type is yours to set. The stream is dropped when the client is gone. An error cuts the body
    /// off, and is logged.
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use outboard_sdk::{HeaderValue, Response, header};
    ///
    /// let lines = stream::iter(0..1_000_000).map(|line| Ok::<_, std::fmt::Error>(format!("{line}\n")));
    /// let response = Response::stream(lines)
    ///     .header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    /// ```
    pub fn stream<D: Into<Bytes>, E: Into<BoxError>>(
        pieces: impl Stream<Item = Result<D, E>> + Send + 'static,
    ) -> Self {
        Self::new().with_body(Body::stream(pieces))
    }

    /// A body that something else writes, such as a task. Status: 200.
    ///
    /// ```
    /// # async fn count(_: std::sync::Arc<()>, _: outboard_sdk::Request) -> outboard_sdk::Response {
    /// let (mut writer, response) = outboard_sdk::Response::channel();
    /// tokio::spawn(async move {
    ///     for number in 0..1_000_000 {
    ///         writer.send(format!("{number}\n")).await?;
    ///     }
    ///     writer.end().await
    /// });
    /// response
    /// # }
    /// ```
    pub fn channel() -> (Writer, Self) {
        let (writer, body) = Body::channel();
        (writer, Self::new().with_body(body))
    }

    /// Server-sent events, as browsers' `EventSource` reads them. Status: 200. See [`sse`] for more.
    pub fn sse<E: Into<BoxError>>(
        events: impl Stream<Item = Result<sse::Event, E>> + Send + 'static,
    ) -> Self {
        sse::Events::new(events).into()
    }

    /// Accepts another protocol, and runs `then` with the connection once the client has it. 426, if the
    /// client did not ask for `protocol`. (On the plain path no client can.) A connection can be had once.
    ///
    /// What `then` gives is dropped, at an `await`, when the client is gone. Headers that belong to the
    /// protocol's handshake are yours to add.
    ///
    /// ```
    /// use outboard_sdk::{Request, Response, Upgraded};
    ///
    /// /// Sends everything back.
    /// async fn echo(_: std::sync::Arc<()>, request: Request) -> Response {
    ///     Response::upgrade(&request, "echo", |connection: Upgraded| async {
    ///         let (mut reader, mut writer) = tokio::io::split(connection);
    ///         let _ = tokio::io::copy(&mut reader, &mut writer).await;
    ///     })
    /// }
    /// ```
    pub fn upgrade<F: Future<Output = ()> + Send + 'static>(
        request: &Request,
        protocol: &'static str,
        then: impl FnOnce(Upgraded) -> F + Send + 'static,
    ) -> Self {
        let upgrade = (UPGRADE, HeaderValue::from_static(protocol));
        let offered = request.upgrade().unwrap_or_default();
        let is_offered = |offer: &str| offer.trim().eq_ignore_ascii_case(protocol);
        let connection =
            if offered.split(',').any(is_offered) { request.take_connection() } else { None };
        let response = Self::new().header(upgrade.0, upgrade.1);
        match connection {
            Some(incoming) => response
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .with_body(Body::upgrade(Upgrade::new(incoming, then))),
            None => response.status(StatusCode::UPGRADE_REQUIRED),
        }
    }

    /// 303: the client shall `GET` that place, a URL or a path.
    pub fn see_other(location: HeaderValue) -> Self {
        Self::new().status(StatusCode::SEE_OTHER).header(LOCATION, location)
    }

    fn typed(media_type: &'static str, body: Bytes) -> Self {
        Self::bytes(HeaderValue::from_static(media_type), body)
    }

    /// The same with another status, 200 to 599. Default: 200.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with one header field more; fields of that name that are there stay.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The same with another body; the headers stay.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with fields after the body. They reach clients that have asked for them with
    /// `TE: trailers`; over HTTP/1.1 `Trailer` must name them, which is done here. Framing, routing and
    /// authentication have no place among them, and the host drops such fields. On the plain path there are
    /// none.
    #[must_use]
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        for name in trailers.keys() {
            self.headers.append(TRAILER, name.clone().into());
        }
        self.body = self.body.with_trailers(trailers);
        self
    }

    /// The status.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The header fields, to change them.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be read.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The same response for another handler of the chain.
    pub(crate) fn share(&mut self) -> Self {
        Self { status: self.status, headers: self.headers.clone(), body: self.body.share() }
    }

    /// Head and body, as the wire has them.
    pub(crate) fn into_proto(self) -> (v1::Response, Body) {
        let status = self.status.as_u16().into();
        (v1::Response { status, headers: fields::into_proto(&self.headers) }, self.body)
    }

    /// What a step before this one has left, on the plain path.
    pub(crate) fn from_proto(
        response: &v1::Response,
        body: Bytes,
    ) -> Result<Self, InvalidStatusCode> {
        let status = match response.status {
            0 => StatusCode::OK,
            status => StatusCode::from_u16(u16::try_from(status).unwrap_or_default())?,
        };
        Ok(Self { status, headers: fields::from_proto(&response.headers), body: body.into() })
    }
}

impl Default for Response {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_survives_the_wire() {
        let sent = Response::text("hi")
            .status(StatusCode::IM_A_TEAPOT)
            .header(http::header::SET_COOKIE, HeaderValue::from_static("a=1"))
            .header(http::header::SET_COOKIE, HeaderValue::from_static("b=2"));
        let (status, headers) = (sent.status, sent.headers.clone());
        let (head, body) = sent.into_proto();
        let got = Response::from_proto(&head, body.as_bytes().unwrap().clone()).unwrap();
        assert_eq!((got.status, got.headers), (status, headers));
        assert_eq!(got.body.as_bytes().unwrap(), "hi");
    }

    #[test]
    fn what_is_no_json_is_an_empty_500() {
        let keys_are_pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        let response = Response::json(&keys_are_pairs);
        assert_eq!(response.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.body().as_bytes().unwrap(), "");
    }
}
