//! TLS where each side trusts exactly one certificate: the other's.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::identity::{Identity, TlsError, check_readable};

/// grpc-go refuses peers that agree on no protocol.
pub(super) const ALPN: &[u8] = b"h2";

/// Mutual TLS between two processes, for either role.
///
/// There is no resumption: a resumed session would skip the look at the certificate, and all peers
/// share one name. Make a new one for each start of a plugin.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// Presents `identity` and accepts nobody but the holder of the key of `peer_der`.
    ///
    /// # Errors
    ///
    /// When `peer_der` is no certificate.
    pub fn new(identity: &Identity, peer_der: &[u8]) -> Result<Self, TlsError> {
        let peer = CertificateDer::from(peer_der.to_owned());
        check_readable(&peer)?;
        // Named, not the process's default: whoever embeds this may have set another, and ring can't
        // verify Go's P-521.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pin = Arc::new(Pin { peer, algorithms: provider.signature_verification_algorithms });
        Ok(Self {
            client: Arc::new(client_config(identity, provider.clone(), pin.clone())?),
            server: Arc::new(server_config(identity, provider, pin)?),
        })
    }

    /// For connections that this side opens.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    /// For connections that this side accepts; a client must show its certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    pub(super) fn into_server(self) -> Arc<ServerConfig> {
        self.server
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn client_config(
    identity: &Identity,
    provider: Arc<CryptoProvider>,
    pin: Arc<Pin>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_client_auth_cert(identity.chain(), identity.key())?;
    config.alpn_protocols = vec![ALPN.to_owned()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server_config(
    identity: &Identity,
    provider: Arc<CryptoProvider>,
    pin: Arc<Pin>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(pin)
        .with_single_cert(identity.chain(), identity.key())?;
    config.alpn_protocols = vec![ALPN.to_owned()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Accepts one certificate, byte for byte, in both roles.
///
/// The usual verifier won't do: Go's certificates are authorities that serve as end entities, which
/// webpki refuses. Names, dates and chains say nothing that the bytes don't.
#[derive(Debug)]
struct Pin {
    peer: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pin {
    fn check(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        if *end_entity == self.peer {
            return Ok(());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    /// The proof that the peer holds the key: without it the certificate, which is public, would do.
    fn verify12(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify13(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify12(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify13(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pin {
    /// None: a Go client that finds its issuer missing in a list would send no certificate at all.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify12(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify13(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
