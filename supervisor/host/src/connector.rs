//! Further connections to a plugin that runs.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use outboard_proto::handshake::Address;
use outboard_proto::transport::{ConnectError, PeerCheck, Tls, connect};
use tonic::transport::Channel;

/// Opens further connections to one plugin: what the first one cannot do, because it belongs to the runtime in
/// which the plugin was started.
///
/// Clones are cheap. None of them keeps the plugin alive.
#[derive(Clone)]
pub struct Connector(Arc<Target>);

struct Target {
    address: Address,
    tls: Option<Tls>,
    check: PeerCheck,
    limit: Duration,
    first: Channel,
}

impl Connector {
    pub(crate) fn new(
        address: Address,
        tls: Option<Tls>,
        check: PeerCheck,
        limit: Duration,
        first: Channel,
    ) -> Self {
        Self(Arc::new(Target { address, tls, check, limit, first }))
    }

    /// Opens a connection, with the checks of the first one. The runtime in which this is called drives it, and
    /// opens it again when it breaks while the plugin lives.
    ///
    /// A plugin that accepts one connection only and then takes its socket away is reached through that one.
    ///
    /// # Errors
    ///
    /// When the plugin does not accept within 5 s, or its start's limit if that is shorter, or is not the one at
    /// the address any more.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up.
    pub async fn connect(&self) -> Result<Channel, ConnectError> {
        let Target { address, tls, check, limit, first } = &*self.0;
        match connect(address, tls.as_ref(), check, *limit).await {
            // If the plugin has ended, the first call says so as well.
            Err(ConnectError::Dial { source, .. }) if is_gone(source.kind()) => Ok(first.clone()),
            connected => connected,
        }
    }
}

/// Nobody listens there now, though somebody did.
fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("address", &self.0.address).finish_non_exhaustive()
    }
}
