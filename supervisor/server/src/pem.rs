//! A server's certificate and key, and the authority of its clients, from PEM files; with what is wrong with them
//! said so that it can be mended.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

/// Where they are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate, then those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The keys of the configuration that name the files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    pub certificate: &'static str,
    pub key: &'static str,
}

/// A file that can't be used.
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
    #[error(
        "a certificate in it can't be used as an authority ({0}); it must be an X.509 version 3 certificate"
    )]
    Authority(String),
}

impl Files {
    /// A server with this certificate. Whom it lets in, `clients` says; `None`: anybody.
    pub(crate) fn server(
        &self,
        names: Names,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<ServerConfig, TlsError> {
        let in_certificate = |problem| error(names.certificate, &self.certificate, problem);
        let in_key = |problem| error(names.key, &self.key, problem);
        let chain = certificates(&self.certificate).map_err(in_certificate)?;
        let key = private_key(&self.key).map_err(in_key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let signing = provider.key_provider.load_private_key(key.clone_key());
        signing.map_err(|error| in_key(Problem::Key(error)))?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the suites of both versions");
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                in_key(Problem::OtherKey(self.certificate.clone()))
            }
            error => in_certificate(Problem::Certificate(error)),
        })
    }
}

/// Lets in whoever has a certificate of an authority in the file at `path`, which `name` names.
pub(crate) fn clients(
    name: &'static str,
    path: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |problem| error(name, path, problem);
    let mut roots = RootCertStore::empty();
    for authority in certificates(path).map_err(wrong)? {
        roots.add(authority).map_err(|error| wrong(Problem::Authority(error.to_string())))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| wrong(Problem::Authority(error.to_string())))
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
