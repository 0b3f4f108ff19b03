//! Over TCP: both sides have a certificate, and whoever has none gets nowhere.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outboard::pem;
use outboard::service::Tls;
use outboard::service::tls::Files;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::{EMAIL, Fixture, PATIENCE, Setup, TOKEN};
use crate::http::{Reply, ask_on, request};
use crate::plugin::Plugin;

const NAME: &str = "outboard.example";

/// Who vouches for others.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// For a name of its own, and somebody called so.
    fn vouch(&self, called: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, called);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// The files of a service, and who made them.
struct Pki {
    dir: TempDir,
    authority: Authority,
    tls: Arc<Tls>,
}

impl Pki {
    fn new() -> Self {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        write(dir.path(), &authority);
        let tls = Arc::new(Tls::open(files(dir.path())).unwrap());
        Self { dir, authority, tls }
    }

    async fn start(&self) -> Fixture {
        let setup = Setup { tls: Some(self.tls.clone()), ..Setup::new() };
        setup.start(Plugin::knows(&[])).await
    }
}

fn files(dir: &Path) -> Files {
    let own = pem::Files { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
    Files { own, clients: dir.join("clients.pem") }
}

fn write(dir: &Path, authority: &Authority) {
    let (certificate, key) = authority.vouch("service");
    std::fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(dir.join("clients.pem"), authority.certificate.pem()).unwrap();
}

/// A caller that trusts `authority`, and shows this certificate, if any.
async fn connect(
    address: SocketAddr,
    authority: &Authority,
    shown: Option<(rcgen::Certificate, KeyPair)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
            let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn question() -> String {
    request("GET", "/v1/forward-auth", &[("Email-Id", EMAIL), ("Access-Token", TOKEN)], "")
}

async fn pass(stream: TlsStream<TcpStream>) -> Reply {
    ask_on(stream, &question()).await
}

/// Whether somebody gets no answer: TLS 1.3 tells a client only after its handshake that it is refused.
async fn is_refused(connected: std::io::Result<TlsStream<TcpStream>>) -> bool {
    let Ok(mut stream) = connected else { return true };
    let _ = stream.write_all(question().as_bytes()).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    read.is_err() && answer.is_empty()
}

#[tokio::test]
async fn only_who_has_a_certificate_of_the_authority_is_answered() {
    let pki = Pki::new();
    let fixture = pki.start().await;
    let address = fixture.address.unwrap();
    let stream = connect(address, &pki.authority, Some(pki.authority.vouch("shop"))).await.unwrap();
    assert_eq!(pass(stream).await.status, 200);
    assert!(is_refused(connect(address, &pki.authority, None).await).await);
    let other = Authority::new().vouch("shop");
    assert!(is_refused(connect(address, &pki.authority, Some(other)).await).await);
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(question().as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "TLS or nothing");
    assert_eq!(fixture.times(), 1);
}

#[tokio::test]
async fn each_subject_has_a_rate_of_its_own_whatever_certificates_it_has() {
    let pki = Pki::new();
    let mut setup = Setup { tls: Some(pki.tls.clone()), ..Setup::new() };
    setup.rules.rate = 2;
    let fixture = setup.start(Plugin::knows(&[])).await;
    let address = fixture.address.unwrap();
    let ask = async |called: &str| {
        let shown = pki.authority.vouch(called);
        pass(connect(address, &pki.authority, Some(shown)).await.unwrap()).await.status
    };
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(ask("shop").await);
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(ask("other").await, 200);
}

#[tokio::test]
async fn files_that_changed_count_for_new_connections_and_bad_ones_for_none() {
    let pki = Pki::new();
    let fixture = pki.start().await;
    let address = fixture.address.unwrap();
    let old = &pki.authority;
    let before = connect(address, old, Some(old.vouch("shop"))).await.unwrap();
    let new = Authority::new();
    write(pki.dir.path(), &new);
    assert!(connect(address, old, Some(old.vouch("shop"))).await.is_ok(), "nobody has read them");
    pki.tls.reload().unwrap();
    let stream = connect(address, &new, Some(new.vouch("shop"))).await.unwrap();
    assert_eq!(pass(stream).await.status, 200);
    assert!(is_refused(connect(address, &new, Some(old.vouch("shop"))).await).await);

    std::fs::write(pki.dir.path().join("clients.pem"), "nothing").unwrap();
    let error = pki.tls.reload().unwrap_err().to_string();
    assert!(error.starts_with("service.tls.clients"), "{error}");
    let stream = connect(address, &new, Some(new.vouch("shop"))).await.unwrap();
    assert_eq!(pass(stream).await.status, 200);
    assert_eq!(pass(before).await.status, 200, "a connection stays as it began");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let pki = Pki::new();
    let mut setup = Setup { tls: Some(pki.tls.clone()), ..Setup::new() };
    setup.patience.head = Duration::from_millis(200);
    let fixture = setup.start(Plugin::knows(&[])).await;
    let mut slow = TcpStream::connect(fixture.address.unwrap()).await.unwrap();
    slow.write_all(b"\x16\x03\x01").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, slow.read_to_end(&mut rest)).await.expect("it is closed");
    assert!(rest.is_empty());
}

#[test]
fn a_mistake_is_told_with_its_key() {
    let check = |broken: &str, expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &Authority::new());
        std::fs::remove_file(dir.path().join(broken)).unwrap();
        let error = Tls::open(files(dir.path())).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check("cert.pem", "service.tls.certificate \"");
    check("key.pem", "service.tls.key \"");
    check("clients.pem", "service.tls.clients \"");
}
