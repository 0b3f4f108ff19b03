//! What the host itself serves: its API and its pages, at every address that is no instance's.
//!
//! They are answered on the managing side's runtime, not on the worker's: what they do there, down to the database,
//! costs the requests of plugins nothing. What goes over is whole bodies, so that no client's pace is felt there.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, COOKIE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use outboard_core::route::Path;
use outboard_proto::plugin::v1 as wire;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tower::ServiceExt as _;

use super::body::{Body, Whole};
use super::bounds::Bounds;
use super::gate::Full;
use super::observe::{Observer, Reason, Series};
use super::refusal::Refusal;
use super::respond::Reply;
use crate::task;

/// What one request is held to. An instance that is applied may take as long as its plugin needs to start.
pub(super) const BOUNDS: Bounds = Bounds {
    max_body: 4 << 20,
    first_byte: Duration::from_mins(2),
    idle: Duration::from_secs(30),
    total: Duration::from_mins(5),
};
/// Largest body of a response. Lists are bounded by their makers; this is for when one is not.
const MAX_RESPONSE: usize = 64 << 20;
/// Requests at a time; further ones wait.
const PLACES: usize = 256;
/// Under which plugin its requests are counted, and unless it says otherwise, under which instance. No plugin's instance
/// can be called so.
pub(super) const NAME: &str = "outboard";
/// What stands in a segment of a path as it is (RFC 3986 section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Who asks, as an extension of each request. Nothing of it is what the client says of itself, unless it is a proxy that
/// the operator trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// IP address.
    pub address: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host, maybe with a port.
    pub authority: String,
    pub request_id: String,
}

/// Answers for the host. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Own {
    router: Router,
    runtime: Handle,
    places: Arc<Semaphore>,
    series: Arc<Series>,
}

/// A response of [`nowhere`].
#[derive(Debug, Clone, Copy)]
struct Nowhere;

/// One request to the host.
pub(super) struct Asked<'a> {
    pub parts: &'a Parts,
    pub path: &'a Path<'a>,
    pub client: Client,
    pub body: &'a Whole,
    /// When the answer is due.
    pub until: Instant,
}

impl Client {
    pub(super) fn of(request: &wire::Request) -> Self {
        Self {
            address: request.client_address.clone(),
            scheme: request.scheme.clone(),
            authority: request.authority.clone(),
            request_id: request.request_id.clone(),
        }
    }
}

impl Own {
    /// Has `router` answer, on the current runtime, and counts that as `instance`. It has no fallback of its own.
    pub(super) fn new(router: Router, instance: &str, observer: &Observer) -> Self {
        Self {
            router: router.fallback(nowhere).layer(DefaultBodyLimit::disable()),
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(PLACES)),
            series: observer.series(NAME, instance),
        }
    }

    /// The numbers of all that it answers.
    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    /// Dropping the future gives up a question, but nothing that would change something: half of that could be done.
    pub(super) async fn answer(&self, asked: Asked<'_>) -> Result<Reply, Refusal> {
        let Asked { parts, path, client, body, until } = asked;
        let request = request(parts, path, client, body.bytes.clone())?;
        let place = timeout_at(until, self.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| Refusal::Full(Full::Timeout))?;
        let (tell, told) = oneshot::channel();
        let router = self.router.clone();
        let answering = async move {
            let _place = place;
            if let Ok(answer) = timeout(BOUNDS.total, answer(router, request)).await {
                // Nobody listens any more if the client has gone.
                let _ = tell.send(answer);
            }
        };
        let mut task = Some(task::spawn_on(&self.runtime, "the host's own answers", answering));
        if !parts.method.is_safe()
            && let Some(task) = task.take()
        {
            task.detach();
        }
        let answered = timeout_at(until, told).await;
        drop(task);
        match answered {
            Ok(Ok(Some(response))) => finish(&parts.method, response),
            // It panicked, or gave more than it should.
            Ok(Ok(None) | Err(_)) => Err(Refusal::Failed),
            Err(_) => Err(Refusal::Late(Reason::RequestTimeout)),
        }
    }
}

/// Where nothing is.
async fn nowhere() -> impl IntoResponse {
    let mut response = StatusCode::NOT_FOUND.into_response();
    response.extensions_mut().insert(Nowhere);
    response
}

/// Calls the router, and takes the whole body of what it gives. None: there was too much of it.
async fn answer(router: Router, request: Request<axum::body::Body>) -> Option<Response<Bytes>> {
    let response: Result<_, Infallible> = router.oneshot(request).await;
    let Ok(response) = response;
    let (parts, body) = response.into_parts();
    match Limited::new(body, MAX_RESPONSE).collect().await {
        Ok(body) => Some(Response::from_parts(parts, body.to_bytes())),
        Err(error) => {
            tracing::error!(%error, "an answer of the host's own could not be made");
            None
        }
    }
}

/// The request as the router gets it: one spelling of each address, one field of cookies, no HEAD, and nothing about the
/// connection.
fn request(
    parts: &Parts,
    path: &Path<'_>,
    client: Client,
    body: Bytes,
) -> Result<Request<axum::body::Body>, Refusal> {
    let mut request = Request::new(axum::body::Body::from(body));
    let is_head = parts.method == Method::HEAD;
    *request.method_mut() = if is_head { Method::GET } else { parts.method.clone() };
    *request.uri_mut() = uri(path, parts.uri.query())?;
    *request.headers_mut() = headers(&parts.headers);
    request.extensions_mut().insert(client);
    Ok(request)
}

fn uri(path: &Path<'_>, query: Option<&str>) -> Result<Uri, Refusal> {
    let mut text = String::from("/");
    for (index, segment) in path.segments().iter().enumerate() {
        if index > 0 {
            text.push('/');
        }
        text.extend(percent_encode(segment, SEGMENT));
    }
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    text.parse().map_err(|_| Refusal::Malformed("the request target is malformed".into()))
}

fn headers(sent: &HeaderMap) -> HeaderMap {
    let mut headers = sent.clone();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let cookies: Vec<_> = sent.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(one) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, one);
    }
    headers
}

fn finish(method: &Method, response: Response<Bytes>) -> Result<Reply, Refusal> {
    let (mut parts, body) = response.into_parts();
    if parts.extensions.remove::<Nowhere>().is_some() {
        return Err(Refusal::NotFound);
    }
    parts.headers.remove(CONTENT_LENGTH);
    let mut reply = Reply::from_parts(parts, Body::from(body));
    if method == Method::OPTIONS && reply.status() == StatusCode::METHOD_NOT_ALLOWED {
        allow(&mut reply);
    }
    Ok(reply)
}

/// Makes of "not allowed" what OPTIONS asks for.
fn allow(reply: &mut Reply) {
    *reply.status_mut() = StatusCode::NO_CONTENT;
    *reply.body_mut() = Body::default();
    let named =
        reply.headers().get(ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
    let mut methods: Vec<_> = named.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    methods.push("OPTIONS");
    methods.sort_unstable();
    methods.dedup();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        reply.headers_mut().insert(ALLOW, allow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        let uri = |path: &str, query| {
            uri(&Path::parse(path.as_bytes()).unwrap(), query).unwrap().to_string()
        };
        assert_eq!(uri("/api//user/", None), "/api/user");
        assert_eq!(uri("//%61pi/user/a%20b%c3%a9", Some("a=%20")), "/api/user/a%20b%C3%A9?a=%20");
        assert_eq!(uri("/", Some("")), "/?");
        assert_eq!(uri("/a:b@c/~x", None), "/a:b@c/~x");
        assert_eq!(uri("/a%3fb%23", None), "/a%3Fb%23");
    }

    #[test]
    fn cookies_come_as_one_field_and_the_connection_stays_outside() {
        let mut sent = HeaderMap::new();
        sent.append(COOKIE, HeaderValue::from_static("a=b"));
        sent.append(COOKIE, HeaderValue::from_static("c=d"));
        sent.insert(CONNECTION, HeaderValue::from_static("close"));
        let headers = headers(&sent);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[COOKIE], "a=b; c=d");
    }
}
