//! HTTP/2 on one connection, and the bounds that keep a client from having more of it than its share.
//!
//! Hyper and h2 hold the protocol; what they leave open is held here: how much of a connection one client may
//! take, how long, and how often it may change its mind. See [`streams`] for those of single streams.

mod streams;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::streams::{Stream, Streams, Verdict, Watched};
use super::Settings;
use super::body::Body;
use super::connection::Peer;
use super::http1::Io;
use super::observe::Reason;
use super::serve::{FAREWELL, Patience, Server};
use super::wire::Wire;
use super::worker::Tasks;

/// Requests of one connection at a time. Browsers reckon with 100 or more.
const MAX_STREAMS: u32 = 128;
/// How much of a request's body a client may send before the plugin takes it. A quarter of a megabyte keeps a
/// fast line busy over some milliseconds; more would only lie here, as a plugin's own credit is about as much.
const STREAM_WINDOW: u32 = 256 << 10;
/// How much of all bodies of a connection: what it may occupy here at most. Larger than that of a stream, so
/// that an upload which its plugin does not take leaves room for those beside it.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How much of a response waits in h2 for the client's window. Twice what the kernel takes at once would be
/// enough; h2 has it for each stream.
const SEND_BUFFER: usize = 64 << 10;
/// Streams that a client gave up before they were looked at (rapid reset, CVE-2023-44487), and those that broke
/// a rule (CVE-2025-8671), until the connection is given up.
const MAX_RESET: usize = 20;
const MAX_BROKEN: usize = 128;
/// How much may wait in the kernel behind what is on its way: what is urgent, such as a ping, waits as well.
const UNSENT: u32 = 128 << 10;

/// Runs hyper's task for each stream, as one of the worker's.
#[derive(Debug, Clone)]
pub(super) struct Spawner(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// A client of which nothing is heard for the time of `patience` is asked whether it is still there, and has as
/// long again to say so.
pub(super) fn builder(settings: &Settings, patience: Patience, tasks: Tasks) -> Builder<Spawner> {
    let header_bytes = u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX);
    let mut http = Builder::new(Spawner(tasks));
    http.timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(header_bytes)
        .max_pending_accept_reset_streams(MAX_RESET)
        .max_local_error_reset_streams(MAX_BROKEN)
        .keep_alive_interval(patience.stall)
        .keep_alive_timeout(patience.stall);
    http
}

/// Answers requests until either side ends it, or the client does what no honest one does. H2 reads all the time,
/// so it sees for itself when the client has gone.
pub(super) async fn speak<S: Io>(
    server: &Arc<Server>,
    wire: Wire<S>,
    peer: &Peer,
    stream: &TcpStream,
) {
    // Where it is not to be had, a slow client is only harder to tell from a dead one.
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    let streams = Streams::new(Instant::now());
    let service =
        service_fn(|request| answer(server.clone(), peer.clone(), streams.begin(), request));
    let connection = server.http2.serve_connection(TokioIo::new(wire), service);
    let mut connection = std::pin::pin!(connection);
    let mut closing = std::pin::pin!(server.closing.cancelled());
    let mut check =
        std::pin::pin!(tokio::time::sleep(server.patience.head.min(server.patience.stall)));
    let mut is_leaving = false;
    loop {
        let next = tokio::select! {
            biased;
            () = &mut closing, if !is_leaving => Next::Leave,
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %peer.address, %error, "a connection ended early");
                }
                return;
            }
            () = streams.abused() => {
                tracing::debug!(peer = %peer.address, "a client gives up most of its requests");
                return;
            }
            () = &mut check => next(server, streams.check(), is_leaving),
        };
        match next {
            Next::Check(when) => check.as_mut().reset(when),
            Next::Leave => {
                connection.as_mut().graceful_shutdown();
                is_leaving = true;
                check.as_mut().reset(Instant::now() + FAREWELL.min(server.patience.stall));
            }
            Next::End => return,
        }
    }
}

/// What to do with a connection.
enum Next {
    Check(Instant),
    /// Say that no more requests are taken, and let those end that are there.
    Leave,
    End,
}

/// A connection that is idle, or holds memory for a client which does not take it, is told to end. It is cut when
/// there is nothing left on it that could end by itself.
fn next(server: &Server, verdict: Verdict, is_leaving: bool) -> Next {
    let later = Instant::now() + server.patience.stall;
    match verdict {
        Verdict::Fine => Next::Check(later),
        Verdict::Idle(since) => {
            let end = since + server.patience.head;
            match is_leaving {
                true => Next::End,
                false if end <= Instant::now() => Next::Leave,
                false => Next::Check(end.min(later)),
            }
        }
        Verdict::Stalled if is_leaving => Next::Check(later),
        Verdict::Stalled => Next::Leave,
        Verdict::Stuck => Next::End,
    }
}

async fn answer(
    server: Arc<Server>,
    peer: Peer,
    stream: Arc<Stream>,
    request: Request<Incoming>,
) -> Result<Response<Watched<Body>>, Infallible> {
    let answering = stream.answering();
    // Hyper bounds their bytes, and with HTTP/1.1 their number as well.
    let reply = if request.headers().len() > server.max_headers {
        server.door.observer.unrouted(Reason::HeadTooLarge);
        let mut reply = Response::new(None);
        *reply.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        reply
    } else {
        server.door.answer(request, peer).await.map(Some)
    };
    answering.done();
    Ok(reply.map(|body| Watched::new(body, stream)))
}
