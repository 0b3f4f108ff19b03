//! Puts an author's plugin on the wire.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use outboard_proto::env::{APP_VERSION, COOKIE_KEY, COOKIE_VALUE};
use outboard_proto::frame::Settings;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::authenticator_server::AuthenticatorServer;
use outboard_proto::plugin::v1::client_backend_server::ClientBackendServer;
use outboard_proto::plugin::v1::http_server::HttpServer;
use outboard_proto::plugin::v1::lifecycle_server::LifecycleServer;
use outboard_proto::plugin::v1::notifier_server::NotifierServer;
use outboard_proto::plugin::v1::scheduled_server::ScheduledServer;
use outboard_proto::plugin::v1::scheme_server::SchemeServer;
use outboard_proto::plugin::v1::user_backend_server::UserBackendServer;
use tonic::service::Routes;

use crate::authenticator::Authenticator;
use crate::client_backend::ClientBackend;
use crate::go_plugin::{self, Process};
use crate::host::Connection;
use crate::notifier::Notifier;
use crate::plugin::Plugin;
use crate::scheduled::Scheduled;
use crate::scheme::Scheme;
use crate::service::{
    About, AuthenticatorService, ClientBackendService, HttpService, LifecycleService,
    MAX_MESSAGE_BYTES, NotifierService, ScheduledService, SchemeService, Shared,
    UserBackendService,
};
use crate::user_backend::UserBackend;

/// A plugin program: what it is called, and how it runs.
#[must_use = "nothing is served before `serve`"]
pub struct Server<P: Plugin> {
    about: About,
    plugin: P,
    roles: Vec<Role<P>>,
    threads: Option<NonZeroUsize>,
    max_concurrent_requests: u32,
}

/// What a plugin is besides a plugin: what `Load` says of it, and the service that stands behind it.
struct Role<P: Plugin> {
    capability: Capability,
    add: fn(Routes, Arc<Shared<P>>) -> Routes,
}

/// Handlers that wait cost little, so the host should rather not queue for them.
const MAX_CONCURRENT_REQUESTS: u32 = 1024;

/// The largest event (16 MiB), and what goes around it.
const MAX_EVENT_BYTES: usize = 17 * 1024 * 1024;

impl<P: Plugin> Server<P> {
    /// Serves `plugin` under a name: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`, beginning with a
    /// letter, and the same as in the manifest.
    pub fn new(name: impl Into<String>, plugin: P) -> Self {
        let about = About { name: name.into(), ..About::default() };
        let max_concurrent_requests = MAX_CONCURRENT_REQUESTS;
        Self { about, plugin, roles: Vec::new(), threads: None, max_concurrent_requests }
    }

    /// The plugin's own version, for operators. Default: empty; limit: 64 characters.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.about.version = version.into();
        self
    }

    /// A name for people. Default: the name; limit: 256 characters.
    pub fn display_name(mut self, display_name: impl Into<String>) -> Self {
        self.about.display_name = display_name.into();
        self
    }

    /// One paragraph for people. Default: empty; limit: 4096 characters.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.about.description = description.into();
        self
    }

    /// Runs on that many threads. Default: one; see [`go_plugin::Server::threads`].
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Requests that may run at once on each of the host's streams to this process, of which it has a few;
    /// the host holds further ones back. Default: 1024; limits: 1 to 4096, and other numbers count as the
    /// nearest. To limit an endpoint see [`Endpoint`](crate::Endpoint::max_concurrent_requests).
    pub fn max_concurrent_requests(mut self, requests: u32) -> Self {
        self.max_concurrent_requests = requests;
        self
    }

    /// Serves until the host says stop or is gone; `main` returns what it gives. See
    /// [`go_plugin::Server::serve`] for exit codes, logs and signals, and [`go_plugin`] for what
    /// becomes of prints.
    pub fn serve(self) -> ExitCode {
        let Self { mut about, plugin, roles, threads, max_concurrent_requests } = self;
        about.capabilities = roles.iter().map(|role| role.capability).collect();
        let settings = Settings { max_concurrent_requests, ..Settings::default() };
        let server = go_plugin::Server::new(COOKIE_KEY, COOKIE_VALUE)
            .version(APP_VERSION, move |process| {
                services(about, plugin, &roles, settings, process)
            });
        match threads {
            Some(threads) => server.threads(threads),
            None => server,
        }
        .serve()
    }
}

impl<P: Notifier> Server<P> {
    /// Lets the host tell instances of events: those that the manifest's `notify.types` match.
    pub fn notifier(self) -> Self {
        self.role(Capability::Notify, |routes, shared| {
            let service = NotifierServer::new(NotifierService(shared));
            routes.add_service(service.max_decoding_message_size(MAX_EVENT_BYTES))
        })
    }
}

impl<P: Authenticator> Server<P> {
    /// Lets the host ask instances who people are. The manifest needs `authenticate = true`.
    pub fn authenticator(self) -> Self {
        self.role(Capability::Authenticate, |routes, shared| {
            routes.add_service(AuthenticatorServer::new(AuthenticatorService(shared)))
        })
    }
}

impl<P: Scheduled> Server<P> {
    /// Lets the host call instances for the schedules that they have set.
    pub fn scheduled(self) -> Self {
        self.role(Capability::Scheduled, |routes, shared| {
            routes.add_service(ScheduledServer::new(ScheduledService(shared)))
        })
    }
}

impl<P: Scheme> Server<P> {
    /// Lets the host authenticate users by instances of kind [`InstanceKind::Scheme`](crate::InstanceKind::Scheme).
    pub fn scheme(self) -> Self {
        self.role(Capability::Scheme, |routes, shared| {
            routes.add_service(SchemeServer::new(SchemeService(shared)))
        })
    }
}

impl<P: UserBackend> Server<P> {
    /// Lets instances of kind [`InstanceKind::UserBackend`](crate::InstanceKind::UserBackend) keep users.
    pub fn user_backend(self) -> Self {
        self.role(Capability::UserBackend, |routes, shared| {
            routes.add_service(UserBackendServer::new(UserBackendService(shared)))
        })
    }
}

impl<P: ClientBackend> Server<P> {
    /// Lets instances of kind [`InstanceKind::ClientBackend`](crate::InstanceKind::ClientBackend) keep clients.
    pub fn client_backend(self) -> Self {
        self.role(Capability::ClientBackend, |routes, shared| {
            routes.add_service(ClientBackendServer::new(ClientBackendService(shared)))
        })
    }
}

impl<P: Plugin> Server<P> {
    /// Said twice, it is one all the same.
    fn role(mut self, capability: Capability, add: fn(Routes, Arc<Shared<P>>) -> Routes) -> Self {
        self.roles.retain(|role| role.capability != capability);
        self.roles.push(Role { capability, add });
        self
    }
}

fn services<P: Plugin>(
    about: About,
    plugin: P,
    roles: &[Role<P>],
    settings: Settings,
    process: &Process,
) -> Routes {
    let shared = Arc::new(Shared {
        about,
        plugin,
        connection: Connection::new(process.broker.clone(), process.host_address.clone()),
        settings,
        stop: process.stop.clone(),
        activations: ArcSwap::default(),
    });
    let lifecycle = LifecycleServer::new(LifecycleService(Arc::clone(&shared)));
    let http = HttpServer::new(HttpService(Arc::clone(&shared)));
    let routes = Routes::new(lifecycle.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(http.max_decoding_message_size(MAX_MESSAGE_BYTES));
    roles.iter().fold(routes, |routes, role| (role.add)(routes, Arc::clone(&shared)))
}
