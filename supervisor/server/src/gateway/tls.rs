//! TLS with the clients: a certificate and its key from PEM files, which may be exchanged while the gateway runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::sniff::Version;
use super::wire::Socket;

/// What a client may ask for, the best first.
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE: u8 = 0x16;

/// The certificate and key that new connections get.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    current: ArcSwap<ServerConfig>,
}

/// Where they are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate, then those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate or a key that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{key} \"{}\": {problem}", path.display())]
pub struct TlsError {
    key: &'static str,
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}; the file must be readable for the user that Outboard runs as")]
    Unreadable(io::Error),
    #[error(
        "the file is no PEM ({0}); it needs whole BEGIN and END lines with base64 between them"
    )]
    NoPem(pem::Error),
    #[error(
        "the file has no certificate; it needs a block that begins with -----BEGIN CERTIFICATE-----"
    )]
    NoCertificate,
    #[error(
        "the file has no private key that can be read; it needs a block PRIVATE KEY, RSA PRIVATE KEY or \
         EC PRIVATE KEY without a passphrase"
    )]
    NoKey,
    #[error("the key is not that of the first certificate in \"{}\"; name the pair that was made together", .0.display())]
    OtherKey(PathBuf),
    #[error(
        "the first certificate can't be used ({0}); it must be one X.509 version 3 certificate"
    )]
    Certificate(rustls::Error),
    #[error("the key can't be used ({0}); it must be an RSA, ECDSA or Ed25519 key")]
    Key(rustls::Error),
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
        let current = ArcSwap::from(files.read()?);
        Ok(Self { files, current })
    }

    /// Reads them again, for the connections from now on. After an error all stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(self.files.read()?);
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

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let in_certificate = |problem| error("gateway.tls.certificate", &self.certificate, problem);
        let in_key = |problem| error("gateway.tls.key", &self.key, problem);
        let chain = certificates(&self.certificate).map_err(in_certificate)?;
        let key = private_key(&self.key).map_err(in_key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let signing = provider.key_provider.load_private_key(key.clone_key());
        signing.map_err(|error| in_key(Problem::Key(error)))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the suites of both versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                in_key(Problem::OtherKey(self.certificate.clone()))
            }
            error => in_certificate(Problem::Certificate(error)),
        })?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
        Ok(Arc::new(config))
    }
}

fn error(key: &'static str, path: &Path, problem: Problem) -> TlsError {
    TlsError { key, path: path.to_owned(), problem }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let text = std::fs::read(path).map_err(Problem::Unreadable)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(Problem::NoPem)?;
    if chain.is_empty() { Err(Problem::NoCertificate) } else { Ok(chain) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let text = std::fs::read(path).map_err(Problem::Unreadable)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => Problem::NoKey,
        error => Problem::NoPem(error),
    })
}
