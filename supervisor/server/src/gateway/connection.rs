//! One client's connection, as those see it who answer its requests.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

/// Who sent a request, and over what.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub address: IpAddr,
    /// Whether the client speaks TLS with this gateway; then the scheme is `https`.
    pub is_tls: bool,
    line: Arc<Line>,
}

/// A connection's place among `gateway.max_connections`, free again when the last of these is dropped.
///
/// The connection itself holds one while it speaks HTTP. Who makes a tunnel of it must hold another one for as
/// long as the tunnel lives: hyper lets go of a connection when it is upgraded.
#[derive(Debug, Clone)]
#[must_use = "dropping it gives the place away"]
pub(super) struct Place {
    _line: Arc<Line>,
}

/// What all requests of a connection share.
#[derive(Debug)]
struct Line {
    _place: OwnedSemaphorePermit,
}

impl Peer {
    pub(super) fn new(address: IpAddr, is_tls: bool, place: OwnedSemaphorePermit) -> Self {
        Self { address, is_tls, line: Arc::new(Line { _place: place }) }
    }

    /// The place of the connection, to be held by a tunnel.
    #[expect(dead_code, reason = "tunnels come next")]
    pub(super) fn place(&self) -> Place {
        Place { _line: self.line.clone() }
    }
}
