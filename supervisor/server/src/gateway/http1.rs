//! HTTP/1.1 on one connection.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Settings;
use super::body::Body;
use super::connection::Peer;
use super::observe::Reason;
use super::serve::Server;
use super::wire::{self, Wire};

/// A socket, or TLS on one.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for S {}

/// How HTTP/1.1 ended on a connection.
pub(super) enum Ended<S> {
    /// The client has gone, or the connection is a tunnel now.
    Away,
    Over,
    /// Half a request's head came, and no more. Hyper only ends here and says nothing.
    HalfRead(Box<Wire<S>>),
}

/// Hyper's own number, which it keeps on the stack; any other costs an allocation for each request.
const DEFAULT_MAX_HEADERS: usize = 100;

/// Never `pipeline_flush`: it lets replies pile up for a client that does not read.
pub(super) fn builder(settings: &Settings, head_timeout: Duration) -> Builder {
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_header_size(settings.max_header_bytes)
        .max_buf_size(settings.max_header_bytes.max(64 << 10));
    if settings.max_headers != DEFAULT_MAX_HEADERS {
        http.max_headers(settings.max_headers);
    }
    http
}

/// Answers requests until either side ends it. When the client has gone, all that is being done for it is
/// dropped.
pub(super) async fn speak<S: Io>(
    server: &Server,
    wire: Wire<S>,
    peer: &Peer,
    stream: &TcpStream,
) -> Ended<S> {
    let is_old = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        is_old.store(request.version() == Version::HTTP_10, Ordering::Relaxed);
        answer(server, peer, request)
    });
    let connection = server.http1.serve_connection(TokioIo::new(wire), service);
    let mut connection = connection.with_upgrades();
    let mut gone = std::pin::pin!(wire::gone(stream));
    let mut closing = std::pin::pin!(server.closing.cancelled());
    let mut is_closing = false;
    let ended = loop {
        tokio::select! {
            biased;
            // First, so that no response after it leaves the client in the belief that it may ask again.
            () = &mut closing, if !is_closing => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                is_closing = true;
            }
            ended = &mut connection => break ended,
            () = &mut gone => return Ended::Away,
        }
    };
    let is_timeout = ended.as_ref().is_err_and(hyper::Error::is_timeout);
    if let Some(reason) = ended.as_ref().err().and_then(reason) {
        server.door.observer.unrouted(reason);
    }
    let is_broken_off = ended.as_ref().is_err_and(hyper::Error::is_user);
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "a connection ended early");
    }
    if is_broken_off && is_old.load(Ordering::Relaxed) {
        // To a client of HTTP/1.0 the end of the connection is the end of the response, so this must be another
        // end. It fails where the client has gone already.
        let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return Ended::Away;
    }
    match connection.into_parts() {
        Some(parts) if is_timeout && !parts.read_buf.is_empty() => {
            Ended::HalfRead(Box::new(parts.io.into_inner()))
        }
        // Hyper also lets go of a connection on which an upgrade was asked for and refused.
        None if peer.is_tunnel() => Ended::Away,
        Some(_) | None => Ended::Over,
    }
}

/// Why hyper answered by itself, if it did.
fn reason(error: &hyper::Error) -> Option<Reason> {
    match error {
        error if error.is_parse_too_large() => Some(Reason::HeadTooLarge),
        error if error.is_parse() => Some(Reason::Malformed),
        _ => None,
    }
}

async fn answer(
    server: &Server,
    peer: &Peer,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let is_informed = request.version() == Version::HTTP_11;
    let asking = if is_informed { peer.asking() } else { peer.clone() };
    let reply = server.door.answer(request, asking).await;
    peer.answered(reply.status());
    Ok(reply)
}
