//! A service in front of auth plugins that do what a test wants.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use outboard::auth::{Auth, Settings};
use outboard::gateway::observe::Observer;
use outboard::gateway::quota::Quotas;
use outboard::plugin::backend::{Backend, Way};
use outboard::plugin::reach::{Capabilities, Reach};
use outboard::plugin::snapshot::{Activation, Routes};
use outboard::service::{self, Headers, IsPlugin, Listen, Parts, Patience, Rules, Service, Tls};
use outboard_core::auth::GroupMatch;
use outboard_core::route::Endpoints;
use outboard_proto::handshake::Address;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::transport::{PeerCheck, connect};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::events::Outbox;
use crate::http::{Reply, ask};
use crate::plugin::Plugin;

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const TOKEN: &str = "s3cret-t0ken";
/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a test can set before the service runs.
pub(crate) struct Setup {
    pub(crate) auth: Settings,
    pub(crate) rules: Rules,
    pub(crate) patience: Patience,
    pub(crate) body_space: usize,
    pub(crate) group: Option<String>,
    /// Over TCP then.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) is_plugin: IsPlugin,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            auth: Settings {
                is_enabled: true,
                instances: Vec::new(),
                timeout: PATIENCE,
                cache_ttl: Duration::ZERO,
                cache_entries: 100,
                rule: GroupMatch::All,
            },
            rules: Rules {
                rate: 10_000,
                max_event: 64 << 10,
                admin_groups: vec!["proctor.admin".to_owned()],
                headers: Headers::new("Email-Id", "Access-Token"),
            },
            patience: Patience { head: PATIENCE, body: PATIENCE },
            body_space: 32 << 20,
            group: None,
            tls: None,
            is_plugin: Arc::new(|_, _| false),
        }
    }

    /// With one auth plugin, whose instance is "gate".
    pub(crate) async fn start(self, plugin: Plugin) -> Fixture {
        self.start_all([("gate", plugin)]).await
    }

    /// With auth plugins by the names of their instances.
    pub(crate) async fn start_all<const N: usize>(self, plugins: [(&str, Plugin); N]) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let quotas = Arc::new(Quotas::default());
        let routes = Arc::new(Routes::new(quotas, Observer::default()));
        let mut asked = Vec::new();
        let names = plugins.each_ref().map(|(name, _)| (*name).to_owned()).to_vec();
        for (name, plugin) in plugins {
            asked.push(plugin.asked());
            let address = plugin.listen(dir.path());
            publish(&routes, name, &address).await;
        }
        let known = Arc::new(ArcSwap::from_pointee(Some(names)));
        let there = known.clone();
        let authenticators = Arc::new(move || (**there.load()).clone());
        let auth = Auth::new(self.auth, routes.clone(), authenticators);
        let rules = Arc::new(ArcSwap::from_pointee(self.rules));
        let socket = dir.path().join("service.sock");
        let listen = match &self.tls {
            Some(_) => Listen::Tcp("127.0.0.1:0".parse().unwrap()),
            None => Listen::Unix { path: socket.clone(), group: self.group },
        };
        let service = Service::bind(service::Settings { listen, tls: self.tls }).unwrap();
        let service = service.with_patience(self.patience).with_body_space(self.body_space);
        let address = service.address();
        let outbox = Outbox::open(dir.path(), &routes).await;
        let parts = Parts {
            auth: auth.clone(),
            events: outbox.events.clone(),
            rules: rules.clone(),
            is_plugin: self.is_plugin,
        };
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let serving = tokio::spawn(service.serve(parts, closed, PATIENCE));
        Fixture {
            socket,
            address,
            auth,
            routes,
            rules,
            known,
            asked,
            outbox,
            closing,
            serving,
            _dir: dir,
        }
    }
}

/// A running service. It ends with this.
pub(crate) struct Fixture {
    pub(crate) socket: PathBuf,
    /// Over TCP.
    pub(crate) address: Option<std::net::SocketAddr>,
    pub(crate) auth: Auth,
    pub(crate) routes: Arc<Routes>,
    pub(crate) rules: Arc<ArcSwap<Rules>>,
    /// The auth plugins' instances that there are.
    pub(crate) known: Arc<ArcSwap<Option<Vec<String>>>>,
    /// How often each plugin was asked.
    pub(crate) asked: Vec<crate::plugin::Asked>,
    pub(crate) outbox: Outbox,
    pub(crate) closing: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    _dir: TempDir,
}

impl Fixture {
    /// `GET /v1/forward-auth`, with a query, of a client with these headers.
    pub(crate) async fn forward(&self, query: &str, headers: &[(&str, &str)]) -> Reply {
        let path = format!("/v1/forward-auth{query}");
        ask(&self.socket, "GET", &path, headers, "").await
    }

    /// The same of a client that says the right things.
    pub(crate) async fn pass(&self, query: &str) -> Reply {
        self.forward(query, &[("Email-Id", EMAIL), ("Access-Token", TOKEN)]).await
    }

    /// `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        ask(&self.socket, "POST", path, &[("content-type", "application/json")], body).await
    }

    /// How often the only plugin was asked who somebody is.
    pub(crate) fn times(&self) -> usize {
        self.asked[0].authenticated()
    }
}

/// Serves the instance `name` of a plugin at `address` from now on.
pub(crate) async fn publish(routes: &Routes, name: &str, address: &Address) {
    let channel = connect(address, None, &PeerCheck::any(), PATIENCE).await.unwrap();
    let dialled = address.clone();
    let backend = Backend::new("mock", Way::Plain, move || {
        let address = dialled.clone();
        async move { connect(&address, None, &PeerCheck::any(), PATIENCE).await }
    });
    let can = Capabilities::of(&[Capability::Authenticate.into()]);
    let activation = Activation::new(
        format!("activation-of-{name}"),
        "mock".into(),
        name.into(),
        Arc::new(backend),
        Reach::new(channel, can),
    );
    routes.publish(Arc::new(activation), Endpoints::default().table());
}

/// Waits until `holds`.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes about");
}
