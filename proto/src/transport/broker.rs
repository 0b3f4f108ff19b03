//! go-plugin's broker without multiplexing: further connections between host and plugin, either way.
//!
//! Whoever serves a number opens a listener and announces its address on the one control stream;
//! whoever dials waits for the announcement. Each side counts its own numbers.

mod mailbox;
mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};
use tonic::transport::Channel;

use self::mailbox::{LIFE, Mailboxes, Ticket};
pub use self::stream::BrokerService;
use self::stream::{LONGEST_MESSAGE, Reader};
use super::connect::{ConnectError, connect};
use super::incoming::Incoming;
use super::listener::Listener;
use super::peer::{AddressRule, PeerCheck};
use super::tls::Tls;
use crate::goplugin::ConnInfo;
use crate::goplugin::grpc_broker_server::GrpcBrokerServer;
use crate::handshake::{Address, AddressError};

/// What go-plugin calls its sockets.
const SOCKET_PREFIX: &str = "plugin";
/// For the connection behind an announcement, TLS included.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// How a side listens and dials for its broker.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where sockets are made. Keep it short: a socket's path has at most 107 bytes.
    pub socket_dir: PathBuf,
    /// Group (name or number) to hand each socket to, with mode 0660. Default: none.
    pub socket_group: Option<String>,
    /// The same as that of the main connection.
    pub tls: Option<Tls>,
    /// Run on each connection, dialled or accepted.
    pub check: PeerCheck,
    /// Which TCP addresses the peer may announce. This takes the place of `check`'s own rule.
    pub allow_tcp: AddressRule,
}

/// Why a brokered connection did not come about.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum BrokerError {
    /// No announcement came.
    #[error(
        "the other side did not announce broker id {id} within 5 s; it must serve the id first, \
         and announce it again for each dial"
    )]
    NotAnnounced {
        /// What was dialled.
        id: u32,
    },
    /// The control stream is gone, so no announcement can come.
    #[error("the broker is closed ({reason}); the plugin must serve plugin.GRPCBroker and run")]
    Closed {
        /// What ended it.
        reason: String,
    },
    /// The announcement makes no sense.
    #[error("broker id {id} was announced at a bad address: {source}")]
    Address {
        /// What was dialled.
        id: u32,
        /// What is wrong.
        source: AddressError,
    },
    /// Announced, but not reached.
    #[error("broker id {id}: {source}")]
    Connect {
        /// What was dialled.
        id: u32,
        /// What went wrong.
        source: ConnectError,
    },
    /// No socket could be made.
    #[error("no socket for broker id {id}: {source}")]
    Listen {
        /// What was to be served.
        id: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// One side's end of the broker. Clones are the same broker.
///
/// On the host it closes when the last clone is dropped.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
    /// The host's task that reads the control stream.
    _reader: Option<Arc<Reader>>,
}

type Announced = Result<Address, AddressError>;

struct Shared {
    config: BrokerConfig,
    check: PeerCheck,
    last_id: AtomicU32,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mailboxes: Mailboxes<Announced, oneshot::Sender<Announced>>,
    /// The control stream of now; what is announced while there is none waits in `unsent`.
    outgoing: Option<mpsc::UnboundedSender<ConnInfo>>,
    unsent: Vec<ConnInfo>,
    closed: Option<String>,
}

impl Broker {
    /// The host's end: opens the one control stream over `channel`, in a task of its own.
    ///
    /// It does not wait for the plugin, which may well never answer on that stream.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn over(channel: Channel, config: BrokerConfig) -> Self {
        let shared = Shared::new(config);
        let reader = Reader::spawn(channel, shared.clone());
        Self { shared, _reader: Some(Arc::new(reader)) }
    }

    /// The plugin's end, and the service through which the host reaches it.
    ///
    /// A host that connects again opens a new control stream, which takes the place of the old one.
    pub fn serve(config: BrokerConfig) -> (Self, GrpcBrokerServer<BrokerService>) {
        let shared = Shared::new(config);
        let service = GrpcBrokerServer::new(BrokerService::new(shared.clone()))
            .max_decoding_message_size(LONGEST_MESSAGE);
        (Self { shared, _reader: None }, service)
    }

    /// A number for something that this side will serve. Never 0; used again only after 2^32.
    pub fn next_id(&self) -> u32 {
        loop {
            let id = self.shared.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if id != 0 {
                return id;
            }
        }
    }

    /// Connects to what the other side serves as `id`: waits up to 5 s for its announcement, which is
    /// used up. The channel then connects to the same address again whenever it breaks.
    ///
    /// Dropping the future leaves the announcement for the next dial, unless it just arrived.
    ///
    /// # Errors
    ///
    /// At once for an announcement that can't be used, after 5 s for none.
    pub async fn dial(&self, id: u32) -> Result<Channel, BrokerError> {
        let shared = &self.shared;
        let address =
            shared.announced(id).await?.map_err(|source| BrokerError::Address { id, source })?;
        connect(&address, shared.config.tls.as_ref(), &shared.check, DIAL_LIMIT)
            .await
            .map_err(|source| BrokerError::Connect { id, source })
    }

    /// Opens a new listener for `id` and announces it: good for one dial of the other side within 5 s,
    /// which may then connect as often as it likes.
    ///
    /// Serve what is returned at once, beside whatever tells the other side to dial. Dropping it stops
    /// listening.
    ///
    /// # Errors
    ///
    /// When no socket can be made, or the control stream is gone for good.
    #[expect(clippy::unused_async, reason = "multiplexed brokers will wait here for a knock")]
    pub async fn accept(&self, id: u32) -> Result<Incoming, BrokerError> {
        let listener = self.shared.listen().map_err(|source| BrokerError::Listen { id, source })?;
        self.shared.announce(ConnInfo {
            service_id: id,
            network: listener.address().network().to_owned(),
            address: listener.address().to_string(),
            knock: None,
        })?;
        Ok(listener.incoming(self.shared.config.tls.clone(), self.shared.check.clone()))
    }
}

impl Shared {
    fn new(config: BrokerConfig) -> Arc<Self> {
        Arc::new(Self {
            check: config.check.clone().with_tcp(config.allow_tcp),
            config,
            last_id: AtomicU32::new(0),
            started: Instant::now(),
            state: Mutex::default(),
        })
    }

    /// Never held across an await, and nothing panics under it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn listen(&self) -> io::Result<Listener> {
        let listener = Listener::bind_unix(&self.config.socket_dir, SOCKET_PREFIX)?;
        if let Some(group) = &self.config.socket_group {
            listener.share_with_group(group)?;
        }
        Ok(listener)
    }

    fn announce(&self, info: ConnInfo) -> Result<(), BrokerError> {
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(BrokerError::Closed { reason: reason.clone() });
        }
        let unsent = match &state.outgoing {
            Some(outgoing) => outgoing.send(info).err().map(|error| error.0),
            None => Some(info),
        };
        state.unsent.extend(unsent);
        Ok(())
    }

    /// A control stream begins: what waited goes first, and the one before it ends.
    fn attach(&self) -> mpsc::UnboundedReceiver<ConnInfo> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state();
        for info in state.unsent.drain(..) {
            // The receiver is right here.
            let _ = sender.send(info);
        }
        state.outgoing = Some(sender);
        receiver
    }

    /// No announcement will ever come again.
    fn close(&self, reason: String) {
        let mut state = self.state();
        state.closed = Some(reason);
        state.outgoing = None;
        state.mailboxes.dismiss();
    }

    /// The other side announced something.
    fn deliver(&self, info: &ConnInfo) {
        if info.knock.is_some() {
            tracing::debug!(
                id = info.service_id,
                "ignored a knock: this broker is not multiplexed"
            );
            return;
        }
        let mut announced = Address::parse(info.network.as_bytes(), info.address.as_bytes());
        let now = self.now();
        let mut state = self.state();
        // One who waited may have gone in the meantime; then the next one gets it.
        while let Some((waiter, unclaimed)) =
            state.mailboxes.arrive(now, info.service_id, announced)
        {
            match waiter.send(unclaimed) {
                Ok(()) => return,
                Err(returned) => announced = returned,
            }
        }
    }

    async fn announced(self: &Arc<Self>, id: u32) -> Result<Announced, BrokerError> {
        let (sender, receiver) = oneshot::channel();
        let _waiting = {
            let mut state = self.state();
            match state.mailboxes.dial(self.now(), id, sender) {
                Ok(announced) => return Ok(announced),
                Err(ticket) => Waiting { shared: self.clone(), id, ticket },
            }
        };
        if let Some(closed) = self.closed() {
            return Err(closed);
        }
        match time::timeout(LIFE, receiver).await {
            Ok(Ok(announced)) => Ok(announced),
            Ok(Err(_)) => Err(self.closed().unwrap_or(BrokerError::NotAnnounced { id })),
            Err(_) => Err(BrokerError::NotAnnounced { id }),
        }
    }

    fn closed(&self) -> Option<BrokerError> {
        self.state().closed.clone().map(|reason| BrokerError::Closed { reason })
    }
}

/// A dial that waits; when it is dropped, nobody does.
struct Waiting {
    shared: Arc<Shared>,
    id: u32,
    ticket: Ticket,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.state().mailboxes.forget(self.id, self.ticket);
    }
}

#[cfg(test)]
mod tests;
