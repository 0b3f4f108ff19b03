//! Mutual TLS with peers like Go's, and with peers that are not who they should be.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outboard_proto::handshake::Address;
use outboard_proto::transport::{ConnectError, Identity, Tls, peer_from_pem};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P521_SHA512,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{Task, dial, listen, pair, path, serve, who};

const H2: &[&[u8]] = &[b"h2"];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A peer as go-plugin makes them: P-521, and an authority that serves as end entity.
struct GoLike {
    cert: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
}

impl GoLike {
    fn generate() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = (SystemTime::now() - Duration::from_secs(30)).into();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
            KeyUsagePurpose::KeyCertSign,
        ];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let cert = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self { cert, key: aws_lc_rs::sign::any_ecdsa_type(&key).unwrap() }
    }

    /// The certificate is public: anyone can show it, without the key.
    fn with_key_of(&self, other: &Self) -> Self {
        Self { cert: self.cert.clone(), key: other.key.clone() }
    }

    fn resolver(&self) -> Arc<SingleCertAndKey> {
        let key = CertifiedKey::new(vec![self.cert.clone()], self.key.clone());
        Arc::new(SingleCertAndKey::from(key))
    }
}

/// The usual verifiers, as any other implementation would use them on our certificate.
fn roots(identity: &Identity) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(identity.cert_der().to_owned())).unwrap();
    roots
}

fn alpn(protocols: &[&[u8]]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| protocol.to_vec()).collect()
}

fn go_client(
    host: Option<&GoLike>,
    plugin: &Identity,
    version: &'static SupportedProtocolVersion,
    protocols: &[&[u8]],
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(plugin));
    let mut config = match host {
        Some(host) => builder.with_client_cert_resolver(host.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn(protocols);
    config
}

fn go_server(
    plugin: &GoLike,
    host: &Identity,
    version: &'static SupportedProtocolVersion,
    protocols: &[&[u8]],
) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(host).into(), provider.clone())
            .build()
            .unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(plugin.resolver());
    config.alpn_protocols = alpn(protocols);
    config
}

/// Whether a server behind TLS answers an HTTP/2 preface with its settings.
async fn speaks_http2(path: &Path, config: ClientConfig) -> io::Result<()> {
    const SETTINGS: u8 = 4;
    let socket = UnixStream::connect(path).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    stream.write_all(PREFACE).await?;
    stream.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await?;
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await?;
    assert_eq!(frame[3], SETTINGS);
    Ok(())
}

/// Serves TLS to one client; what it gets to see of HTTP/2 is what `dial` needs.
fn go_listener(path: &Path, config: ServerConfig) -> Task {
    let listener = UnixListener::bind(path).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Task::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = acceptor.accept(socket).await {
            let mut preface = [0; PREFACE.len()];
            stream.read_exact(&mut preface).await.unwrap();
            assert_eq!(preface, PREFACE);
            // No settings: whoever asks for more than a connection waits.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
}

async fn dial_go(config: ServerConfig, tls: &Tls) -> Result<(), ConnectError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plugin");
    let _listener = go_listener(&path, config);
    dial(&Address::Unix(path), Some(tls)).await.map(drop)
}

#[tokio::test]
async fn our_own_two_sides_work_with_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (host, plugin) = pair();
    let (address, incoming) = listen(dir.path(), Some(plugin));
    let _server = serve(incoming, "plugin");
    assert_eq!(who(dial(&address, Some(&host)).await.unwrap()).await.unwrap(), "plugin");
}

#[tokio::test]
async fn t04_a_server_with_another_certificate_or_without_its_key_is_refused() {
    let host = Identity::generate().unwrap();
    let (plugin, other) = (GoLike::generate(), GoLike::generate());
    let tls = Tls::new(&host, &plugin.cert).unwrap();
    for version in [&TLS13, &TLS12] {
        dial_go(go_server(&plugin, &host, version, H2), &tls).await.unwrap();
        for imposter in [&other, &plugin.with_key_of(&other)] {
            let result = dial_go(go_server(imposter, &host, version, H2), &tls).await;
            let error = result.unwrap_err();
            assert!(matches!(error, ConnectError::Tls { .. }), "{version:?}: {error}");
        }
    }
}

#[tokio::test]
async fn t04_a_client_with_another_certificate_or_without_its_key_is_refused() {
    let plugin = Identity::generate().unwrap();
    let (host, other) = (GoLike::generate(), GoLike::generate());
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::new(&plugin, &host.cert).unwrap();
    let (address, incoming) = listen(dir.path(), Some(tls));
    let _server = serve(incoming, "plugin");
    for version in [&TLS13, &TLS12] {
        for imposter in [&other, &host.with_key_of(&other)] {
            let config = go_client(Some(imposter), &plugin, version, H2);
            assert!(speaks_http2(path(&address), config).await.is_err(), "{version:?}");
        }
        let config = go_client(Some(&host), &plugin, version, H2);
        speaks_http2(path(&address), config).await.unwrap();
    }
}

#[tokio::test]
async fn t05_a_client_without_a_certificate_is_refused() {
    let plugin = Identity::generate().unwrap();
    let host = GoLike::generate();
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::new(&plugin, &host.cert).unwrap();
    let (address, incoming) = listen(dir.path(), Some(tls));
    let _server = serve(incoming, "plugin");
    for version in [&TLS13, &TLS12] {
        let config = go_client(None, &plugin, version, H2);
        assert!(speaks_http2(path(&address), config).await.is_err(), "{version:?}");
        let config = go_client(Some(&host), &plugin, version, H2);
        speaks_http2(path(&address), config).await.unwrap();
    }
}

#[tokio::test]
async fn t09_a_peer_that_does_not_agree_on_h2_is_refused_in_both_roles() {
    let ours = Identity::generate().unwrap();
    let go = GoLike::generate();
    let tls = Tls::new(&ours, &go.cert).unwrap();
    let error = dial_go(go_server(&go, &ours, &TLS13, &[]), &tls).await.unwrap_err();
    assert!(matches!(error, ConnectError::Alpn { .. }), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let (address, incoming) = listen(dir.path(), Some(tls));
    let _server = serve(incoming, "plugin");
    for protocols in [&[][..], &[b"http/1.1".as_slice()]] {
        let config = go_client(Some(&go), &ours, &TLS13, protocols);
        assert!(speaks_http2(path(&address), config).await.is_err(), "{protocols:?}");
    }
}

#[test]
fn t10_a_garbage_client_certificate_is_an_error_that_says_what_to_do() {
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let one_line = Identity::generate().unwrap().cert_pem().replace('\n', " ");
    for garbage in ["garbage", "", &one_line] {
        let error = peer_from_pem(garbage).unwrap_err().to_string();
        assert!(error.contains("PLUGIN_CLIENT_CERT holds no PEM certificate"), "{error}");
        assert!(error.contains("with real line ends"), "{error}");
    }
    let error = peer_from_pem(not_der).unwrap_err().to_string();
    assert!(error.contains("can't be read"), "{error}");
}

#[test]
fn the_first_certificate_of_the_hosts_pem_is_the_one_that_counts() {
    let (first, second) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let pem = format!("{}{}", first.cert_pem(), second.cert_pem());
    assert_eq!(peer_from_pem(&pem).unwrap(), first.cert_der());
}

#[test]
fn a_peer_certificate_that_is_none_is_refused_before_any_connection() {
    let identity = Identity::generate().unwrap();
    let error = Tls::new(&identity, b"\x30\x00").unwrap_err().to_string();
    assert!(error.contains("X.509 version 3"), "{error}");
}

#[test]
fn an_identity_fits_into_the_handshake_and_is_fresh_each_time() {
    let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    assert_ne!(one.cert_der(), other.cert_der());
    assert!(one.cert_der().len() < 600, "{}", one.cert_der().len());
    assert!(one.cert_pem().starts_with("-----BEGIN CERTIFICATE-----"));
}
