//! Connections: taken in up to a bound, kept, and let go in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::body::{Body, Room};
use super::connection::Peer;
use super::handle::Door;
use super::wire::{self, Wire};
use super::worker::Tasks;
use super::{Gateway, Limits, Settings};
use crate::plugin::snapshot::Routes;

/// Pause after accepting failed for want of file descriptors or memory, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    gateway: Gateway,
    routes: Arc<Routes>,
    limits: Arc<ArcSwap<Limits>>,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) -> usize {
    let Gateway { listener, settings, head_timeout, body_memory } = gateway;
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let bodies = Room::new(body_memory);
    let prefix = settings.prefix.clone();
    let tasks = Tasks::default();
    let door = Arc::new(Door { worker: 0, tasks, prefix, routes, limits, bodies });
    let server =
        Server { http: http(&settings, head_timeout), door, closing: CancellationToken::new() };
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => report(ended),
            (place, stream, peer) = accept(&listener, &places) => {
                connections.spawn(server.clone().connection(stream, peer, place));
            }
        }
    }
    drop(listener);
    server.closing.cancel();
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    // On time-out the rest is aborted when the set is dropped.
    let _ = tokio::time::timeout(drain, drained).await;
    connections.len()
}

/// Waits for a free place first, so that clients beyond the bound wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (place, stream, peer),
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "the gateway cannot accept connections; raise the limit of open files (ulimit -n) or lower gateway.max_connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("answering a client's requests panicked; this is a bug, please report it");
    }
}

/// Never `pipeline_flush`: it lets replies pile up for a client that does not read.
fn http(settings: &Settings, head_timeout: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_header_size(settings.max_header_bytes)
        .max_buf_size(settings.max_header_bytes.max(64 << 10));
    if settings.max_headers != DEFAULT_MAX_HEADERS {
        http.max_headers(settings.max_headers);
    }
    http
}

/// Hyper's own number, which it keeps on the stack; any other costs an allocation for each request.
const DEFAULT_MAX_HEADERS: usize = 100;

#[derive(Clone)]
struct Server {
    http: http1::Builder,
    door: Arc<Door>,
    closing: CancellationToken,
}

impl Server {
    async fn connection(self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        // A reply is written whole; waiting for more to send would only delay it.
        let _ = stream.set_nodelay(true);
        let stream = Arc::new(stream);
        let peer = Peer::new(peer.ip(), false, place);
        let is_half_read = self.speak(&stream, &peer).await;
        if is_half_read {
            // Hyper only closes here. Best effort: the buffer of a client that sent half a head is empty.
            let _ = stream.try_write(REQUEST_TIMEOUT);
        }
        if !self.closing.is_cancelled() {
            wire::linger(&stream).await;
        }
    }

    /// Speaks HTTP until either side ends it. True if it ended because half a request head came and no more.
    async fn speak(&self, stream: &Arc<TcpStream>, peer: &Peer) -> bool {
        let service = service_fn(|request| self.answer(request, peer.clone(), stream));
        let io = TokioIo::new(Wire::new(stream.clone()));
        let mut connection = self.http.serve_connection(io, service);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.closing.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let is_timeout = ended.as_ref().is_err_and(hyper::Error::is_timeout);
        if let Err(error) = ended {
            tracing::debug!(peer = %peer.address, %error, "a connection ended early");
        }
        is_timeout && !connection.into_parts().read_buf.is_empty()
    }

    /// A service that never fails, except by ending: when the client has gone there is nobody to answer.
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        stream: &TcpStream,
    ) -> Result<Response<Body>, Gone> {
        tokio::select! {
            biased;
            reply = self.door.answer(request, peer) => Ok(reply),
            () = wire::gone(stream) => Err(Gone),
        }
    }
}

/// The client left before its answer was ready.
#[derive(Debug, thiserror::Error)]
#[error("the client has gone")]
struct Gone;

const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/json\r\n\
    content-length: 81\r\n\
    connection: close\r\n\
    \r\n\
    {\"error\":\"request timeout\",\"message\":\"the request's head did not arrive in time\"}";
