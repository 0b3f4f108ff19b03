//! Where services plug in: events to announce, and questions about who somebody is, over HTTP and gRPC on one socket
//! of their own.
//!
//! Who calls is known before a byte is read ([`caller`]), and what they may take is bounded: connections
//! ([`connection`]), requests a second ([`rate`]), and the bytes and the time of a body ([`body`]). What they ask is
//! answered in [`routes`], one file for each thing that can be asked.

mod body;
mod caller;
mod connection;
mod door;
mod envoy;
mod events;
mod forward;
mod grpc;
mod identity;
mod listen;
mod people;
mod rate;
mod reply;
mod routes;
pub mod tls;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::listen::Listener;
pub use self::listen::{BindError, Listen};
pub use self::tls::Tls;
use crate::auth::Auth;
use crate::events::Events;

/// What stays as it is while the service runs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: Listen,
    /// Needed for TCP, and for nothing else.
    pub tls: Option<Arc<Tls>>,
}

/// What the next request is held to; may be exchanged at any time.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Requests a second of each caller.
    pub rate: u32,
    /// Bytes of one event.
    pub max_event: usize,
    /// What `admin=1` needs.
    pub admin_groups: Vec<String>,
    pub headers: Headers,
}

/// In which headers clients say who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    names: outboard_core::auth::Headers,
    /// The token is behind a scheme of HTTP's own.
    is_authorization: bool,
}

/// How long callers may take. What is longer is cut off.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a TLS handshake, and for each head of HTTP/1.
    pub head: Duration,
    /// From the head of a request to the end of its body.
    pub body: Duration,
}

/// Whether the process at the other end of a Unix socket is a plugin's.
pub type IsPlugin = Arc<dyn Fn(BorrowedFd<'_>, Option<i32>) -> bool + Send + Sync>;

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    pub auth: Auth,
    pub events: Events,
    pub rules: Arc<ArcSwap<Rules>>,
    pub is_plugin: IsPlugin,
}

/// A socket that was taken, and where nobody is answered yet.
#[derive(Debug)]
pub struct Service {
    listener: Listener,
    tls: Option<Arc<Tls>>,
    patience: Patience,
    body_space: usize,
}

const PATIENCE: Patience =
    Patience { head: Duration::from_secs(30), body: Duration::from_secs(30) };
const BODY_SPACE: usize = 256 << 20;

impl Headers {
    /// Names have no case.
    pub fn new(email: &str, token: &str) -> Self {
        let is_authorization = token.eq_ignore_ascii_case("authorization");
        Self { names: outboard_core::auth::Headers::new(email, token), is_authorization }
    }
}

impl Service {
    /// Takes the address. Needs a tokio runtime to be running.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        let Settings { listen, tls } = settings;
        let listener = Listener::bind(&listen)?;
        Ok(Self { listener, tls, patience: PATIENCE, body_space: BODY_SPACE })
    }

    /// The TCP address that was taken, if it is one, with the real port where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.address()
    }

    /// Where it is, as `service.listen` has it.
    pub fn place(&self) -> String {
        self.listener.place()
    }

    /// How long callers may take. Default: 30 seconds for each.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Most bytes of the bodies of all requests that are being answered; what comes beyond is answered with 503.
    /// Default: 256 MiB.
    #[must_use]
    pub fn with_body_space(self, body_space: usize) -> Self {
        Self { body_space, ..self }
    }

    /// Answers until `shutdown` is ready; then accepts no more, and lets the requests that are being answered end for
    /// up to `drain`. Dropping the future accepts no more, and cuts all off.
    pub async fn serve(self, parts: Parts, shutdown: impl Future<Output = ()>, drain: Duration) {
        connection::serve(self, parts, shutdown, drain).await;
    }
}
