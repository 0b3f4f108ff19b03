//! Why bodies of every size are Data frames: the same bodies on the stream that all requests share, and each on a gRPC
//! stream of its own, with what either does to small requests beside it.
//!
//! Two threads, a runtime each, a Unix socket between them, as between a worker of the gateway and a plugin.

use std::{
    fmt::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use outboard_proto::{
    frame::{Limits, OpenError, Role, Settings},
    handshake::Address,
    plugin::v1::{
        Frames, HandleRequest, HandleResponse, Request, RequestFrame, Response, ResponseFrame,
        http_client::HttpClient,
        http_server::{Http, HttpServer},
    },
    transport::{
        Listener, PeerCheck, connect,
        mux::{Exchange, Mux, Part},
    },
};
use prost::bytes::Bytes;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinSet,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming, transport::Channel};

use crate::figures::{median, ratio, share, span};

mod wire {
    //! bodies.proto
    #![allow(clippy::pedantic, unreachable_pub, dead_code, reason = "generated")]
    tonic::include_proto!("bodies");
}

use wire::{
    Piece, Size,
    bodies_client::BodiesClient,
    bodies_server::{Bodies, BodiesServer},
};

const PIECE: usize = 64 << 10;
const SIZES: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];
/// Bodies at a time, and small requests beside them.
const BODIES: usize = 16;
const SMALL: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Shared,
    Own,
}

/// One round's figures.
struct Seen {
    mib_per_second: f64,
    small_per_second: f64,
    small_p99_us: f64,
}

#[derive(Default)]
struct Rounds {
    rate: Vec<f64>,
    small: Vec<f64>,
    p99: Vec<f64>,
}

pub(crate) fn measure(rounds: usize, seconds: u64) -> Result<String> {
    let mut text = String::from(
        "| body | | MiB/s | small requests/s beside them | their p99 µs |\n|--:|---|--:|--:|--:|\n",
    );
    let mut ratios = String::new();
    for size in SIZES {
        let [mut shared, mut own] = <[Rounds; 2]>::default();
        for _ in 0..rounds {
            shared.add(&round(Way::Shared, size, seconds)?);
            own.add(&round(Way::Own, size, seconds)?);
        }
        for (name, rounds) in [("Data frames", &shared), ("a stream of its own", &own)] {
            let (rate, small, p99) =
                (span(&rounds.rate, 0), span(&rounds.small, 0), span(&rounds.p99, 0));
            writeln!(text, "| {} KiB | {name} | {rate} | {small} | {p99} |", size >> 10)?;
        }
        writeln!(
            ratios,
            "* {} KiB: Data frames carry {:.2} × the bytes and {:.2} × the small requests",
            size >> 10,
            ratio(&shared.rate, &own.rate),
            ratio(&shared.small, &own.small)
        )?;
    }
    Ok(format!("{text}\n{ratios}"))
}

impl Rounds {
    fn add(&mut self, seen: &Seen) {
        self.rate.push(seen.mib_per_second);
        self.small.push(seen.small_per_second);
        self.p99.push(seen.small_p99_us);
    }
}

fn round(way: Way, size: usize, seconds: u64) -> Result<Seen> {
    let dir = tempfile::tempdir()?;
    let (stop, stopped) = oneshot::channel();
    let (at, address) = std::sync::mpsc::channel();
    let path = dir.path().to_owned();
    let server = std::thread::spawn(move || one_thread()?.block_on(serve(&path, &at, stopped)));
    let seen = match address.recv() {
        Ok(address) => one_thread()?.block_on(load(&address, way, size, seconds)),
        Err(_) => Err(anyhow!("the server did not start")),
    };
    let _ = stop.send(());
    server.join().map_err(|_| anyhow!("the server panicked"))??;
    seen
}

fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

async fn serve(
    dir: &Path,
    at: &std::sync::mpsc::Sender<Address>,
    stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let listener = Listener::bind_unix(dir, "bodies")?;
    at.send(listener.address().clone())?;
    let serving = tonic::transport::Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .add_service(HttpServer::new(Plugin))
        .add_service(BodiesServer::new(Plugin))
        .serve_with_incoming(listener.incoming(None, PeerCheck::any()));
    tokio::select! {
        served = serving => Ok(served?),
        _ = stopped => Ok(()),
    }
}

struct Plugin;

type Boxed<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Http for Plugin {
    type ServeStream = Boxed<Frames>;

    async fn serve(
        &self,
        request: tonic::Request<Streaming<Frames>>,
    ) -> Result<tonic::Response<Self::ServeStream>, Status> {
        let settings = Settings { max_concurrent_requests: 4096, ..Settings::default() };
        let (mux, outgoing) = Mux::new(Role::Plugin, settings, Limits::default());
        let inbound = request.into_inner();
        tokio::spawn(async move {
            mux.read(inbound, |exchange, request| {
                tokio::spawn(answer(exchange, *request));
            })
            .await
        });
        Ok(tonic::Response::new(Box::pin(outgoing.map(Ok))))
    }

    async fn handle(
        &self,
        _: tonic::Request<HandleRequest>,
    ) -> Result<tonic::Response<HandleResponse>, Status> {
        Err(Status::unimplemented("frames only"))
    }
}

/// The query says how many bytes.
async fn answer(exchange: Exchange, request: RequestFrame) {
    let query = request.request.and_then(|it| it.query).unwrap_or_default();
    let size = std::str::from_utf8(&query).ok().and_then(|it| it.parse().ok()).unwrap_or(0);
    let (mut sending, _receiving) = exchange.split();
    let body = Bytes::from_static(&[b'x'; PIECE]);
    let first = body.slice(..PIECE.min(size));
    let mut left = size - first.len();
    let head = Response { status: 200, headers: Vec::new() };
    let frame = ResponseFrame { response: Some(head), data: first, end: left == 0, outcome: 0 };
    if sending.respond(frame).is_err() {
        return;
    }
    while left > 0 {
        let piece = body.slice(..PIECE.min(left));
        left -= piece.len();
        if sending.send(piece, left == 0).await.is_err() {
            return;
        }
    }
}

#[tonic::async_trait]
impl Bodies for Plugin {
    type ReadStream = Boxed<Piece>;

    async fn read(
        &self,
        request: tonic::Request<Size>,
    ) -> Result<tonic::Response<Self::ReadStream>, Status> {
        let size = usize::try_from(request.into_inner().bytes).unwrap_or(usize::MAX);
        let (send, receive) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            let body = Bytes::from_static(&[b'x'; PIECE]);
            let mut left = size;
            while left > 0 {
                let data = body.slice(..PIECE.min(left));
                left -= data.len();
                if send.send(Ok(Piece { data })).await.is_err() {
                    return;
                }
            }
        });
        Ok(tonic::Response::new(Box::pin(ReceiverStream::new(receive))))
    }
}

/// What the tasks of a round share.
struct Shared {
    mux: Mux,
    channel: Channel,
    is_over: AtomicBool,
    bytes: AtomicU64,
}

async fn load(address: &Address, way: Way, size: usize, seconds: u64) -> Result<Seen> {
    let channel = connect(address, None, &PeerCheck::any(), Duration::from_secs(5)).await?;
    let (mux, outgoing) = Mux::new(Role::Host, Settings::default(), Limits::default());
    let inbound = HttpClient::new(channel.clone()).serve(outgoing).await?.into_inner();
    let reader = mux.clone();
    let reading = tokio::spawn(async move { reader.read(inbound, |_, _| {}).await });
    mux.ready().await?;
    let shared = Arc::new(Shared { mux, channel, is_over: false.into(), bytes: AtomicU64::new(0) });
    let begun = Instant::now();
    let (mut bodies, mut small) = (JoinSet::new(), JoinSet::new());
    for _ in 0..BODIES {
        bodies.spawn(read_bodies(shared.clone(), way, size));
    }
    for _ in 0..SMALL {
        small.spawn(small_requests(shared.clone()));
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    shared.is_over.store(true, Ordering::Relaxed);
    let took = begun.elapsed().as_secs_f64();
    let read = shared.bytes.load(Ordering::Relaxed);
    let mut latencies = Vec::new();
    while let Some(one) = small.join_next().await {
        latencies.extend(one??);
    }
    while let Some(one) = bodies.join_next().await {
        one??;
    }
    reading.abort();
    ensure!(median(&latencies) > 0.0, "no small request was answered");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(Seen {
        mib_per_second: read as f64 / took / f64::from(1 << 20),
        small_per_second: latencies.len() as f64 / took,
        small_p99_us: share(&latencies, 0.99),
    })
}

async fn read_bodies(shared: Arc<Shared>, way: Way, size: usize) -> Result<()> {
    while !shared.is_over.load(Ordering::Relaxed) {
        match way {
            Way::Shared => whole(&shared, size).await?,
            Way::Own => own(&shared, size).await?,
        }
    }
    Ok(())
}

async fn small_requests(shared: Arc<Shared>) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    while !shared.is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        whole(&shared, 17).await?;
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(latencies)
}

async fn whole(shared: &Shared, size: usize) -> Result<()> {
    let query = Some(Bytes::from(size.to_string()));
    let request = Request { method: "GET".to_owned(), query, ..Request::default() };
    let frame = RequestFrame { request: Some(request), end: true, ..RequestFrame::default() };
    let exchange = shared.mux.open(Box::new(frame)).map_err(|(error, _): (OpenError, _)| error)?;
    let (_sending, mut receiving) = exchange.split();
    let mut length = 0;
    while let Some(part) = receiving.part().await {
        let bytes = match part.map_err(|failure| anyhow!("{failure:?}"))? {
            Part::Response(response) => response.data.len(),
            Part::Data(data) => data.len(),
            Part::Informational(_) | Part::Trailers(_) => 0,
        };
        length += bytes;
        shared.count(bytes, size);
    }
    ensure!(length == size, "{length} of {size} bytes");
    Ok(())
}

async fn own(shared: &Shared, size: usize) -> Result<()> {
    let mut client = BodiesClient::new(shared.channel.clone());
    let bytes = u64::try_from(size)?;
    let mut pieces = client.read(Size { bytes }).await.context("Read")?.into_inner();
    let mut length = 0;
    while let Some(piece) = pieces.message().await? {
        length += piece.data.len();
        shared.count(piece.data.len(), size);
    }
    ensure!(length == size, "{length} of {size} bytes");
    Ok(())
}

impl Shared {
    /// Small ones are not what the rate is about.
    fn count(&self, bytes: usize, size: usize) {
        if PIECE <= size {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}
