//! The door to the world: HTTP/1.1 and HTTP/2 in, with TLS or without, one plugin's endpoints at
//! `/<prefix>/<instance>/<url>`.
//!
//! A request is read and judged here, runs through the endpoints it matches, and is answered here, whatever
//! the plugin does: what a client sends wrong never reaches a plugin, and what a plugin sends wrong never
//! reaches a client. Nothing here starts or stops plugins; it reads a snapshot ([`Routes`]) and no more.
//!
//! From outside to inside: [`listen`] has the sockets, one for each [`worker`]; [`serve`] finds out what a
//! connection speaks ([`tls`], [`sniff`]) and lets [`http1`] or [`http2`] speak it over a [`wire`]; each request
//! then goes through the door in [`handle`]. What is no instance's is the host's own: [`own`].
//!
//! The address is taken early, so that a port in use is known before any plugin starts, and served late.

pub mod access_log;
mod body;
pub mod bounds;
mod chain;
mod complain;
mod connection;
mod framed;
pub mod gate;
pub mod gatekeeper;
mod handle;
mod head;
mod http1;
mod http2;
mod listen;
pub mod observe;
pub mod own;
pub mod quota;
mod refusal;
mod respond;
mod serve;
mod sniff;
mod terms;
mod times;
mod tls;
mod wire;
mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use outboard_core::config::Network;

use self::gatekeeper::Gatekeeper;
pub use self::listen::BindError;
pub(crate) use self::listen::advice;
use self::serve::Patience;
pub use self::tls::{Files, Tls, TlsError};
use crate::plugin::snapshot::Routes;

/// What stays as it is while the gateway runs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// First path segment of all instances.
    pub prefix: String,
    /// The name of the host's session cookie, which no plugin gets or sets.
    pub cookie: String,
    /// Request line and headers together.
    pub max_header_bytes: usize,
    /// Header lines.
    pub max_headers: usize,
    /// Further clients wait to be accepted.
    pub max_connections: usize,
    /// Threads that serve them.
    pub workers: NonZeroUsize,
    /// With it, nothing but TLS is spoken.
    pub tls: Option<Arc<Tls>>,
}

/// What the next request is held to; may be exchanged at any time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: Vec<Network>,
}

/// An address that was taken, and where nobody is answered yet.
#[derive(Debug)]
pub struct Gateway {
    /// One for each worker.
    listeners: Vec<TcpListener>,
    settings: Settings,
    patience: Patience,
    body_memory: usize,
    own: Option<Router>,
    own_name: &'static str,
    gatekeeper: Option<Arc<dyn Gatekeeper>>,
}

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const STALL: Duration = Duration::from_secs(30);
const BODY_MEMORY: usize = 512 << 20;

impl Gateway {
    /// Takes the address.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        Ok(Self {
            listeners: listen::bind(settings.listen, settings.workers)?,
            settings,
            patience: Patience { head: HEAD_TIMEOUT, stall: STALL },
            body_memory: BODY_MEMORY,
            own: None,
            own_name: own::NAME,
            gatekeeper: None,
        })
    }

    /// The address that was taken, with the real port where the settings say 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listeners.first().expect("there is a worker").local_addr()
    }

    /// How long a client may take for the head of a request, and how long a connection may be idle before one.
    /// Default: 30 seconds.
    #[must_use]
    pub fn with_head_timeout(mut self, head_timeout: Duration) -> Self {
        self.patience.head = head_timeout;
        self
    }

    /// How long a client may take hardly anything of a response that there is for it. Default: 30 seconds.
    #[must_use]
    pub fn with_stall_timeout(mut self, stall_timeout: Duration) -> Self {
        self.patience.stall = stall_timeout;
        self
    }

    /// Most that the bodies of all requests and responses together may take, in bytes; what comes beyond is
    /// answered with 503. Default: 512 MiB.
    #[must_use]
    pub fn with_body_memory(self, body_memory: usize) -> Self {
        Self { body_memory, ..self }
    }

    /// Has `own` answer wherever there is no instance, on the runtime that [`Self::serve`] is called on. It sees paths
    /// without empty segments and without a final slash, has no fallback, and finds [`own::Client`] among the extensions
    /// of each request. Default: the answer is 404.
    #[must_use]
    pub fn with_own(self, own: Router) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Counts and logs what the host itself answers as this instance, which must be a name that no instance can have.
    /// Default: `outboard`.
    #[must_use]
    pub fn with_own_name(self, own_name: &'static str) -> Self {
        Self { own_name, ..self }
    }

    /// Has `gatekeeper` say who may pass to endpoints that require something, on the runtime that [`Self::serve`] is called
    /// on. Default: nobody may.
    #[must_use]
    pub fn with_gatekeeper(self, gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

    /// Answers requests until `shutdown` is ready; then accepts no more, lets the requests that are being
    /// answered end for up to `drain`, and gives back how many connections had to be cut off. Ends before
    /// `shutdown` only if no worker is left, each of which has logged why. Dropping the future cuts all off.
    pub async fn serve(
        self,
        routes: Arc<Routes>,
        limits: Arc<ArcSwap<Limits>>,
        shutdown: impl Future<Output = ()>,
        drain: Duration,
    ) -> usize {
        worker::serve(self, routes, limits, shutdown, drain).await
    }
}
