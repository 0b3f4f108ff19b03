//! The certificate that a side makes for itself, and the reading of the other side's.

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use webpki::EndEntityCert;

/// The name that both sides' certificates carry and that each asks for.
pub(super) const SERVER_NAME: &str = "localhost";

/// Go checks the dates, and clocks are set back now and then.
const CLOCK_SLACK: Duration = Duration::from_secs(30);
/// About 30 years: it lives no longer than the two processes, so any end beyond that will do.
const LIFETIME: Duration = Duration::from_hours(262_980);

/// A key and the certificate that it signed for itself, made for one pair of processes.
///
/// P-256, because it costs less than go-plugin's own P-521 and Go accepts it. Not a
/// certificate authority: it vouches for itself alone.
pub struct Identity {
    cert: CertificateDer<'static>,
    cert_pem: String,
    key: PrivatePkcs8KeyDer<'static>,
}

/// Why an identity or a TLS configuration could not be made.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum TlsError {
    /// No key or certificate could be made.
    #[error("could not make a TLS identity: {0}; check that the system can give random numbers")]
    Generate(#[from] rcgen::Error),
    /// The host's certificate is no PEM.
    #[error(
        "PLUGIN_CLIENT_CERT holds no PEM certificate ({0}); the host must set it to a CERTIFICATE \
         block with real line ends, or unset it to do without TLS"
    )]
    Pem(rustls::pki_types::pem::Error),
    /// The peer's certificate is no X.509.
    #[error(
        "the other side's certificate can't be read ({0}); it must be one X.509 version 3 \
         certificate"
    )]
    Certificate(webpki::Error),
    /// TLS could not be set up.
    #[error("could not set up TLS: {0}; make a new identity")]
    Config(#[from] rustls::Error),
}

impl Identity {
    /// Makes a fresh one. It is never written down: a new process means a new identity.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn generate() -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let cert = params()?.self_signed(&key)?;
        Ok(Self {
            cert_pem: cert.pem(),
            cert: cert.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    /// The certificate for `PLUGIN_CLIENT_CERT`.
    pub fn cert_pem(&self) -> String {
        self.cert_pem.clone()
    }

    /// The certificate for the handshake line.
    pub fn cert_der(&self) -> &[u8] {
        &self.cert
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.cert.clone()]
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }
}

/// Each certificate is used in both roles as soon as the broker is, hence both usages.
fn params() -> Result<CertificateParams, rcgen::Error> {
    let now = SystemTime::now();
    let mut params = CertificateParams::new([SERVER_NAME.to_owned()])?;
    params.not_before = (now - CLOCK_SLACK).into();
    params.not_after = (now + LIFETIME).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.distinguished_name.push(DnType::OrganizationName, "Outboard");
    params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    Ok(params)
}

/// The host's certificate in DER, from `PLUGIN_CLIENT_CERT`: its first `CERTIFICATE` block.
///
/// # Errors
///
/// When there is none, or it is no certificate. go-plugin would go on with a server that nobody can
/// use; here it is an error to exit with.
pub fn peer_from_pem(pem: &str) -> Result<Vec<u8>, TlsError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(TlsError::Pem)?;
    check_readable(&der)?;
    Ok(der.to_vec())
}

/// A certificate that can't be read would fail each handshake later, with less to say about it.
pub(super) fn check_readable(der: &CertificateDer<'_>) -> Result<(), TlsError> {
    EndEntityCert::try_from(der).map(drop).map_err(TlsError::Certificate)
}
