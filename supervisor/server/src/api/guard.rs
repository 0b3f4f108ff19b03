//! What holds for every request to the API: whose pages may send it, and what browsers may do with the answer.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, ORIGIN, PRAGMA, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use outboard_core::route::origin;

use super::Parts;
use super::reply::{Refused, empty};
use crate::gateway::own::Client;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type");
const TEN_MINUTES: HeaderValue = HeaderValue::from_static("600");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What holds for every answer.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

pub(super) async fn guard(State(parts): State<Parts>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let listed = origin.filter(|origin| parts.settings.lists(origin));
    let mut response = if is_preflight(&request) {
        empty(StatusCode::NO_CONTENT)
    } else if may_act(&parts, &request) {
        next.run(request).await
    } else {
        Refused::Forbidden(
            "a page of another origin may not do this; list its origin in cors.origins if it is to"
                .to_owned(),
        )
        .into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    share(headers, listed);
    response
}

/// Never an echo: only an origin that the operator lists.
fn share(headers: &mut HeaderMap, listed: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = listed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, TEN_MINUTES);
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What changes something needs a page of ours, or a key, which no browser sends by itself.
fn may_act(parts: &Parts, request: &Request) -> bool {
    let headers = request.headers();
    let is_by_key = headers.contains_key(AUTHORIZATION) && !headers.contains_key(COOKIE);
    if request.method().is_safe() || is_by_key {
        return true;
    }
    let own = request.extensions().get::<Client>();
    let own = own.map(|client| format!("{}://{}", client.scheme, client.authority));
    let allowed = own.iter().chain(&parts.settings.origins).map(String::as_str);
    let allowed: Vec<_> = allowed.collect();
    let value = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    origin::may_act(value(&SEC_FETCH_SITE), value(&ORIGIN), &allowed)
}
