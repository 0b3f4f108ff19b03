//! TLS with callers over TCP: both sides have a certificate. The files may be exchanged while the service runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

use super::caller::Caller;
use crate::pem::{self, Names, TlsError};

/// What a caller may ask for, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
const NAMES: Names = Names { certificate: "service.tls.certificate", key: "service.tls.key" };

/// The certificate that new connections get, and the authority that theirs must be of.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    current: ArcSwap<ServerConfig>,
}

/// Where they are.
#[derive(Debug, Clone)]
pub struct Files {
    pub own: pem::Files,
    /// The authorities of callers.
    pub clients: PathBuf,
}

impl Tls {
    /// Reads all files, so that a mistake in them is known before anybody connects.
    pub fn open(files: Files) -> Result<Self, TlsError> {
        let current = ArcSwap::from(files.read()?);
        Ok(Self { files, current })
    }

    /// Reads them again, for the connections from now on. After an error all stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(self.files.read()?);
        Ok(())
    }

    /// Does the handshake, which is not bounded in time here.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Caller)> {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let stream = acceptor.accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let certificate = certificates.and_then(<[_]>::first);
        let subject = certificate.and_then(|certificate| {
            let certificate = EndEntityCert::try_from(certificate).ok()?;
            Some(certificate.subject().to_vec())
        });
        let subject = subject.ok_or_else(|| io::Error::other("a certificate without a subject"))?;
        Ok((stream, Caller::Subject(subject.into())))
    }
}

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let clients = pem::clients("service.tls.clients", &self.clients)?;
        let mut config = self.own.server(NAMES, Some(clients))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }
}
