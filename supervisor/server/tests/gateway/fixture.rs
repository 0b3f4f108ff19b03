//! A gateway in front of one plugin whose handler is a closure.

pub(crate) mod plugin;

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use bytes::Bytes;
use outboard::gateway::bounds::{Allowance, Allowances, Bounds};
use outboard::gateway::gatekeeper::Gatekeeper;
use outboard::gateway::observe::Observer;
use outboard::gateway::quota::Quotas;
use outboard::gateway::{Gateway, Limits, Settings};
use outboard::grants::Badge;
use outboard::plugin::backend::{Backend, Way};
use outboard::plugin::reach::{Capabilities, Reach};
use outboard::plugin::snapshot::{Activation, Routes};
use outboard_core::grant::{Grants, Group, Groups};
use outboard_core::route::{EndpointSpec, Endpoints};
use outboard_proto::frame;
use outboard_proto::handshake::Address;
use outboard_proto::plugin::v1::http_server::HttpServer;
use outboard_proto::plugin::v1::{
    Frames, HandleRequest, HandleResponse, Header, Outcome, RequestFrame, Response,
};
use outboard_proto::transport::mux::Exchange;
use outboard_proto::transport::{Listener, PeerCheck, connect};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Streaming;
use tonic::transport::{Endpoint, Server};

use self::plugin::Plugin;
pub(crate) use self::plugin::{Answer, Streams};

pub(crate) const INSTANCE: &str = "shop";

/// The runtime that a plugin has to itself, so that all of it can end at once, as a process does.
struct Process(Option<Runtime>);

impl Process {
    fn start(plugin: Plugin, dir: &Path) -> (Self, Address) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _in_runtime = runtime.enter();
            Listener::bind_unix(dir, "plugin-").unwrap()
        };
        let address = listener.address().clone();
        let server = Server::builder().add_service(HttpServer::new(plugin));
        runtime.spawn(async move {
            server.serve_with_incoming(listener.incoming(None, PeerCheck::any())).await.unwrap();
        });
        (Self(Some(runtime)), address)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.take().expect("only dropped once").shutdown_background();
    }
}

/// What a test can set before the gateway runs.
pub(crate) struct Setup {
    pub(crate) way: Way,
    pub(crate) endpoints: Vec<EndpointSpec>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) allowance: Allowance,
    pub(crate) head_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) body_memory: usize,
    /// What a framed plugin says in its Hello.
    pub(crate) hello: frame::Settings,
    pub(crate) hello_limit: Duration,
    /// What the operator lets the plugin do.
    pub(crate) granted: &'static [Group],
    /// What the host itself serves.
    pub(crate) own: Option<Router>,
    pub(crate) gatekeeper: Option<Arc<dyn Gatekeeper>>,
}

#[expect(clippy::unused_async, reason = "a gateway needs the runtime that runs its test")]
impl Setup {
    /// Endpoints numbered from 1, each `"METHOD url"`, of a plugin on the plain path.
    pub(crate) fn new(endpoints: &[&str]) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        Self {
            way: Way::Plain,
            endpoints: (1..).zip(endpoints).map(|(id, text)| endpoint(id, text)).collect(),
            settings: Settings {
                listen,
                prefix: "api".into(),
                cookie: "GLEWLWYD2_SESSION_ID".into(),
                max_header_bytes: 64 << 10,
                max_headers: 100,
                max_connections: 100,
                workers: NonZeroUsize::new(2).unwrap(),
                tls: None,
            },
            limits: Limits { trusted_proxies: Vec::new() },
            allowance: Allowance {
                bounds: Bounds {
                    max_body: 3 << 20,
                    first_byte: Duration::from_secs(20),
                    idle: Duration::from_secs(20),
                    total: Duration::from_secs(20),
                },
                places: 1000,
                queue: 1000,
                queue_timeout: Duration::from_secs(5),
            },
            head_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(20),
            body_memory: 64 << 20,
            hello: frame::Settings::default(),
            hello_limit: Duration::from_secs(5),
            granted: &[],
            own: None,
            gatekeeper: None,
        }
    }

    /// The same, on the framed path.
    pub(crate) fn framed(endpoints: &[&str]) -> Self {
        Self { way: Way::Framed, ..Self::new(endpoints) }
    }

    /// A plugin that answers whole requests, on either path.
    pub(crate) async fn start<F>(
        self,
        handler: impl Fn(HandleRequest) -> F + Send + Sync + 'static,
    ) -> Fixture
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let plugin = match self.way {
            Way::Plain => Plugin::plain(handler),
            Way::Framed => Plugin::whole(self.hello, handler),
        };
        self.start_plugin(plugin)
    }

    /// A plugin that is handed each request as it begins, with both its directions.
    pub(crate) async fn start_exchange<F>(
        self,
        handler: impl Fn(Exchange, Box<RequestFrame>) -> F + Send + Sync + 'static,
    ) -> Fixture
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let plugin = Plugin::framed(self.hello, handler);
        self.start_plugin(plugin)
    }

    /// A plugin that is handed each stream, and keeps to no rules but those that it wants to.
    pub(crate) async fn start_raw<F>(
        self,
        handler: impl Fn(Streaming<Frames>, mpsc::UnboundedSender<Frames>) -> F + Send + Sync + 'static,
    ) -> Fixture
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.start_plugin(Plugin::raw(handler))
    }

    /// A plugin that has no `Http.Serve`, whatever its host was told.
    pub(crate) async fn start_plain_only(self) -> Fixture {
        self.start_plugin(Plugin::plain(echo))
    }

    fn start_plugin(self, plugin: Plugin) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let streams = plugin.streams();
        let (process, address) = Process::start(plugin, dir.path());
        let dials = Arc::new(Semaphore::new(0));
        let dialled = dials.clone();
        let backend = Backend::new("mock", self.way, move || {
            let address = address.clone();
            dialled.add_permits(1);
            async move { connect(&address, None, &PeerCheck::any(), Duration::from_secs(5)).await }
        });

        let backend = Arc::new(backend.with_hello_limit(self.hello_limit));
        let nowhere = Endpoint::from_static("http://localhost").connect_lazy();
        let activation = Activation::new(
            "activation-1".into(),
            "mock".into(),
            INSTANCE.into(),
            backend,
            Reach::new(nowhere, Capabilities::default()),
        );
        let words: Vec<_> = self.granted.iter().map(|group| group.word()).collect();
        let callbacks = Groups::read(&words).unwrap();
        let granted = Badge::fixed(Grants { callbacks, ..Grants::default() });
        let activation = Arc::new(activation.with_grants(granted));
        let mut endpoints = Endpoints::default();
        endpoints.add(self.endpoints).unwrap();
        let quotas = Arc::new(Quotas::new(Allowances::equal(self.allowance)));
        let routes = Arc::new(Routes::new(quotas.clone(), Observer::default()));
        routes.publish(activation.clone(), endpoints.table());

        let gateway = Gateway::bind(self.settings).unwrap();
        let gateway = gateway
            .with_head_timeout(self.head_timeout)
            .with_stall_timeout(self.stall_timeout)
            .with_body_memory(self.body_memory);
        let gateway = match self.own {
            Some(own) => gateway.with_own(own),
            None => gateway,
        };
        let gateway = match self.gatekeeper {
            Some(gatekeeper) => gateway.with_gatekeeper(gatekeeper),
            None => gateway,
        };
        let address = gateway.address().unwrap();
        let (limits, allowance) = (Arc::new(ArcSwap::from_pointee(self.limits)), self.allowance);
        let (closing, closed) = oneshot::channel::<()>();
        let shutdown = async { drop(closed.await) };
        let serving = gateway.serve(routes.clone(), limits, shutdown, self.drain);
        let serving = Some((closing, tokio::spawn(serving)));
        let process = Some(process);
        Fixture {
            address,
            routes,
            activation,
            quotas,
            allowance,
            streams,
            dials,
            process,
            serving,
            _dir: dir,
        }
    }
}

/// `"METHOD url"` as an endpoint.
pub(crate) fn endpoint(id: u32, text: &str) -> EndpointSpec {
    let (method, url) = text.split_once(' ').unwrap();
    EndpointSpec { id, method: method.into(), url: url.into(), ..EndpointSpec::default() }
}

/// A running gateway with its plugin. Both end with it.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) routes: Arc<Routes>,
    pub(crate) activation: Arc<Activation>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) allowance: Allowance,
    /// Those that a framed plugin was handed.
    pub(crate) streams: Streams,
    /// A permit for each time that the host dialled the plugin.
    pub(crate) dials: Arc<Semaphore>,
    process: Option<Process>,
    serving: Option<(oneshot::Sender<()>, JoinHandle<usize>)>,
    _dir: TempDir,
}

impl Fixture {
    /// A plugin that answers every request with the request itself, for [`decode`].
    pub(crate) async fn echo(endpoints: &[&str]) -> Self {
        Setup::new(endpoints).start(echo).await
    }

    /// Waits until nothing is under way any more, on either side.
    pub(crate) async fn quiet(&self) {
        let is_quiet = || {
            self.activation.in_flight() == 0
                && self.activation.backend().open_requests() == 0
                && self.streams.all().iter().all(|stream| stream.open_requests() == 0)
        };
        eventually(is_quiet).await;
    }

    /// Ends the plugin's connections and its socket, as its death would.
    pub(crate) fn kill_plugin(&mut self) {
        self.process = None;
    }

    /// Ends the gateway by dropping its future.
    pub(crate) fn abandon(&mut self) {
        let (_closing, served) = self.serving.as_ref().expect("not closed");
        served.abort();
    }

    /// Begins to shut down.
    pub(crate) fn close(&mut self) -> JoinHandle<usize> {
        let (closing, served) = self.serving.take().expect("closed once");
        closing.send(()).unwrap();
        served
    }
}

/// Waits until `holds`.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it comes about");
}

/// Tells when it is dropped.
pub(crate) struct Dropped(pub(crate) Arc<Semaphore>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

pub(crate) async fn echo(request: HandleRequest) -> Answer {
    ok(prost::Message::encode_to_vec(&request))
}

/// The request that [`echo`] sent back.
pub(crate) fn decode(body: &[u8]) -> HandleRequest {
    prost::Message::decode(body).unwrap()
}

/// 200 with a body, and no further step.
pub(crate) fn ok(body: impl Into<Bytes>) -> Answer {
    answer(Outcome::Complete, 200, &[], body)
}

#[expect(clippy::unnecessary_wraps, reason = "what a handler gives")]
pub(crate) fn answer(
    outcome: Outcome,
    status: u32,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let header = |&(name, value): &(&str, &str)| Header {
        name: name.to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    Ok(HandleResponse {
        outcome: outcome.into(),
        response: Some(Response { status, headers: headers.iter().map(header).collect() }),
        body: body.into(),
        context: Bytes::new(),
    })
}
