//! The order of a start: all that can fail, the handshake line, then service.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use outboard_proto::env::{PluginEnv, negotiate};
use outboard_proto::goplugin::grpc_controller_server::GrpcControllerServer;
use outboard_proto::goplugin::grpc_stdio_server::GrpcStdioServer;
use outboard_proto::handshake::{Address, Line};
use outboard_proto::transport::{
    AddressRule, Broker, BrokerConfig, CONNECTION_WINDOW, Identity, Incoming, Listener, PeerCheck,
    STREAM_WINDOW, Tls, peer_from_pem,
};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tonic::service::Routes;
use tonic_health::server::health_reporter;

use super::broker::UntilStop;
use super::controller::Controller;
use super::error::StartError;
use super::stdio::{self, Redirected};
use super::stop::{GRACE, Stop};
use super::watch::{self, Watched};
use super::{Process, Server};

/// What Go plugins call their sockets.
const SOCKET_PREFIX: &str = "plugin";
/// The service name that go-plugin hosts ask the health of.
const HEALTH_NAME: &str = "plugin";
/// A message of frames in one piece, where the host takes the offer. Measured.
const MAX_FRAME_SIZE: u32 = 128 * 1024;
/// The host bounds what it sends at once; a lower limit here would only make it wait.
const CONCURRENT_CALLS: u32 = 4096;

pub(super) fn run(server: Server, env: PluginEnv) -> Result<(), StartError> {
    if server.versions.is_empty() {
        let message = "the program serves no version; call `version` before `serve`";
        return Err(StartError::Configuration(message.to_owned()));
    }
    let runtime = runtime(server.threads)?;
    let ended = runtime.block_on(start(server, env));
    // Calls that blocked a thread must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, StartError> {
    let mut builder = match threads {
        None => Builder::new_current_thread(),
        Some(threads) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads.get());
            builder
        }
    };
    builder.enable_all().build().map_err(StartError::Runtime)
}

async fn start(mut server: Server, env: PluginEnv) -> Result<(), StartError> {
    let watched = Watched::new(env.host_address.is_some()).map_err(StartError::Runtime)?;
    for item in &env.bad_versions {
        tracing::warn!(item, "the host's list of versions has an item that is no number");
    }
    let ours: Vec<u32> = server.versions.keys().copied().collect();
    let version = negotiate(&env.versions, &ours);
    let services = server.versions.remove(&version).expect("negotiate gives one of ours");
    let (cert, tls) = identity(env.client_cert_pem.as_deref())?.unzip();
    let listener = listen(&env)?;
    let line = Line {
        app_version: version,
        address: listener.address().clone(),
        server_cert: cert,
        multiplex: env.multiplex_asked.then_some(false),
    };
    let stop = Stop::new(path(listener.address()));
    let (broker, broker_service) = Broker::serve(BrokerConfig {
        socket_dir: env.socket_dir,
        socket_group: env.socket_group,
        tls: tls.clone(),
        check: PeerCheck::any(),
        allow_tcp: AddressRule::Loopback,
    });
    let process = Process { version, broker, host_address: env.host_address, stop: stop.clone() };
    let health = health_reporter();
    health.0.set_service_status(HEALTH_NAME, tonic_health::ServingStatus::Serving).await;
    let routes = services(&process)
        .add_service(health.1)
        .add_service(GrpcControllerServer::new(Controller(stop.clone())))
        .add_service(UntilStop { inner: broker_service, stop: stop.clone() });
    let signals = Signals::handle().map_err(StartError::Signals)?;
    print(&line).map_err(StartError::Stdout)?;
    let stdio = stdio::redirect().map_err(StartError::Stdout)?;
    watch::spawn(stop.clone(), watched).map_err(StartError::Runtime)?;
    let routes = routes.add_service(GrpcStdioServer::new(stdio.service(stop.clone())));
    let incoming = listener.incoming(tls, PeerCheck::any());
    let served = serve(routes, incoming, stdio, stop.clone());
    tokio::select! {
        ended = served => ended,
        never = signals.obey(stop) => match never {},
    }
}

/// This process's certificate for the line, and TLS with the host's pinned.
fn identity(host_pem: Option<&str>) -> Result<Option<(Vec<u8>, Tls)>, StartError> {
    let Some(pem) = host_pem else { return Ok(None) };
    let peer = peer_from_pem(pem)?;
    let identity = Identity::generate()?;
    Ok(Some((identity.cert_der().to_vec(), Tls::new(&identity, &peer)?)))
}

fn listen(env: &PluginEnv) -> Result<Listener, StartError> {
    let listener =
        Listener::bind_unix(&env.socket_dir, SOCKET_PREFIX).map_err(StartError::Listen)?;
    if let Some(group) = &env.socket_group {
        listener.share_with_group(group).map_err(StartError::Listen)?;
    }
    Ok(listener)
}

fn path(address: &Address) -> Option<PathBuf> {
    match address {
        Address::Unix(path) => Some(path.clone()),
        Address::Abstract(_) | Address::Tcp(_) => None,
    }
}

fn print(line: &Line) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Serves until asked to stop; then running calls have a moment to end, and are cancelled.
async fn serve(
    routes: Routes,
    incoming: Incoming,
    stdio: Redirected,
    stop: Stop,
) -> Result<(), StartError> {
    let requested = stop.requested();
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME_SIZE)
        .max_concurrent_streams(CONCURRENT_CALLS)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, requested);
    let out_of_time = async {
        stop.requested().await;
        stdio.restore();
        timeout(GRACE, std::future::pending::<()>()).await
    };
    tokio::select! {
        // First, so that the rest of what was printed is on its way before the server can end.
        biased;
        Err(_) = out_of_time => {
            tracing::warn!("calls that did not end in time are cancelled");
            Ok(())
        }
        ended = served => Ok(ended?),
    }
}

/// SIGINT is handled, not ignored by disposition: children would inherit that.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn handle() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn obey(mut self, stop: Stop) -> std::convert::Infallible {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => tracing::debug!("ignored SIGINT: the host decides"),
                _ = self.terminate.recv() => stop.request("SIGTERM"),
            }
        }
    }
}
