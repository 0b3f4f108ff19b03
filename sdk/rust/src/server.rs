//! Puts an author's plugin on the wire.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use outboard_proto::env::{APP_VERSION, COOKIE_KEY, COOKIE_VALUE};
use outboard_proto::frame::Settings;
use outboard_proto::plugin::v1::http_server::HttpServer;
use outboard_proto::plugin::v1::lifecycle_server::LifecycleServer;
use tonic::service::Routes;

use crate::go_plugin::{self, Process};
use crate::host::Connection;
use crate::plugin::Plugin;
use crate::service::{About, HttpService, LifecycleService, MAX_MESSAGE_BYTES, Shared};

/// A plugin program: what it is called, and how it runs.
#[must_use = "nothing is served before `serve`"]
pub struct Server<P> {
    about: About,
    plugin: P,
    threads: Option<NonZeroUsize>,
    max_concurrent_requests: u32,
}

/// Handlers that wait cost little, so the host should rather not queue for them.
const MAX_CONCURRENT_REQUESTS: u32 = 1024;

impl<P: Plugin> Server<P> {
    /// Serves `plugin` under a name: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`, beginning with a
    /// letter, and the same as in the manifest.
    pub fn new(name: impl Into<String>, plugin: P) -> Self {
        let about = About { name: name.into(), ..About::default() };
        let max_concurrent_requests = MAX_CONCURRENT_REQUESTS;
        Self { about, plugin, threads: None, max_concurrent_requests }
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
        let Self { about, plugin, threads, max_concurrent_requests } = self;
        let settings = Settings { max_concurrent_requests, ..Settings::default() };
        let server = go_plugin::Server::new(COOKIE_KEY, COOKIE_VALUE)
            .version(APP_VERSION, move |process| services(about, plugin, settings, process));
        match threads {
            Some(threads) => server.threads(threads),
            None => server,
        }
        .serve()
    }
}

fn services<P: Plugin>(about: About, plugin: P, settings: Settings, process: &Process) -> Routes {
    let shared = Arc::new(Shared {
        about,
        plugin,
        connection: Connection::new(process.broker.clone(), process.host_address.clone()),
        settings,
        stop: process.stop.clone(),
        activations: ArcSwap::default(),
    });
    let lifecycle = LifecycleServer::new(LifecycleService(Arc::clone(&shared)));
    let http = HttpServer::new(HttpService(shared));
    Routes::new(lifecycle.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(http.max_decoding_message_size(MAX_MESSAGE_BYTES))
}
