//! What a browser gets: a page under strict rules, another place to go to, or a file that pages refer to.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use minijinja::value::Value;
use minijinja::{context, value};

use super::look::Look;
use super::theme::Asset;

/// Nothing but our own styles and pictures, and pictures that are in the page itself (a QR code).
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const POLICY_WITH_SCRIPT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page that is to be rendered.
#[derive(Debug)]
pub(super) struct Page {
    template: &'static str,
    context: Value,
    status: StatusCode,
    headers: HeaderMap,
    has_script: bool,
}

impl Page {
    pub(super) fn new(template: &'static str, context: Value) -> Self {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Self { template, context, status, headers, has_script: false }
    }

    /// `status` is one of HTTP's.
    #[must_use]
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        if let Some(wait) = wait {
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            self.headers.insert(RETRY_AFTER, HeaderValue::from(whole.max(1)));
        }
        self
    }

    /// The one script may run in it.
    #[must_use]
    pub(super) fn with_script(mut self, has_script: bool) -> Self {
        self.has_script = has_script;
        self
    }

    /// The browser goes on by itself. Unlike a redirection this is no part of what a form was sent to, which the policy
    /// keeps to this host.
    #[must_use]
    pub(super) fn going_on(mut self, url: &str) -> Self {
        // Bytes that a header can't hold are none of a URL that was written anew.
        if let Ok(value) = HeaderValue::try_from(format!("0;url={url}")) {
            self.headers.insert(HeaderName::from_static("refresh"), value);
        }
        self
    }

    pub(super) fn render(self, look: &Look) -> Response {
        let whole = context! {
            site => value::Value::from_serialize(look.shown()),
            has_script => self.has_script,
            ..self.context
        };
        let (status, text) = match look.theme.render(self.template, &whole) {
            Ok(text) => (self.status, text),
            Err(error) => {
                let problem = format!("{error:#}");
                tracing::error!(template = self.template, problem, "a page can't be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page can't be shown.".to_owned())
            }
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let policy = if self.has_script { POLICY_WITH_SCRIPT } else { POLICY };
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        guarded(headers);
        response
    }
}

/// What each answer has, for browsers and whatever is between.
fn guarded(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // With `no-referrer`, browsers would not say either where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
}

/// To be fetched from there.
pub(super) fn see(url: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    match HeaderValue::try_from(url) {
        Ok(url) => drop(headers.insert(LOCATION, url)),
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    guarded(response.headers_mut());
    response
}

#[must_use]
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// A file. Pages refer to it with its version, so it may be kept; whoever asks without is told to ask again.
pub(super) fn file(
    asset: &Asset,
    version: &str,
    asked: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let tag = format!("\"{version}\"");
    let is_known =
        headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let body = if is_known { Body::empty() } else { Body::from(asset.bytes.clone()) };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    guarded(headers);
    let kept =
        if asked == Some(version) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    // A picture may be opened by itself, and one of a theme may hold scripts.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    );
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}
