//! The plugin side of `HashiCorp` go-plugin's wire, whatever services run on it.
//!
//! [`Server`] is what [`crate::Server`] stands on, and is useful alone: a plugin for any host that is
//! built with the Go library, in Rust. It checks the cookie, chooses a version, listens on a Unix
//! socket, turns on mutual TLS if the host asks for it, prints the handshake line, and serves health,
//! controller, broker and stdio beside the author's own services.
//!
//! * What the program prints on stdout after that goes to the host in pieces, if it listens. If it
//!   does not, 64 KiB are kept and the rest is dropped and counted. Logs belong on stderr.
//! * SIGINT is ignored: Ctrl-C in a terminal is the host's to handle. SIGTERM and the host's `Shutdown`
//!   let running calls end for a second; the process is gone within two.
//! * When the host is gone, so is the plugin. Under Outboard the end of stdin says so; under other
//!   hosts stdin may be anything, and a new parent process says so.
//! * The broker is not multiplexed, and the handshake line says that if asked.

mod broker;
mod controller;
mod error;
mod start;
mod stdio;
mod stop;
mod watch;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use outboard_proto::env::{EnvError, PluginEnv};
use tonic::service::Routes;

use crate::hclog;

pub use error::StartError;
pub use outboard_proto::transport::{Broker, BrokerError};
pub(crate) use stop::Stop;

type Services = Box<dyn FnOnce(&Process) -> Routes + Send>;

/// A plugin program that serves gRPC services of its own.
///
/// ```no_run
/// use outboard_sdk::{go_plugin, tonic};
///
/// fn main() -> std::process::ExitCode {
///     let (_, health) = tonic_health::server::health_reporter(); // yours here
///     go_plugin::Server::new("BASIC_PLUGIN", "hello")
///         .version(1, move |_| tonic::service::Routes::new(health))
///         .serve()
/// }
/// ```
#[must_use = "nothing is served before `serve`"]
pub struct Server {
    cookie: (String, String),
    versions: BTreeMap<u32, Services>,
    threads: Option<NonZeroUsize>,
}

/// What a program's services may use of the process.
#[derive(Clone)]
pub struct Process {
    pub(crate) version: u32,
    pub(crate) broker: Broker,
    pub(crate) host_address: Option<String>,
    pub(crate) stop: Stop,
}

impl Process {
    /// The application version that was agreed with the host.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Further connections between this process and its host, either way.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }
}

impl Server {
    /// A program for the host with that magic cookie. Neither half may be empty.
    pub fn new(cookie_key: impl Into<String>, cookie_value: impl Into<String>) -> Self {
        let cookie = (cookie_key.into(), cookie_value.into());
        Self { cookie, versions: BTreeMap::new(), threads: None }
    }

    /// Speaks an application version, with these services. The highest that the host knows is used; if
    /// it knows none, the lowest, which it then refuses.
    ///
    /// Decode limits are the services': tonic's default is 4 MiB.
    pub fn version(
        mut self,
        version: u32,
        services: impl FnOnce(&Process) -> Routes + Send + 'static,
    ) -> Self {
        self.versions.insert(version, Box::new(services));
        self
    }

    /// Runs on that many threads. Default: one, which is the fastest for handlers that await and do
    /// not compute; a handler that blocks then holds up all others.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Serves until the host says stop or is gone; `main` returns what it gives.
    ///
    /// 0: it was told to stop. 1: it could not start, and stderr says why: as text if it was not
    /// started by its host, else as a log line. `tracing` events go to stderr as [`hclog`] lines, unless
    /// the program has set a subscriber of its own, and panics too.
    pub fn serve(self) -> ExitCode {
        let (key, value) = (self.cookie.0.as_str(), self.cookie.1.as_str());
        let env = match PluginEnv::read((key, value), |name| std::env::var_os(name)) {
            Ok(env) => env,
            Err(error @ EnvError::Cookie { .. }) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
            Err(error) => return fail(&error.into()),
        };
        hclog::install();
        hclog::log_panics();
        match start::run(self, env) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        }
    }
}

/// Past any filter: a start that failed must not be silent.
fn fail(error: &StartError) -> ExitCode {
    hclog::write_error("outboard_sdk", format!("the plugin can't start: {error}"));
    ExitCode::FAILURE
}
