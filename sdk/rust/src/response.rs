//! What a handler answers.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use outboard_proto::plugin::v1;
use serde::Serialize;

use crate::request::{Malformed, headers};

/// An HTTP response with its whole body.
///
/// The host frames it: do not set `Connection`, `Transfer-Encoding` or `Content-Length`. Body and
/// headers together: at most 4 MiB.
///
/// ```
/// use outboard_sdk::{Response, StatusCode};
///
/// let response = Response::text("not here").status(StatusCode::NOT_FOUND);
/// assert_eq!(response.body(), "not here");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    /// An empty body and no headers. Status: 200.
    pub fn new() -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::new() }
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
        response.body = body.into();
        response
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
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
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
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Head and body, as the wire has them.
    pub(crate) fn into_proto(self) -> (v1::Response, Bytes) {
        let headers = self.headers.iter().map(|(name, value)| v1::Header {
            name: name.as_str().to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        });
        let response =
            v1::Response { status: u32::from(self.status.as_u16()), headers: headers.collect() };
        (response, self.body)
    }
}

impl Default for Response {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn from_proto(response: v1::Response, body: Bytes) -> Result<Response, Malformed> {
    let status = match response.status {
        0 => StatusCode::OK,
        status => u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .ok_or(Malformed)?,
    };
    Ok(Response { status, headers: headers(response.headers)?, body })
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
        let (head, body) = sent.clone().into_proto();
        assert_eq!(from_proto(head, body), Ok(sent));
    }

    #[test]
    fn what_is_no_json_is_an_empty_500() {
        let keys_are_pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        let response = Response::json(&keys_are_pairs);
        assert_eq!(response.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.body().is_empty());
    }
}
