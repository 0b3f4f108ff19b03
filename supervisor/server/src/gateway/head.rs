//! The head of a request as a plugin gets it: judged, cleaned, completed with what only the host knows.

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, COOKIE, HOST, TE, TRANSFER_ENCODING, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version};
use outboard_core::config::Network;
use outboard_core::route::cookie;
use outboard_core::route::forwarded::{self, Claims};
use outboard_core::route::hygiene::{self, Incoming};
use outboard_core::route::trace::TraceParent;
use outboard_proto::plugin::v1 as wire;

use super::connection::Peer;
use super::refusal::Refusal;
use crate::plugin::handles::Handle;

/// Longest path with its query.
const MAX_URI_BYTES: usize = 8 << 10;
/// Longest name of a browser that is kept; the rest is cut.
const MAX_AGENT_BYTES: usize = 256;
/// Longest authority.
const MAX_AUTHORITY_BYTES: usize = 255;

pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of a request: the client's own where it can stand in a log line, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let accepted = only(headers, &REQUEST_ID).and_then(hygiene::request_id);
    accepted.map_or_else(new_id, str::to_owned)
}

fn new_id() -> String {
    let id = uuid::Builder::from_random_bytes(random()).into_uuid();
    id.simple().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
}

/// Makes the request that plugins see, or says why there is none.
pub(super) fn read(
    parts: &Parts,
    peer: &Peer,
    trusted_proxies: &[Network],
    cookie: &str,
    request_id: &str,
) -> Result<wire::Request, Refusal> {
    let uri = &parts.uri;
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length > MAX_URI_BYTES {
        return Err(Refusal::UriTooLong { limit: MAX_URI_BYTES });
    }
    if !has_clear_length(&parts.headers) {
        return Err(Refusal::Coding);
    }
    let is_trusted = |address| trusted_proxies.iter().any(|network| network.contains(address));
    let is_proxied = is_trusted(peer.address.to_canonical());
    let claims = if is_proxied { claims(&parts.headers) } else { Claims::default() };
    let client = forwarded::client(peer.address, is_trusted, &claims);
    let method = if parts.method == "HEAD" { "GET" } else { parts.method.as_str() };
    let is_tls = client.is_tls.unwrap_or(peer.is_tls);
    let mut arena = Arena::new(parts);
    Ok(wire::Request {
        method: method.to_owned(),
        path: arena.keep(uri.path().as_bytes()),
        query: uri.query().map(|query| arena.keep(query.as_bytes())),
        headers: passing(parts, cookie, &mut arena),
        scheme: if is_tls { "https" } else { "http" }.to_owned(),
        authority: authority(parts)?,
        protocol: protocol(parts.version).to_owned(),
        client_address: peer.text_of(client.address),
        request_id: request_id.to_owned(),
        traceparent: traceparent(&parts.headers).to_string(),
        ..wire::Request::default()
    })
}

/// Hyper looks only at how the last of the transfer codings ends. A body in any other coding, or one that
/// is chunked twice, would reach a plugin as if it were plain, and a proxy in front may see another length.
fn has_clear_length(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// One allocation for all bytes that are copied.
struct Arena(BytesMut);

impl Arena {
    fn new(parts: &Parts) -> Self {
        let values = parts.headers.values().map(http::HeaderValue::len).sum::<usize>();
        let uri = parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
        let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
        Self(BytesMut::with_capacity(values + uri + authority))
    }

    fn keep(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.is_empty() {
            return Bytes::new();
        }
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

/// Whom the client wanted to speak to. A request that names nobody, or two, is one that two servers could read
/// differently (RFC 9112 section 3.2); a target that holds the authority counts before the field.
fn authority(parts: &Parts) -> Result<String, Refusal> {
    let malformed = |message: &'static str| Refusal::Malformed(message.into());
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("the request has more than one Host header"));
    }
    if host.is_none() && parts.version == Version::HTTP_11 {
        return Err(malformed("the request has no Host header"));
    }
    let host = host.map_or(Ok(""), |host| {
        host.to_str().map_err(|_| malformed("the Host header is malformed"))
    })?;
    let is_malformed = !host.is_empty()
        && host.parse::<http::uri::Authority>().map_or(true, |a| a.as_str().contains('@'));
    if is_malformed || host.len() > MAX_AUTHORITY_BYTES {
        return Err(malformed("the Host header is malformed"));
    }
    match parts.uri.authority() {
        Some(authority)
            if authority.as_str().len() > MAX_AUTHORITY_BYTES
                || authority.as_str().contains('@') =>
        {
            Err(malformed("the request target is malformed"))
        }
        Some(authority) => Ok(authority.as_str().to_owned()),
        None => Ok(host.to_owned()),
    }
}

/// The fields that a plugin gets. Where the target holds the authority, that is the Host (RFC 9112 section
/// 3.2.2), so that a plugin which asks the field is told the same as one which asks the request.
fn passing(parts: &Parts, cookie: &str, arena: &mut Arena) -> Vec<wire::Header> {
    let headers = &parts.headers;
    let incoming =
        Incoming::new(headers.get_all(CONNECTION).iter().map(http::HeaderValue::as_bytes));
    let mut passing = Vec::with_capacity(headers.len() + 1);
    let mut add = |name: &HeaderName, value: &[u8]| {
        passing.push(wire::Header { name: name.as_str().to_owned(), value: arena.keep(value) });
    };
    let named = parts.uri.authority();
    if let Some(authority) = named {
        add(&HOST, authority.as_str().as_bytes());
    }
    let mut has_cookie = false;
    for (name, value) in headers {
        if !incoming.passes(name.as_str()) || (named.is_some() && name == HOST) {
            continue;
        }
        if name != COOKIE {
            add(name, value.as_bytes());
        } else if !std::mem::replace(&mut has_cookie, true)
            && let Some(kept) = cookie::without(values(headers, &COOKIE), cookie)
        {
            add(name, &kept);
        }
    }
    // The one thing that it says about more than this connection.
    if hygiene::takes_trailers(headers.get_all(TE).iter().map(http::HeaderValue::as_bytes)) {
        add(&TE, b"trailers");
    }
    passing
}

fn values<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(name).iter().map(http::HeaderValue::as_bytes)
}

/// Whom a handle of this request stands for. `cookie` is the name of the host's.
pub(super) fn handle(parts: &Parts, client_address: &str, cookie: &str) -> Handle {
    let agent = only(&parts.headers, &USER_AGENT).map(String::from_utf8_lossy).unwrap_or_default();
    let session = cookie::find(values(&parts.headers, &COOKIE), cookie);
    Handle {
        cookie: session.map(str::to_owned),
        address: client_address.to_owned(),
        user_agent: agent[..agent.floor_char_boundary(MAX_AGENT_BYTES)].to_owned(),
    }
}

fn claims(headers: &HeaderMap) -> Claims<'_> {
    let values =
        |name: &str| headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    Claims {
        forwarded: values("forwarded"),
        x_forwarded_for: values("x-forwarded-for"),
        x_forwarded_proto: values("x-forwarded-proto"),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// The span that the host gives this request, in the client's trace if it has one.
fn traceparent(headers: &HeaderMap) -> TraceParent {
    let parent = only(headers, &TRACEPARENT).and_then(TraceParent::parse);
    let [span @ .., _, _, _, _, _, _, _, _] = random();
    match parent {
        Some(parent) => parent.child(span),
        None => TraceParent::root(random(), span),
    }
}

/// The value of a field that is there once; a repeated one says two things.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(http::HeaderValue::as_bytes)
}

/// For names, not for secrets; from a generator of this thread, which need not ask the system each time.
fn random() -> [u8; 16] {
    rand::random::<u128>().to_ne_bytes()
}
