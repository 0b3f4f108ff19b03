//! What every request goes through, whatever it asks: the caller's rate, and the bounds of its body.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::Request;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use tonic::Status;
use tower::ServiceExt as _;

use super::body::Space;
use super::caller::Caller;
use super::rate::Rates;
use super::reply::Refused;
use super::{Parts, Rules, routes};

/// Clones are the same door.
#[derive(Clone)]
pub(super) struct Door {
    router: Router,
    rates: Arc<Rates>,
    rules: Arc<ArcSwap<Rules>>,
    space: Space,
    body_limit: Duration,
}

impl Door {
    pub(super) fn new(parts: Parts, body_limit: Duration, body_space: usize) -> Self {
        Self {
            rules: parts.rules.clone(),
            router: routes::router(parts),
            rates: Arc::default(),
            space: Space::new(body_space),
            body_limit,
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>, caller: &Caller) -> Response {
        let rate = self.rules.load().rate;
        if let Err(wait) = self.rates.take(caller, rate, Instant::now()) {
            return too_fast(&request, rate, wait);
        }
        let (parts, body) = request.into_parts();
        let (body, held) = self.space.bound(body, self.body_limit);
        let request = Request::from_parts(parts, Body::new(body));
        let Ok(response) = self.router.clone().oneshot(request).await;
        drop(held);
        response
    }
}

fn too_fast(request: &Request<Incoming>, rate: u32, wait: Duration) -> Response {
    let message =
        format!("more than {rate} requests in a second; slow down, or raise service.rate");
    if is_grpc(request.headers()) {
        let (parts, body) = Status::resource_exhausted(message).into_http::<Body>().into_parts();
        return Response::from_parts(parts, body);
    }
    Refused::new(429, message).retry_after(wait).into_response()
}

/// Whether a request wants an answer in gRPC's way.
pub(super) fn is_grpc(headers: &http::HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}
