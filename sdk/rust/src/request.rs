//! What a handler gets.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use outboard_proto::plugin::v1;
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::response::{self, Response};

/// An HTTP request with its whole body, as the host passed it on.
///
/// The host has removed hop-by-hop fields and everything that clients must not say. A `HEAD` request
/// arrives as `GET`.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "request_id is the name on the wire and in logs")]
pub struct Request {
    method: Method,
    path: Bytes,
    query: Option<Bytes>,
    headers: HeaderMap,
    scheme: String,
    authority: String,
    protocol: String,
    client_address: Option<IpAddr>,
    request_id: String,
    traceparent: String,
    body: Bytes,
    pub(crate) variables: Vec<(String, Bytes)>,
    pub(crate) context: Bytes,
    pub(crate) so_far: Option<Response>,
}

impl Request {
    /// The method, case kept.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The whole path as received, from the first `/`, percent-encoding kept, prefix and instance
    /// included. At most 8 KiB with the query. It may hold bytes that are no UTF-8.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What followed `?`, as received. `None`: there was no `?`; empty: nothing followed it.
    pub fn raw_query(&self) -> Option<&[u8]> {
        self.query.as_deref()
    }

    /// Names and values of the query in their order, decoded as HTML forms encode them (`+` is a
    /// space); bytes that are no UTF-8 become `U+FFFD`. Repeated names are kept.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let query = self.query.as_deref().unwrap_or_default();
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
        &self.headers
    }

    /// The first value of a header field, if it is there and visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `http` or `https`, as the client used it.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port that the client asked for. At most 255 bytes.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// `HTTP/1.1` or `HTTP/2.0`.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The client's address. Behind a proxy it is the proxy's, unless the operator trusts that proxy.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// Names this request in logs, here and in the host.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// W3C Trace Context of the host's span, to be sent on with calls elsewhere.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The whole body. Default: empty; at most 4 MiB less the headers, or the endpoint's own limit.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body read as JSON.
    ///
    /// # Errors
    ///
    /// 400, if it is not JSON or not a `T`; the answer says where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(StatusCode::BAD_REQUEST, format!("the body is not as expected: {error}"))
        })
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
        self.variables.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| &value[..])
    }

    /// What the endpoints before this one in the chain left with
    /// [`Outcome::context`](crate::Outcome::context). Default: empty; at most 64 KiB.
    pub fn context(&self) -> &Bytes {
        &self.context
    }

    /// The response as the endpoints before this one in the chain left it. `None` for the first.
    pub fn response_so_far(&self) -> Option<&Response> {
        self.so_far.as_ref()
    }
}

/// Unary calls carry a match and a chain's state beside the request; so does the framed path.
pub(crate) fn from_proto(request: v1::Request, body: Bytes) -> Result<Request, Malformed> {
    Ok(Request {
        method: Method::from_bytes(request.method.as_bytes()).map_err(|_| Malformed)?,
        path: request.path,
        query: request.query,
        headers: headers(request.headers)?,
        scheme: request.scheme,
        authority: request.authority,
        protocol: request.protocol,
        client_address: request.client_address.parse().ok(),
        request_id: request.request_id,
        traceparent: request.traceparent,
        body,
        variables: Vec::new(),
        context: Bytes::new(),
        so_far: None,
    })
}

/// The host sent what HTTP has no place for: its fault, not the client's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) fn headers(fields: Vec<v1::Header>) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
        let value = HeaderValue::from_maybe_shared(field.value).map_err(|_| Malformed)?;
        headers.append(name, value);
    }
    Ok(headers)
}

pub(crate) fn response_so_far(
    response: Option<v1::Response>,
    body: Bytes,
) -> Result<Option<Response>, Malformed> {
    response.map(|response| response::from_proto(response, body)).transpose()
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
mod tests {
    use super::*;

    fn request(query: Option<&'static str>) -> Request {
        let request = v1::Request {
            method: "GET".to_owned(),
            query: query.map(|query| Bytes::from_static(query.as_bytes())),
            ..v1::Request::default()
        };
        from_proto(request, Bytes::new()).unwrap()
    }

    #[test]
    fn a_query_keeps_repeated_names_and_empty_values() {
        let request = request(Some("a=1&b&a=2+%C3%BC&&c=x=y&bad=%ff"));
        let pairs: Vec<(String, String)> =
            request.query().map(|(name, value)| (name.into(), value.into())).collect();
        let expected = [("a", "1"), ("b", ""), ("a", "2 ü"), ("c", "x=y"), ("bad", "\u{fffd}")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(request.query_value("b").as_deref(), Some(""));
        assert_eq!(request.query_value("nope"), None);
    }

    #[test]
    fn no_query_is_not_an_empty_one() {
        assert_eq!(request(None).raw_query(), None);
        assert_eq!(request(Some("")).raw_query(), Some(&b""[..]));
        assert_eq!(request(Some("")).query().count(), 0);
    }

    #[test]
    fn a_variable_that_is_no_text_is_the_clients_fault_and_a_missing_one_is_ours() {
        let mut request = request(None);
        request.variables = vec![("name".to_owned(), Bytes::from_static(b"\xff"))];
        assert_eq!(request.variable("name").unwrap_err().status(), StatusCode::BAD_REQUEST);
        let missing = request.variable("nmae").unwrap_err();
        assert_eq!(missing.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn repeated_headers_are_kept_and_impossible_ones_are_refused() {
        let field = |name: &str, value: &'static [u8]| v1::Header {
            name: name.to_owned(),
            value: Bytes::from_static(value),
        };
        let map = headers(vec![field("accept", b"a"), field("accept", b""), field("x", b"\xe9")]);
        let map = map.unwrap();
        assert_eq!(map.get_all("accept").iter().count(), 2);
        assert_eq!(map["x"].as_bytes(), b"\xe9");
        assert_eq!(headers(vec![field("a b", b"")]), Err(Malformed));
        assert_eq!(headers(vec![field("a", b"x\r\ny: z")]), Err(Malformed));
    }
}
