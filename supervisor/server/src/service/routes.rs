//! Which path leads where.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use outboard_proto::envoy::authorization_server::AuthorizationServer;
use outboard_proto::service::v1::auth_server::AuthServer;
use outboard_proto::service::v1::events_server::EventsServer;
use tonic::Status;
use tonic::server::NamedService;

use super::door::is_grpc;
use super::grpc::Grpc;
use super::reply::Refused;
use super::{Parts, events, forward, people};

/// Larger messages of gRPC are refused before they are read: a thousand events of the usual size.
const MESSAGE_BYTES: usize = 32 << 20;

pub(super) fn router(parts: Parts) -> Router {
    let grpc = Grpc(parts.clone());
    let router = Router::new()
        .route("/v1/events", post(events::publish).fallback(only_post))
        .route("/v1/authenticate", post(people::authenticate).fallback(only_post))
        .route("/v1/authorize", post(people::authorize).fallback(only_post))
        .route("/v1/forward-auth", any(forward::forward_auth))
        .fallback(nothing_here)
        .with_state(parts);
    let events = EventsServer::new(grpc.clone()).max_decoding_message_size(MESSAGE_BYTES);
    let router = with_grpc(router, events);
    let router = with_grpc(router, AuthServer::new(grpc.clone()));
    with_grpc(router, AuthorizationServer::new(grpc))
}

fn with_grpc<S>(router: Router, service: S) -> Router
where
    S: tower::Service<
            Request,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    router.route_service(&format!("/{}/{{*method}}", S::NAME), service)
}

async fn only_post() -> Refused {
    Refused::new(405, "this path takes POST only").allow("POST")
}

async fn nothing_here(request: Request) -> Response {
    if is_grpc(request.headers()) {
        let (parts, body) =
            Status::unimplemented("no such method").into_http::<Body>().into_parts();
        return Response::from_parts(parts, body);
    }
    let paths = "/v1/events, /v1/authenticate, /v1/authorize, /v1/forward-auth";
    Refused::new(404, format!("no such path; there are: {paths}")).into_response()
}
