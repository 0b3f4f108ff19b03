//! Who may be at the other end of a connection.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::{fmt, io};

type Check = dyn Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync;

/// Judges the process behind each Unix socket, once it is connected or accepted, and which TCP
/// addresses may be dialled at all.
///
/// Cheap to clone. It runs on the runtime's threads and must not block.
#[derive(Clone)]
pub struct PeerCheck {
    unix: Arc<Check>,
    tcp: AddressRule,
}

impl PeerCheck {
    /// An error of `check` refuses the peer: the connection is closed before a byte is exchanged.
    /// TCP must be loopback.
    pub fn new(check: impl Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { unix: Arc::new(check), tcp: AddressRule::default() }
    }

    /// Every process will do, for a plugin, which its host's directory or certificate protects. TCP
    /// must be loopback.
    pub fn any() -> Self {
        Self::new(|_| Ok(()))
    }

    /// With another rule for TCP.
    #[must_use]
    pub fn with_tcp(self, tcp: AddressRule) -> Self {
        Self { tcp, ..self }
    }

    pub(super) fn judge(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        (self.unix)(socket)
    }

    pub(super) fn tcp(&self) -> AddressRule {
        self.tcp
    }
}

impl fmt::Debug for PeerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCheck").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

/// Which TCP addresses may be dialled. Unix sockets always may: [`PeerCheck`] looks at their peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressRule {
    /// None: where there is no TLS, anyone on the machine could listen there.
    UnixOnly,
    /// Those of this machine. No name is looked up but `localhost`.
    #[default]
    Loopback,
    /// All of them.
    Anywhere,
}

impl AddressRule {
    pub(super) fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::UnixOnly => false,
            Self::Loopback => ip.to_canonical().is_loopback(),
            Self::Anywhere => true,
        }
    }
}
