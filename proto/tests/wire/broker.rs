//! Two brokers over one real connection, and brokers against peers that break the rules.

use std::path::Path;
use std::pin::{Pin, pin};
use std::time::Duration;

use outboard_proto::goplugin::ConnInfo;
use outboard_proto::goplugin::grpc_broker_client::GrpcBrokerClient;
use outboard_proto::goplugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use outboard_proto::transport::{
    AddressRule, Broker, BrokerConfig, BrokerError, Incoming, PeerCheck, Tls,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::support::{Task, dial, listen, named, pair, serve, who};

const SECOND: Duration = Duration::from_secs(1);

/// A host and a plugin that are connected, and the main connection.
struct Sides {
    host: Broker,
    plugin: Broker,
    channel: Channel,
    dir: TempDir,
    _server: Task,
}

fn config(dir: &Path, tls: Option<Tls>) -> BrokerConfig {
    BrokerConfig {
        socket_dir: dir.to_owned(),
        socket_group: None,
        tls,
        check: PeerCheck::any(),
        allow_tcp: AddressRule::Loopback,
    }
}

async fn sides(tls: Option<(Tls, Tls)>) -> Sides {
    let (host_tls, plugin_tls) = tls.unzip();
    let dir = tempfile::tempdir().unwrap();
    let (address, incoming) = listen(dir.path(), plugin_tls.clone());
    let (plugin, service) = Broker::serve(config(dir.path(), plugin_tls));
    let server = serve_broker(incoming, service);
    let channel = dial(&address, host_tls.as_ref()).await.unwrap();
    let host = Broker::over(channel.clone(), config(dir.path(), host_tls));
    Sides { host, plugin, channel, dir, _server: server }
}

fn serve_broker(incoming: Incoming, service: GrpcBrokerServer<impl GrpcBroker>) -> Task {
    let server = Server::builder().add_service(service).serve_with_incoming(incoming);
    Task::spawn(async move { server.await.unwrap() })
}

impl Sides {
    /// Serves and dials something else: announcements keep their order, so those before this one
    /// have arrived when it is through.
    async fn settle(&self) {
        let id = 1_000_000 + self.plugin.next_id();
        let _server = serve(self.plugin.accept(id).await.unwrap(), "settled");
        assert_eq!(who(self.host.dial(id).await.unwrap()).await.unwrap(), "settled");
    }
}

/// Lets time pass for timers alone.
async fn skip(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

/// A dial that gets nothing still waits after 4.9 s, and has failed after 5.1 s.
async fn fails_after_five_seconds(broker: &Broker, id: u32) {
    let mut dial = pin!(broker.dial(id));
    tokio::select! {
        biased;
        result = &mut dial => panic!("too early: {:?}", result.err()),
        () = skip(SECOND * 49 / 10) => {}
    }
    skip(SECOND / 5).await;
    let error = time::timeout(SECOND, dial).await.expect("too late").unwrap_err();
    assert!(matches!(error, BrokerError::NotAnnounced { .. }), "{error}");
}

#[tokio::test]
async fn b01_each_side_serves_and_the_other_dials_twice_in_a_row_with_and_without_tls() {
    for tls in [None, Some(pair())] {
        let sides = sides(tls).await;
        for (server, dialler) in [(&sides.plugin, &sides.host), (&sides.host, &sides.plugin)] {
            for name in ["first", "second"] {
                let id = server.next_id();
                let _server = serve(server.accept(id).await.unwrap(), name);
                assert_eq!(who(dialler.dial(id).await.unwrap()).await.unwrap(), name);
            }
        }
    }
}

#[tokio::test]
async fn b02_dialled_two_seconds_before_it_is_announced() {
    let sides = sides(None).await;
    let late = async {
        skip(2 * SECOND).await;
        serve(sides.plugin.accept(1).await.unwrap(), "late")
    };
    let (channel, _server) = tokio::join!(sides.host.dial(1), late);
    assert_eq!(who(channel.unwrap()).await.unwrap(), "late");
}

#[tokio::test]
async fn b02_dialled_two_seconds_after_it_was_announced() {
    let sides = sides(None).await;
    let _server = serve(sides.plugin.accept(1).await.unwrap(), "early");
    sides.settle().await;
    skip(2 * SECOND).await;
    assert_eq!(who(sides.host.dial(1).await.unwrap()).await.unwrap(), "early");
}

#[tokio::test]
async fn b03_an_id_that_is_never_announced_fails_after_five_seconds() {
    let sides = sides(None).await;
    fails_after_five_seconds(&sides.host, 7).await;
    fails_after_five_seconds(&sides.plugin, 7).await;
}

#[tokio::test]
async fn b04_an_id_that_was_announced_six_seconds_ago_fails_five_seconds_later() {
    let sides = sides(None).await;
    let _server = serve(sides.plugin.accept(1).await.unwrap(), "forgotten");
    sides.settle().await;
    skip(6 * SECOND).await;
    fails_after_five_seconds(&sides.host, 1).await;
}

#[tokio::test]
async fn b05_one_announcement_serves_one_dial_and_a_new_one_the_next() {
    let sides = sides(None).await;
    let _first = serve(sides.plugin.accept(1).await.unwrap(), "first");
    let channel = sides.host.dial(1).await.unwrap();
    fails_after_five_seconds(&sides.host, 1).await;
    assert_eq!(who(channel).await.unwrap(), "first");
    let _second = serve(sides.plugin.accept(1).await.unwrap(), "second");
    assert_eq!(who(sides.host.dial(1).await.unwrap()).await.unwrap(), "second");
}

#[tokio::test]
async fn b06_the_same_id_means_something_else_in_each_direction() {
    let sides = sides(None).await;
    let _plugin = serve(sides.plugin.accept(1).await.unwrap(), "plugin");
    let _host = serve(sides.host.accept(1).await.unwrap(), "host");
    assert_eq!(who(sides.host.dial(1).await.unwrap()).await.unwrap(), "plugin");
    assert_eq!(who(sides.plugin.dial(1).await.unwrap()).await.unwrap(), "host");
}

#[tokio::test]
async fn a_listener_serves_many_connections_and_its_socket_goes_with_it() {
    let sides = sides(None).await;
    let sockets = || sides.dir.path().read_dir().unwrap().count();
    let before = sockets();
    let incoming = sides.plugin.accept(1).await.unwrap();
    assert_eq!(sockets(), before + 1);
    drop(incoming);
    assert_eq!(sockets(), before);
}

#[tokio::test]
async fn a_host_that_connects_again_finds_the_broker_alive() {
    let sides = sides(None).await;
    drop(sides.host);
    let host = Broker::over(sides.channel.clone(), config(sides.dir.path(), None));
    let _server = serve(host.accept(1).await.unwrap(), "host");
    assert_eq!(who(sides.plugin.dial(1).await.unwrap()).await.unwrap(), "host");
    let id = sides.plugin.next_id();
    let _server = serve(sides.plugin.accept(id).await.unwrap(), "plugin");
    assert_eq!(who(host.dial(id).await.unwrap()).await.unwrap(), "plugin");
}

/// A plugin's broker that sends what it is told, and like a Go plugin's no headers before that.
struct Scripted {
    received: mpsc::Sender<ConnInfo>,
    says: Option<ConnInfo>,
}

#[tonic::async_trait]
impl GrpcBroker for Scripted {
    type StartStreamStream = Pin<Box<dyn Stream<Item = Result<ConnInfo, Status>> + Send>>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        if let Some(info) = self.says.clone() {
            let says = tokio_stream::iter([Ok(info)]).chain(tokio_stream::pending());
            return Ok(Response::new(Box::pin(says)));
        }
        let mut incoming = request.into_inner();
        while let Some(info) = incoming.message().await? {
            self.received.send(info).await.unwrap();
        }
        std::future::pending().await
    }
}

/// A host's broker against a scripted plugin.
async fn scripted(says: Option<ConnInfo>) -> (Broker, mpsc::Receiver<ConnInfo>, Task, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (received, receiver) = mpsc::channel(8);
    let (address, incoming) = listen(dir.path(), None);
    let server = serve_broker(incoming, GrpcBrokerServer::new(Scripted { received, says }));
    let channel = dial(&address, None).await.unwrap();
    (Broker::over(channel, config(dir.path(), None)), receiver, server, dir)
}

fn announcement(network: &str, address: &str) -> ConnInfo {
    ConnInfo {
        service_id: 1,
        network: network.to_owned(),
        address: address.to_owned(),
        knock: None,
    }
}

#[tokio::test]
async fn a_plugin_that_never_answers_on_the_control_stream_still_hears_the_host() {
    let (host, mut received, _server, _dir) = scripted(None).await;
    let _incoming = host.accept(3).await.unwrap();
    let info = received.recv().await.unwrap();
    assert_eq!((info.service_id, info.network.as_str(), info.knock), (3, "unix", None));
}

#[tokio::test]
async fn b07_an_unknown_network_fails_the_hosts_dial_at_once() {
    let (host, _received, _server, _dir) = scripted(Some(announcement("foo", "/a"))).await;
    let error = host.dial(1).await.unwrap_err();
    assert!(matches!(error, BrokerError::Address { id: 1, .. }), "{error}");
    assert!(error.to_string().contains("unknown network \"foo\""), "{error}");
}

#[tokio::test]
async fn an_announcement_of_an_address_that_no_socket_has_fails_the_dial_at_once() {
    let (host, _received, _server, _dir) =
        scripted(Some(announcement("unix", &format!("/{}", "a".repeat(60_000))))).await;
    let error = host.dial(1).await.unwrap_err();
    assert!(matches!(error, BrokerError::Address { id: 1, .. }), "{error}");
    assert!(error.to_string().contains("more than 107 bytes"), "{error}");
}

#[tokio::test]
async fn an_announcement_of_more_than_64_kib_ends_the_broker() {
    let (host, _received, _server, _dir) =
        scripted(Some(announcement("unix", &"a".repeat(64 * 1024)))).await;
    let error = host.dial(1).await.unwrap_err();
    assert!(matches!(error, BrokerError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn an_announcement_of_more_than_64_kib_is_not_taken_in_by_a_plugin_either() {
    let sides = sides(None).await;
    drop(sides.host);
    let says = [announcement("unix", &"a".repeat(64 * 1024))];
    let says = tokio_stream::iter(says).chain(tokio_stream::pending());
    let mut client = GrpcBrokerClient::new(sides.channel);
    let mut control = client.start_stream(says).await.unwrap().into_inner();
    let ended = time::timeout(5 * SECOND, control.message()).await.expect("it goes on");
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
}

#[tokio::test]
async fn b07_an_unknown_network_fails_the_plugins_dial_at_once() {
    let sides = sides(None).await;
    drop(sides.host);
    let says = tokio_stream::iter([announcement("foo", "/a")]).chain(tokio_stream::pending());
    let _control = GrpcBrokerClient::new(sides.channel).start_stream(says).await.unwrap();
    let error = sides.plugin.dial(1).await.unwrap_err();
    assert!(matches!(error, BrokerError::Address { id: 1, .. }), "{error}");
}

#[tokio::test]
async fn an_announced_address_that_is_not_allowed_or_not_served_fails_the_dial_at_once() {
    for (network, address, expected) in [
        ("tcp", "192.0.2.1:80", "only allowed to this machine"),
        ("unix", "/nonexistent/socket", "can't connect to /nonexistent/socket"),
    ] {
        let (host, _received, _server, _dir) = scripted(Some(announcement(network, address))).await;
        let error = host.dial(1).await.unwrap_err();
        assert!(matches!(error, BrokerError::Connect { id: 1, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_plugin_without_a_broker_fails_the_dial_at_once_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (address, incoming) = listen(dir.path(), None);
    let server = Server::builder().add_service(named("plugin")).serve_with_incoming(incoming);
    let _server = Task::spawn(async move { server.await.unwrap() });
    let host = Broker::over(dial(&address, None).await.unwrap(), config(dir.path(), None));
    let error = host.dial(1).await.unwrap_err();
    assert!(error.to_string().contains("the plugin does not serve it"), "{error}");
    let error = host.accept(1).await.err().unwrap();
    assert!(matches!(error, BrokerError::Closed { .. }), "{error}");
}
