//! Ends the broker's control stream when the process stops: the host keeps it open for good, and a
//! graceful end waits for all streams.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

use super::stop::Stop;

/// A service whose callers seem to hang up when the process stops.
#[derive(Clone)]
pub(super) struct UntilStop<S> {
    pub(super) inner: S,
    pub(super) stop: Stop,
}

impl<S: NamedService> NamedService for UntilStop<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for UntilStop<S>
where
    S: Service<http::Request<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> S::Future {
        let stop = self.stop.requested();
        self.inner.call(request.map(|body| {
            let pieces = body.into_data_stream().take_until(stop);
            Body::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))))
        }))
    }
}
