//! Opens a gRPC channel to an address, and opens it again when it breaks.

use std::error::Error;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{io, iter};

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::identity::SERVER_NAME;
use super::io::Io;
use super::peer::{AddressRule, PeerCheck};
use super::tls::{ALPN, Tls};
use crate::handshake::Address;

/// Credit of HTTP/2 for one call, in bytes, on both sides.
pub const STREAM_WINDOW: u32 = 1024 * 1024;
/// The same for all calls of a connection.
pub const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How often a Unix socket is tried again whose queue of connections is full.
const FULL_BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// Why no connection came about.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Not connected, or no TLS, in time.
    #[error("no connection to {address} within {timeout:?}; check that the other side accepts")]
    Timeout {
        /// What was dialled.
        address: Address,
        /// How long.
        timeout: Duration,
    },
    /// The operating system refused.
    #[error(
        "can't connect to {address}: {source}; check that the other side still runs and listens \
         there"
    )]
    Dial {
        /// What was dialled.
        address: Address,
        /// The system's error.
        source: io::Error,
    },
    /// The peer is not who it should be.
    #[error(
        "the process that listens on {address} was refused: {source}; a side may only announce a \
         socket of its own"
    )]
    Peer {
        /// What was dialled.
        address: Address,
        /// What the check said.
        source: io::Error,
    },
    /// The address is not allowed.
    #[error("{address} was not dialled: {}", forbidden(*.rule))]
    Forbidden {
        /// What would have been dialled.
        address: Address,
        /// What is allowed.
        rule: AddressRule,
    },
    /// TLS failed.
    #[error(
        "TLS with {address} failed: {source}; both sides must use the certificates that they \
         exchanged at start"
    )]
    Tls {
        /// What was dialled.
        address: Address,
        /// What TLS said.
        source: io::Error,
    },
    /// TLS works, but not for HTTP/2.
    #[error("{address} did not agree on HTTP/2 in TLS; set ALPN \"h2\" in its TLS configuration")]
    Alpn {
        /// What was dialled.
        address: Address,
    },
    /// The connection broke before HTTP/2 was up.
    #[error(
        "no HTTP/2 with {address}: {}; check that the other side serves gRPC there",
        root(source)
    )]
    Http2 {
        /// What was dialled.
        address: Address,
        /// What HTTP/2 said.
        source: tonic::transport::Error,
    },
}

fn forbidden(rule: AddressRule) -> &'static str {
    match rule {
        AddressRule::UnixOnly => "TCP is not allowed here; use a Unix socket",
        AddressRule::Loopback | AddressRule::Anywhere => {
            "TCP is only allowed to this machine; use a Unix socket or 127.0.0.1, or allow remote \
             TCP"
        }
    }
}

/// What tonic's error is about; itself it says no more than that transport failed.
fn root<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Connects, and gives a channel that connects again, through the same checks, when it breaks.
///
/// Nothing is asked of the peer: with TLS 1.3 a peer that refuses this side's certificate shows it
/// only at the first call. `timeout` bounds each connection with its TLS handshake. There is no
/// keep-alive: go-plugin's servers end connections that ping them.
///
/// # Errors
///
/// When the first connection fails. Later failures come out of the calls.
pub async fn connect(
    address: &Address,
    tls: Option<&Tls>,
    check: &PeerCheck,
    timeout: Duration,
) -> Result<Channel, ConnectError> {
    let dialler = Dialler {
        address: address.clone(),
        tls: tls.map(Tls::client),
        check: check.clone(),
        timeout,
    };
    // Dialled out here, because tonic would hide what exactly went wrong.
    let mut first = Some(dialler.dial().await?);
    let connector = service_fn(move |_: Uri| {
        let (first, dialler) = (first.take(), dialler.clone());
        async move {
            let io = match first {
                Some(io) => io,
                None => dialler.dial().await?,
            };
            Ok::<_, ConnectError>(TokioIo::new(io))
        }
    });
    // Go's servers under TLS see this authority; without TLS they don't look at it.
    Endpoint::from_static("http://localhost")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // Frames are left at 16 KiB: larger ones save reads, but what nobody reads then holds on to twice its bytes.
        .connect_with_connector(connector)
        .await
        .map_err(|source| ConnectError::Http2 { address: address.clone(), source })
}

#[derive(Clone)]
struct Dialler {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    check: PeerCheck,
    timeout: Duration,
}

impl Dialler {
    async fn dial(&self) -> Result<Io, ConnectError> {
        let (address, timeout) = (self.address.clone(), self.timeout);
        time::timeout(timeout, self.dial_unbounded())
            .await
            .unwrap_or(Err(ConnectError::Timeout { address, timeout }))
    }

    async fn dial_unbounded(&self) -> Result<Io, ConnectError> {
        match &self.address {
            Address::Unix(path) => self.unix(path).await,
            Address::Abstract(name) => self.unix(&abstract_path(name)).await,
            Address::Tcp(_) => self.tcp().await,
        }
    }

    async fn unix(&self, path: &Path) -> Result<Io, ConnectError> {
        let socket = connect_unix(path).await.map_err(|source| self.dial_error(source))?;
        self.check
            .judge(socket.as_fd())
            .map_err(|source| ConnectError::Peer { address: self.address.clone(), source })?;
        self.secure(socket).await
    }

    async fn tcp(&self) -> Result<Io, ConnectError> {
        let candidates = self.candidates().await?;
        let socket = TcpStream::connect(candidates.as_slice()).await;
        let socket = socket.map_err(|source| self.dial_error(source))?;
        socket.set_nodelay(true).map_err(|source| self.dial_error(source))?;
        self.secure(socket).await
    }

    /// The addresses behind the name. Only where all are allowed is a name of the peer's looked up:
    /// else it could have this process ask name servers whatever it likes.
    async fn candidates(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let rule = self.check.tcp();
        let Some((host, port)) = self.address.host_and_port() else {
            return Err(self.dial_error(io::ErrorKind::InvalidInput.into()));
        };
        let ips: Vec<IpAddr> = match host.parse() {
            Ok(ip) => vec![dialled(ip)],
            Err(_) if host.is_empty() || host == SERVER_NAME => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) if rule == AddressRule::Anywhere => {
                let found = lookup_host((host, port)).await;
                return found.map(Iterator::collect).map_err(|source| self.dial_error(source));
            }
            Err(_) => Vec::new(),
        };
        if ips.is_empty() || !ips.iter().all(|ip| rule.allows(*ip)) {
            return Err(ConnectError::Forbidden { address: self.address.clone(), rule });
        }
        Ok(ips.into_iter().zip(iter::repeat(port)).map(SocketAddr::from).collect())
    }

    async fn secure<S>(&self, socket: S) -> Result<Io, ConnectError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let Some(config) = self.tls.clone() else { return Ok(Io::new(socket)) };
        let name = ServerName::try_from(SERVER_NAME).expect("localhost is a DNS name");
        let stream = TlsConnector::from(config)
            .connect(name, socket)
            .await
            .map_err(|source| ConnectError::Tls { address: self.address.clone(), source })?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(ConnectError::Alpn { address: self.address.clone() });
        }
        Ok(Io::new(stream))
    }

    fn dial_error(&self, source: io::Error) -> ConnectError {
        ConnectError::Dial { address: self.address.clone(), source }
    }
}

/// As tokio wants an abstract name: as a path that begins with NUL.
fn abstract_path(name: &[u8]) -> PathBuf {
    let bytes: Vec<u8> = iter::once(0).chain(name.iter().copied()).collect();
    PathBuf::from(OsString::from_vec(bytes))
}

/// A Unix socket whose backlog is full refuses at once where TCP would wait; so this waits.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                time::sleep(FULL_BACKLOG_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// A peer that listens on all addresses may announce just that: it is dialled on this machine.
fn dialled(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
