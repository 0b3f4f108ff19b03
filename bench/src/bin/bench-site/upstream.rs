//! The site as a proxy's upstream: HTTP/1.1 on a Unix socket.

use std::io;

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{UnixListener, UnixStream},
    runtime::Builder,
};

use crate::content::{self, Pieces};

/// Until it is killed.
pub(crate) fn serve(socket: &str) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(accept(socket))
}

async fn accept(socket: &str) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(speak(connection));
    }
}

async fn speak(connection: UnixStream) {
    let io = TokioIo::new(connection);
    if let Err(error) = http1::Builder::new().serve_connection(io, service_fn(answer)).await {
        eprintln!("a connection ended early: {error}");
    }
}

/// The proxy has seen to it that the path leads here; what is wanted is said by its end.
async fn answer(request: Request<Incoming>) -> Result<Response<Pieces>, hyper::Error> {
    let body = match request.uri().path().rsplit('/').next() {
        Some("download") => length(&request).map(Pieces::of_length),
        Some("upload") => {
            let count = count(request.into_body()).await?;
            Some(Pieces::once(count.to_string().into()))
        }
        Some(size) => content::page(size).await.map(Pieces::once),
        None => None,
    };
    let found = body.is_some();
    let mut response = Response::new(body.unwrap_or_else(|| Pieces::of_length(0)));
    if found {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(response)
}

fn length(request: &Request<Incoming>) -> Option<u64> {
    request.uri().query()?.strip_prefix("bytes=")?.parse().ok()
}

async fn count(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut count = 0;
    while let Some(frame) = body.frame().await {
        count += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(count)
}
