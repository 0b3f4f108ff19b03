//! Endpoints that the host has to keep within their limits.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use outboard_sdk::{Endpoint, Endpoints, Failure, Request, Response};

use crate::Instance;
use crate::handlers::slow;

pub(crate) fn publish(endpoints: &mut Endpoints<Instance>) {
    let millis = Duration::from_millis;
    endpoints.on(Endpoint::post("gate").max_concurrent_requests(2), slow);
    endpoints.on(Endpoint::post("tiny").max_body_bytes(16), tiny);
    endpoints.on(Endpoint::get("hurry").first_byte_timeout(millis(200)), hurry);
    endpoints.on(Endpoint::any("idle").idle_timeout(millis(300)), idle);
    endpoints.on(Endpoint::get("total").timeout(millis(400)), total);
    endpoints.post("unread", unread);
}

/// `POST tiny`: at most 16 bytes.
async fn tiny(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    Ok(Response::text(request.text().await?))
}

/// `GET hurry`: must begin its response after 200 ms, and does not.
async fn hurry(_: Arc<Instance>, _: Request) -> Response {
    tokio::time::sleep(Duration::from_secs(10)).await;
    Response::text("late\n")
}

/// `* idle`: must not be silent for 300 ms. Reads the body, sends one byte, and is silent.
async fn idle(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let mut body = request.take_body();
    while let Some(piece) = body.next().await {
        piece?;
    }
    let one = stream::once(async { Ok::<_, Infallible>("x") });
    Ok(Response::stream(one.chain(stream::pending())))
}

/// `GET total`: may take 400 ms in all, and takes for ever.
async fn total(_: Arc<Instance>, _: Request) -> Response {
    Response::stream(stream::repeat("x").then(|byte| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>(byte)
    }))
}

/// `POST unread`: neither reads nor answers.
async fn unread(_: Arc<Instance>, request: Request) -> Response {
    pending::<()>().await;
    drop(request);
    Response::new()
}
