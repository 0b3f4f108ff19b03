//! A plugin that shakes hands and serves, well or badly.
//!
//! Flags: where it listens (`unix` if none is given, `tls-tcp`, `localhost`, `any`, `ipv6`,
//! `abstract`); `bare`: no service of go-plugin's; `lazy`: no response headers before the first
//! message, as Go plugins do; `not-serving`; `unavailable`: answers Shutdown with an error, then exits
//! with 7; `deaf`: answers Shutdown and stays; `no-cert`: no certificate though asked for one;
//! `clear`: prints a certificate and serves without TLS.
//!
//! The health service doubles as a remote control: the service's name is a command, see [`obey`].

use std::env;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener as StdUnixListener};
use std::pin::Pin;
use std::process::{abort, exit};
use std::time::Duration;

use outboard_proto::env::PluginEnv;
use outboard_proto::goplugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use outboard_proto::goplugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use outboard_proto::goplugin::grpc_stdio_server::{GrpcStdio, GrpcStdioServer};
use outboard_proto::goplugin::stdio_data::Channel as Stream;
use outboard_proto::goplugin::{ConnInfo, Empty, StdioData};
use outboard_proto::handshake::{Address, Line};
use outboard_proto::transport::{
    AddressRule, Broker, BrokerConfig, Identity, Listener, PeerCheck, Tls, peer_from_pem,
};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::COOKIE;

pub(crate) fn serve(flags: &str) -> ! {
    let flags: Vec<&str> = flags.split(',').collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(Flags(&flags)));
    exit(0)
}

#[derive(Clone, Copy)]
struct Flags<'a>(&'a [&'a str]);

impl Flags<'_> {
    fn has(self, flag: &str) -> bool {
        self.0.contains(&flag)
    }
}

async fn run(flags: Flags<'_>) {
    let env = PluginEnv::read(COOKIE, |name| env::var_os(name)).expect("the host's cookie");
    let (tls, cert) = secured(&env).unzip();
    let router = Server::builder().add_routes(routes(flags, &env, tls.clone()));
    let served = if flags.has("localhost") {
        let (listener, port) = tcp("127.0.0.1:0").await;
        announce(Address::Tcp(format!("localhost:{port}")), None);
        router.serve_with_incoming(TcpListenerStream::new(listener)).await
    } else if flags.has("any") {
        let (listener, port) = tcp("0.0.0.0:0").await;
        announce(Address::Tcp(format!(":{port}")), None);
        router.serve_with_incoming(TcpListenerStream::new(listener)).await
    } else if flags.has("ipv6") {
        let (listener, port) = tcp("[::1]:0").await;
        announce(Address::Tcp(format!("[::1]:{port}")), None);
        router.serve_with_incoming(TcpListenerStream::new(listener)).await
    } else if flags.has("abstract") {
        let name = env.socket_dir.join("name").into_os_string().into_encoded_bytes();
        let listener = bind_abstract(&name);
        announce(Address::Abstract(name), None);
        router.serve_with_incoming(UnixListenerStream::new(listener)).await
    } else {
        let listener = if flags.has("tls-tcp") {
            Listener::bind_tcp_loopback().await
        } else {
            Listener::bind_unix(&env.socket_dir, "plugin")
        };
        let listener = listener.expect("bound");
        let tls = tls.filter(|_| !flags.has("clear"));
        announce(listener.address().clone(), cert.filter(|_| !flags.has("no-cert")));
        router.serve_with_incoming(listener.incoming(tls, PeerCheck::any())).await
    };
    served.expect("served");
}

async fn tcp(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind(address).await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

fn bind_abstract(name: &[u8]) -> UnixListener {
    let address = SocketAddr::from_abstract_name(name).expect("short");
    let listener = StdUnixListener::bind_addr(&address).expect("bound");
    listener.set_nonblocking(true).expect("non-blocking");
    UnixListener::from_std(listener).expect("registered")
}

fn secured(env: &PluginEnv) -> Option<(Tls, Vec<u8>)> {
    let host = peer_from_pem(env.client_cert_pem.as_ref()?).expect("the host's certificate");
    let identity = Identity::generate().expect("an identity");
    let tls = Tls::new(&identity, &host).expect("TLS");
    Some((tls, identity.cert_der().to_owned()))
}

fn announce(address: Address, server_cert: Option<Vec<u8>>) {
    let line = Line { app_version: 1, address, server_cert, multiplex: None };
    super::print(&format!("{line}\n"));
}

fn routes(flags: Flags<'_>, env: &PluginEnv, tls: Option<Tls>) -> Routes {
    if flags.has("bare") {
        return Routes::default();
    }
    let (prints, printed) = mpsc::channel(64);
    let status =
        if flags.has("not-serving") { ServingStatus::NotServing } else { ServingStatus::Serving };
    let controller = match (flags.has("unavailable"), flags.has("deaf")) {
        (true, _) => Controller::Unavailable,
        (_, true) => Controller::Deaf,
        _ => Controller::Exits,
    };
    let stdio = Stdio { printed: Mutex::new(Some(printed)), is_lazy: flags.has("lazy") };
    let (broker, broker_service) = Broker::serve(BrokerConfig {
        socket_dir: env.socket_dir.clone(),
        socket_group: env.socket_group.clone(),
        tls,
        check: PeerCheck::any(),
        allow_tcp: AddressRule::Loopback,
    });
    let routes = Routes::new(HealthServer::new(Remote { status, prints, broker }))
        .add_service(GrpcControllerServer::new(controller))
        .add_service(GrpcStdioServer::new(stdio));
    if flags.has("lazy") {
        return routes.add_service(GrpcBrokerServer::new(SilentBroker));
    }
    routes.add_service(broker_service)
}

/// The remote control.
struct Remote {
    status: ServingStatus,
    prints: mpsc::Sender<StdioData>,
    broker: Broker,
}

#[tonic::async_trait]
impl Health for Remote {
    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let command = request.into_inner().service;
        let status = match command.as_str() {
            "plugin" => self.status,
            command => self.obey(command).await?,
        };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not watched"))
    }
}

impl Remote {
    /// `crash`, `hang`, `env` (answers with an error that holds the whole environment), `uid` (with an
    /// error that holds it), `stdout:N` and `mirror:N` (prints N bytes, on the pipe or mirrored),
    /// `stderr:N` (one line of N bytes), `flood` (stderr for ever, as fast as it goes), `dial:N` (gives
    /// the health of what the host serves as broker id N), `accept:N` (serves a health as broker id N).
    async fn obey(&self, command: &str) -> Result<ServingStatus, Status> {
        let (verb, argument) = command.split_once(':').unwrap_or((command, "0"));
        let count: usize = argument.parse().expect("a number");
        match verb {
            "crash" => abort(),
            "hang" => std::future::pending().await,
            "env" => return Err(Status::failed_precondition(environment())),
            "uid" => return Err(Status::failed_precondition(nix::unistd::getuid().to_string())),
            "dial" => return self.dial(argument.parse().expect("an id")).await,
            "accept" => self.accept(argument.parse().expect("an id")).await,
            "stdout" => std::io::stdout().write_all(&vec![b'o'; count]).expect("taken"),
            "mirror" => self.mirror(count).await,
            "stderr" => eprintln!("{}", "e".repeat(count)),
            "flood" => drop(std::thread::spawn(flood)),
            _ => return Err(Status::not_found(command)),
        }
        Ok(ServingStatus::Serving)
    }

    async fn dial(&self, id: u32) -> Result<ServingStatus, Status> {
        let channel = self.broker.dial(id).await;
        let channel = channel.map_err(|error| Status::failed_precondition(error.to_string()))?;
        let request = HealthCheckRequest { service: "host".to_owned() };
        Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
    }

    async fn accept(&self, id: u32) {
        let incoming = self.broker.accept(id).await.expect("announced");
        let (prints, _) = mpsc::channel(1);
        let remote = Remote { status: ServingStatus::Serving, prints, broker: self.broker.clone() };
        let router = Server::builder().add_service(HealthServer::new(remote));
        tokio::spawn(router.serve_with_incoming(incoming));
    }

    /// In chunks as a Go plugin sends them.
    async fn mirror(&self, count: usize) {
        for (index, chunk) in pattern(count).chunks(1024).enumerate() {
            let channel = if index % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            let data = chunk.to_owned().into();
            let piece = StdioData { channel: channel.into(), data };
            self.prints.send(piece).await.expect("the host listens");
        }
    }
}

/// Bytes that show where they belong.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|index| b"0123456789abcdef"[index / 7 % 16]).collect()
}

fn environment() -> String {
    let mut vars: Vec<String> =
        env::vars().map(|(name, value)| format!("{name}={value:?}")).collect();
    vars.sort();
    vars.join(" ")
}

fn flood() {
    let lines = "flood flood flood flood\n".repeat(4000);
    while std::io::stderr().write_all(lines.as_bytes()).is_ok() {}
}

enum Controller {
    Exits,
    Unavailable,
    Deaf,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        match self {
            // Under the answer, as Go plugins do.
            Self::Exits => exit(0),
            Self::Unavailable => {
                std::thread::spawn(|| {
                    std::thread::sleep(Duration::from_millis(50));
                    exit(7)
                });
                Err(Status::unavailable("stopping"))
            }
            Self::Deaf => Ok(Response::new(Empty {})),
        }
    }
}

/// Never sends a header.
struct SilentBroker;

#[tonic::async_trait]
impl GrpcBroker for SilentBroker {
    type StartStreamStream = tokio_stream::Pending<Result<ConnInfo, Status>>;

    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        std::future::pending().await
    }
}

struct Stdio {
    printed: Mutex<Option<mpsc::Receiver<StdioData>>>,
    is_lazy: bool,
}

type Printed = Pin<Box<dyn tokio_stream::Stream<Item = Result<StdioData, Status>> + Send>>;

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Printed;

    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Printed>, Status> {
        use tokio_stream::StreamExt as _;
        let mut printed = self.printed.lock().await.take().expect("asked once");
        let first = if self.is_lazy { printed.recv().await } else { None };
        let rest = ReceiverStream::new(printed);
        let all = tokio_stream::iter(first).chain(rest).map(Ok);
        Ok(Response::new(Box::pin(all)))
    }
}
