//! The door to the world: HTTP/1.1 in, one plugin's endpoints at `/<prefix>/<instance>/<url>`.
//!
//! A request is read and judged here, runs through the endpoints it matches, and is answered here, whatever
//! the plugin does: what a client sends wrong never reaches a plugin, and what a plugin sends wrong never
//! reaches a client. Nothing here starts or stops plugins; it reads a snapshot ([`Routes`]) and no more.
//!
//! The socket is bound early, so that a port in use is known before any plugin starts, and served late.

pub mod access_log;
mod body;
pub mod bounds;
mod chain;
mod connection;
pub mod gate;
mod handle;
mod head;
mod listen;
pub mod observe;
pub mod quota;
mod respond;
mod wire;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use outboard_core::config::Network;
use tokio::net::TcpListener;

use crate::plugin::snapshot::Routes;

/// What stays as it is while the gateway runs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// First path segment of all instances.
    pub prefix: String,
    /// Request line and headers together.
    pub max_header_bytes: usize,
    /// Header lines.
    pub max_headers: usize,
    /// Further clients wait to be accepted.
    pub max_connections: usize,
}

/// What the next request is held to; may be exchanged at any time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body. An endpoint may have a smaller one.
    pub max_body_bytes: usize,
    /// From a request's head to the last step of its chain. An endpoint may have a shorter one.
    pub request_timeout: Duration,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: Vec<Network>,
}

/// A bound socket that nobody is answered on yet.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    settings: Settings,
    head_timeout: Duration,
    body_memory: usize,
}

/// How many clients may wait to be accepted. The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_MEMORY: usize = 512 << 20;

impl Gateway {
    /// Takes the address. Needs a tokio runtime to be running.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        match listener(settings.listen) {
            Ok(listener) => Ok(Self {
                listener,
                settings,
                head_timeout: HEAD_TIMEOUT,
                body_memory: BODY_MEMORY,
            }),
            Err(error) => Err(BindError { address: settings.listen, error }),
        }
    }

    /// The address that was taken, with the real port where the settings say 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How long a client may take for the head of a request, and how long a connection may be idle before one.
    /// Default: 30 seconds.
    #[must_use]
    pub fn with_head_timeout(self, head_timeout: Duration) -> Self {
        Self { head_timeout, ..self }
    }

    /// Most that the bodies of all requests and responses together may take, in bytes; what comes beyond is
    /// answered with 503. Default: 512 MiB.
    #[must_use]
    pub fn with_body_memory(self, body_memory: usize) -> Self {
        Self { body_memory, ..self }
    }

    /// Answers requests until `shutdown` is ready; then accepts no more, lets the requests that are being
    /// answered end for up to `drain`, and gives back how many connections had to be cut off.
    pub async fn serve(
        self,
        routes: Arc<Routes>,
        limits: Arc<ArcSwap<Limits>>,
        shutdown: impl Future<Output = ()>,
        drain: Duration,
    ) -> usize {
        listen::serve(self, routes, limits, shutdown, drain).await
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Else a restart would have to wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("gateway.listen \"{address}\": {}", advice(error, address.port()))]
pub struct BindError {
    address: SocketAddr,
    #[source]
    error: io::Error,
}

/// What to do when an address could not be taken.
pub(crate) fn advice(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the address is in use; stop what listens there (`ss -ltnp 'sport = :{port}'` names it) or choose \
             another port"
        ),
        io::ErrorKind::PermissionDenied => {
            "permission denied; use a port above 1023 or grant CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has the address; use one that `ip address` shows, or 0.0.0.0 for all"
                .to_owned()
        }
        _ => format!("{error}; choose another address"),
    }
}
