//! What both sides of the wire do with sockets: identities, TLS, connections, listeners, the broker.
//!
//! A peer is believed for one of two reasons, and never for what it says. Under mutual TLS it holds
//! the key of the one certificate that was pinned ([`Tls`]); on a Unix socket, [`PeerCheck`] looks at
//! the process behind it. Everything here runs inside a tokio runtime with IO and time enabled.

mod broker;
mod connect;
mod identity;
mod incoming;
mod io;
mod listener;
pub mod mux;
mod peer;
mod tls;

pub use broker::{Broker, BrokerConfig, BrokerError, BrokerService};
pub use connect::{CONNECTION_WINDOW, ConnectError, STREAM_WINDOW, connect};
pub use identity::{Identity, TlsError, peer_from_pem};
pub use incoming::Incoming;
pub use io::Io;
pub use listener::Listener;
pub use peer::{AddressRule, PeerCheck};
pub use tls::Tls;
