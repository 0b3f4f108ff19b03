//! A plugin whose requests and responses come in pieces, and which says when a handler is dropped: what the
//! tests of the frames need.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use outboard_sdk::header::LINK;
use outboard_sdk::{
    BodyError, Bytes, Endpoint, Endpoints, Failure, HeaderMap, HeaderValue, Init, Outcome, Plugin,
    Problems, Request, Response, Server, StatusCode,
};
use serde_json::Value;

struct Streams;

#[derive(Default)]
struct Instance {
    /// Pieces that `endless` has made.
    pieces: AtomicUsize,
}

impl Plugin for Streams {
    type Parameters = Value;
    type Instance = Instance;

    async fn init(
        &self,
        _: Init<Value>,
        endpoints: &mut Endpoints<Instance>,
    ) -> Result<Instance, Problems> {
        endpoints.get("hello", |_, _| async { "hello" });
        endpoints.get("panic", panic);
        endpoints.get("late-panic", late_panic);
        endpoints.any("wait", wait);
        endpoints.get("rest", rest);
        endpoints.any("mirror", mirror);
        endpoints.post("whole", whole);
        endpoints.post("refuse", |_, _| async { StatusCode::FORBIDDEN });
        endpoints.get("zeros", zeros);
        endpoints.get("endless", endless);
        endpoints.get("pieces", pieces);
        endpoints.get("broken", broken);
        endpoints.get("hints", hints);
        endpoints.get("deadline", deadline);
        endpoints.any("upgrade", upgrade);
        endpoints.any("bad-upgrade", bad_upgrade);
        endpoints.on(Endpoint::any("chain").priority(1).filter(), count_body);
        endpoints.on(Endpoint::any("chain").priority(2), begin_answer);
        endpoints.on(Endpoint::any("chain").priority(3), end_answer);
        Ok(Instance::default())
    }
}

/// Says so when it is dropped.
struct Guard(&'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        tracing::info!("{} is dropped", self.0);
    }
}

async fn panic(_: Arc<Instance>, _: Request) -> StatusCode {
    panic!("as asked");
}

async fn late_panic(_: Arc<Instance>, _: Request) -> StatusCode {
    tokio::task::yield_now().await;
    panic!("as asked");
}

/// Never reads its body, and never answers.
async fn wait(_: Arc<Instance>, _request: Request) -> StatusCode {
    let _guard = Guard("wait");
    tracing::info!("wait has begun");
    pending().await
}

/// Answers after a while.
async fn rest(_: Arc<Instance>, _: Request) -> &'static str {
    tracing::info!("rest has begun");
    tokio::time::sleep(Duration::from_millis(300)).await;
    "rested"
}

async fn mirror(_: Arc<Instance>, request: Request) -> Response {
    Response::new().with_body(request.take_body())
}

async fn whole(_: Arc<Instance>, request: Request) -> Result<String, Failure> {
    Ok(request.bytes().await?.len().to_string())
}

/// A whole body of that many bytes.
async fn zeros(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let bytes = request.query_value("bytes").unwrap_or_default().parse()?;
    Ok(Response::new().with_body(vec![0; bytes]))
}

async fn endless(instance: Arc<Instance>, _: Request) -> Response {
    let guard = Guard("endless");
    Response::stream(stream::repeat(Bytes::from(vec![0; 16 * 1024])).map(move |piece| {
        let _ = &guard;
        instance.pieces.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(piece)
    }))
}

async fn pieces(instance: Arc<Instance>, _: Request) -> String {
    instance.pieces.load(Ordering::Relaxed).to_string()
}

async fn broken(_: Arc<Instance>, request: Request) -> Response {
    let (mut writer, response) = Response::channel();
    let is_early = request.query_value("early").is_some();
    tokio::spawn(async move {
        if !is_early {
            let _ = writer.send("half").await;
        }
        writer.fail("the other half is lost").await;
    });
    response
}

async fn hints(_: Arc<Instance>, request: Request) -> Result<&'static str, Failure> {
    let link = HeaderMap::from_iter([(LINK, HeaderValue::from_static("</a.css>"))]);
    request.inform(StatusCode::EARLY_HINTS, &link)?;
    if request.inform(StatusCode::SWITCHING_PROTOCOLS, &link).is_ok() {
        return Ok("101 is no hint");
    }
    Ok("hinted")
}

async fn deadline(_: Arc<Instance>, request: Request) -> String {
    match request.time_left() {
        Some(left) => left.as_secs().to_string(),
        None => "none".to_owned(),
    }
}

/// Sends everything back until the client has ended, and then a farewell.
async fn upgrade(_: Arc<Instance>, request: Request) -> Response {
    Response::upgrade(&request, "echo", |connection| async {
        let _guard = Guard("upgrade");
        let (mut reader, mut writer) = tokio::io::split(connection);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writer, b" and bye").await;
    })
}

async fn bad_upgrade(_: Arc<Instance>, request: Request) -> Response {
    Response::upgrade(&request, "echo", |mut connection| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut connection, b"half").await;
        panic!("as asked");
    })
}

/// Tells the next step how long the body is. A longer one is refused, a very long one forgotten.
async fn count_body(_: Arc<Instance>, request: Request) -> Result<Outcome, Failure> {
    let length = request.bytes().await?.len();
    Ok(match length {
        0..100_000 => Outcome::proceed().context(length.to_string()),
        100_000..200_000 => Outcome::refuse().response(Response::text("too long")),
        200_000..300_000 => Outcome::proceed().context(vec![0; 65 * 1024]),
        _ => Outcome::fail(),
    })
}

async fn begin_answer(_: Arc<Instance>, request: Request) -> Outcome {
    let context = String::from_utf8_lossy(request.context()).into_owned();
    let text = [Ok::<_, BodyError>(context), Ok(" bytes: ".to_owned())];
    let response = Response::stream(stream::iter(text)).status(StatusCode::CREATED);
    Outcome::proceed().response(response.header(LINK, HeaderValue::from_static("</a>")))
}

/// Reads the body again, and puts it behind what the step before has begun. An empty one ends the chain with
/// the response as it is.
async fn end_answer(_: Arc<Instance>, mut request: Request) -> Result<Outcome, Failure> {
    let body = request.bytes().await?;
    if body.is_empty() {
        return Ok(Outcome::proceed());
    }
    let Some(response) = request.take_response_so_far() else { return Ok(Outcome::fail()) };
    let (status, headers) = (response.status_code(), response.headers().clone());
    let pieces = response.into_body().chain(stream::once(async { Ok(body) }));
    let mut response = Response::stream(pieces).status(status);
    *response.headers_mut() = headers;
    Ok(Outcome::complete(response))
}

fn main() -> ExitCode {
    let mut server = Server::new("streams", Streams);
    if let Some(threads) = std::env::var("STREAMS_THREADS").ok().and_then(|it| it.parse().ok()) {
        server = server.threads(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN));
    }
    if let Some(requests) = std::env::var("STREAMS_REQUESTS").ok().and_then(|it| it.parse().ok()) {
        server = server.max_concurrent_requests(requests);
    }
    server.serve()
}
