//! TLS with the clients: a certificate and its key from PEM files, which may be exchanged while the gateway runs.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::sniff::Version;
use super::wire::Socket;
use crate::pem::Names;
pub use crate::pem::{Files, TlsError};

/// What a client may ask for, the best first.
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE: u8 = 0x16;
const NAMES: Names = Names { certificate: "gateway.tls.certificate", key: "gateway.tls.key" };

/// The certificate and key that new connections get.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    current: ArcSwap<ServerConfig>,
}

/// How a connection began.
pub(super) enum Accepted {
    Secured {
        stream: Box<TlsStream<Socket>>,
        version: Version,
    },
    /// The client does not speak TLS.
    NoTls,
}

impl Tls {
    /// Reads both files, so that a mistake in them is known before anybody connects.
    pub fn open(files: Files) -> Result<Self, TlsError> {
        let current = ArcSwap::from(read(&files)?);
        Ok(Self { files, current })
    }

    /// Reads them again, for the connections from now on. After an error all stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(read(&self.files)?);
        Ok(())
    }

    /// Waits for a client's first byte and then for the end of the handshake; neither is bounded in time here.
    pub(super) async fn accept(&self, socket: &Socket) -> io::Result<Accepted> {
        let mut first = [0];
        if socket.0.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] != HANDSHAKE {
            return Ok(Accepted::NoTls);
        }
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let stream = Box::new(acceptor.accept(socket.clone()).await?);
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        let version = if is_http2 { Version::Two } else { Version::One };
        Ok(Accepted::Secured { stream, version })
    }
}

fn read(files: &Files) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = files.server(NAMES, None)?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    Ok(Arc::new(config))
}
