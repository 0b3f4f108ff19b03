//! TLS with real handshakes: what it secures, what it refuses, and what becomes of it when files change.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use outboard::gateway::{Files, Tls};
use outboard_proto::plugin::v1::{Header, Response, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Part};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, Reply, get, request};
use crate::connections::{NOTICED, hanging, next};
use crate::fixture::{Setup, decode, echo};

const NAME: &str = "shop.example";

/// A certificate that vouches for itself, and the files that the gateway reads.
struct Pair {
    dir: TempDir,
    certificate: CertificateDer<'static>,
    tls: Arc<Tls>,
}

impl Pair {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let certificate = write(dir.path());
        let tls = Arc::new(Tls::open(files(dir.path())).unwrap());
        Self { dir, certificate, tls }
    }
}

fn files(dir: &Path) -> Files {
    Files { certificate: dir.join("cert.pem"), key: dir.join("key.pem") }
}

/// Writes a new pair, and gives its certificate.
fn write(dir: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([NAME.to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn exchange(stream: &mut TlsStream<TcpStream>, text: &str) -> Reply {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(NOTICED, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    Reply::parse(&bytes).unwrap()
}

fn setup(pair: &Pair) -> Setup {
    let mut setup = Setup::new(&["* x"]);
    setup.settings.tls = Some(pair.tls.clone());
    setup
}

#[tokio::test]
async fn http1_over_tls_is_answered_and_the_plugin_is_told_so() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = connect(fixture.address, &pair.certificate, protocols).await.unwrap();
        let reply = exchange(&mut stream, &request("GET", "/api/shop/x", "", "")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(decode(&reply.body).request.unwrap().scheme, "https");
    }
}

#[tokio::test]
async fn http2_is_chosen_where_the_client_has_it() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    let stream = connect(fixture.address, &pair.certificate, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let uri = format!("https://{NAME}/api/shop/x");
    let request = http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
    let reply = client.send_request(request).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.version()), (200, http::Version::HTTP_2));
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    let seen = decode(&body).request.unwrap();
    assert_eq!((seen.scheme.as_str(), seen.authority.as_str()), ("https", NAME));
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_without_tls_is_told_what_it_met() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.error()), (400, "bad request".to_owned()));
    assert!(reply.text().contains("HTTPS"));
}

#[tokio::test]
async fn a_client_that_speaks_nothing_of_this_is_told_why() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    let error = connect(fixture.address, &pair.certificate, &["spdy/3"]).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    let mut client = Client::connect(fixture.address).await;
    client.send(b"\x16\x03\x01\x00\x05hello").await;
    client.rest().await;
}

#[tokio::test]
async fn a_client_that_never_ends_its_handshake_loses_its_place() {
    let pair = Pair::new();
    let mut setup = setup(&pair);
    setup.settings.max_connections = 1;
    setup.head_timeout = Duration::from_millis(300);
    let fixture = setup.start(echo).await;
    for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00"] {
        let mut slow = Client::connect(fixture.address).await;
        slow.send(begun).await;
        let mut stream = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
        let reply = exchange(&mut stream, &request("GET", "/api/shop/x", "", "")).await;
        assert_eq!(reply.status, 200, "the next client has its place");
        assert!(slow.rest().await.is_empty());
    }
}

#[tokio::test]
async fn half_a_head_is_answered_with_408() {
    let pair = Pair::new();
    let mut setup = setup(&pair);
    setup.head_timeout = Duration::from_millis(300);
    let fixture = setup.start(echo).await;
    let mut stream = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
    let reply = exchange(&mut stream, "GET /api/shop/x HTTP/1.1\r\nhost:").await;
    assert_eq!((reply.status, reply.error()), (408, "request timeout".to_owned()));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request_also_behind_another() {
    let pair = Pair::new();
    let (fixture, begun, dropped) = hanging(setup(&pair)).await;
    for times in [1, 3] {
        let mut stream = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
        let get = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n".repeat(times);
        stream.write_all(get.as_bytes()).await.unwrap();
        next(&begun).await;
        drop(stream);
        next(&dropped).await;
        assert_eq!(begun.available_permits(), 0, "nobody waits for the others");
    }
}

/// Accepts an upgrade, and then says back what it hears.
async fn upgraded(exchange: Exchange) {
    let (mut sending, mut receiving) = exchange.split();
    let upgrade = Header { name: "upgrade".into(), value: "echo".into() };
    let response = Some(Response { status: 101, headers: vec![upgrade] });
    sending.respond(ResponseFrame { response, ..ResponseFrame::default() }).unwrap();
    while let Some(Ok(Part::Data(data))) = receiving.part().await {
        let end = data.is_empty();
        if sending.send(data, end).await.is_err() || end {
            return;
        }
    }
}

#[tokio::test]
async fn a_tunnel_keeps_the_place_of_its_connection() {
    let pair = Pair::new();
    let mut setup = Setup::framed(&["* x"]);
    setup.settings.tls = Some(pair.tls.clone());
    setup.settings.max_connections = 1;
    let fixture = setup.start_exchange(|exchange, _| upgraded(exchange)).await;
    let mut tunnel = connect(fixture.address, &pair.certificate, &["http/1.1"]).await.unwrap();
    let upgrade =
        "GET /api/shop/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    tunnel.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tunnel.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    let second = connect(fixture.address, &pair.certificate, &[]);
    let mut second = std::pin::pin!(second);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "the second client was served beside the tunnel");
    let mut heard = [0; 5];
    tunnel.write_all(b"hello").await.unwrap();
    tunnel.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    drop(tunnel);
    tokio::time::timeout(NOTICED, second).await.expect("in time").unwrap();
}

#[tokio::test]
async fn a_body_that_is_refused_while_it_is_sent_still_gets_its_refusal() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    let mut stream = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
    let length = 8 << 20;
    let head = format!("content-length: {length}\r\n");
    let text = request("POST", "/api/shop/x", &head, &"x".repeat(length));
    assert_eq!(exchange(&mut stream, &text).await.status, 413);
}

#[tokio::test]
async fn a_new_pair_counts_for_new_connections_and_a_bad_one_for_none() {
    let pair = Pair::new();
    let fixture = setup(&pair).start(echo).await;
    let old = &pair.certificate;
    let mut before = connect(fixture.address, old, &[]).await.unwrap();
    let new = write(pair.dir.path());
    assert!(connect(fixture.address, old, &[]).await.is_ok(), "nobody has read it yet");
    pair.tls.reload().unwrap();
    connect(fixture.address, &new, &[]).await.unwrap();
    assert!(connect(fixture.address, old, &[]).await.is_err());

    std::fs::write(pair.dir.path().join("key.pem"), "nothing").unwrap();
    pair.tls.reload().unwrap_err();
    connect(fixture.address, &new, &[]).await.unwrap();
    let reply = exchange(&mut before, &request("GET", "/api/shop/x", "", "")).await;
    assert_eq!(reply.status, 200, "a connection stays as it began");
}

#[tokio::test]
async fn shutting_down_ends_idle_connections_and_half_handshakes_at_once() {
    let pair = Pair::new();
    let mut fixture = setup(&pair).start(echo).await;
    let mut idle = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
    let mut half = Client::connect(fixture.address).await;
    half.send(b"\x16\x03").await;
    // The second is served by then, too: it is one accept later at the most.
    let _ = connect(fixture.address, &pair.certificate, &[]).await.unwrap();
    assert_eq!(fixture.close().await.unwrap(), 0);
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty() && half.rest().await.is_empty());
}

/// What `Tls::open` says of files with these texts.
fn mistake(certificate: Option<&str>, key: Option<&str>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
    };
    write("cert.pem", certificate);
    write("key.pem", key);
    let mistake = Tls::open(files(dir.path())).unwrap_err().to_string();
    mistake.replace(dir.path().to_str().unwrap(), "")
}

#[test]
fn a_mistake_is_told_with_its_file() {
    let made = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let other = KeyPair::generate().unwrap().serialize_pem();
    let check = |certificate: Option<&str>, key: Option<&str>, expected: &str| {
        let mistake = mistake(certificate, key);
        assert!(mistake.starts_with(expected), "{mistake}\n{expected}");
    };
    let (certificate, key) = (Some(&*certificate), Some(&*key));
    check(None, key, "gateway.tls.certificate \"/cert.pem\": No such file");
    check(certificate, None, "gateway.tls.key \"/key.pem\": No such file");
    check(Some(""), key, "gateway.tls.certificate \"/cert.pem\": the file has no certificate");
    check(key, key, "gateway.tls.certificate \"/cert.pem\": the file has no certificate");
    check(certificate, certificate, "gateway.tls.key \"/key.pem\": the file has no private key");
    let cut = &certificate.unwrap()[..200];
    check(Some(cut), key, "gateway.tls.certificate \"/cert.pem\": the file is no PEM");
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    check(certificate, Some(locked), "gateway.tls.key \"/key.pem\": the file has no private key");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(
        Some(empty),
        key,
        "gateway.tls.certificate \"/cert.pem\": the first certificate can't be",
    );
    let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    check(certificate, Some(empty), "gateway.tls.key \"/key.pem\": the key can't be used");
    check(
        certificate,
        Some(&other),
        "gateway.tls.key \"/key.pem\": the key is not that of the first certificate in \"/cert.pem\"",
    );
}
