//! Mutual TLS as the plugin's side of it.

use std::io;
use std::sync::Arc;

use outboard_proto::transport::{Identity, PeerCheck, Tls, connect};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::environment::check_start_error;
use crate::host::{Plugin, SOON, Start, health};

async fn start(host: &Identity) -> Plugin {
    Start::example("hello").var("PLUGIN_CLIENT_CERT", &host.cert_pem()).run().await
}

/// The reply, or why there was none, whether at connecting or at the call.
async fn call(plugin: &Plugin, tls: Option<&Tls>) -> Result<i32, String> {
    let address = plugin.handshake(true).address;
    let channel = connect(&address, tls, &PeerCheck::any(), SOON).await;
    let channel = channel.map_err(|error| error.to_string())?;
    health(channel, "plugin").await.map_err(|status| status.to_string())
}

#[tokio::test]
async fn t06_t04_whoever_is_not_the_host_is_refused_and_the_plugin_serves_on() {
    let host = Identity::generate().unwrap();
    let plugin = start(&host).await;
    let cert = plugin.handshake(true).server_cert.unwrap();
    let stranger = Tls::new(&Identity::generate().unwrap(), &cert).unwrap();
    assert!(call(&plugin, None).await.is_err(), "in clear");
    assert!(call(&plugin, Some(&stranger)).await.is_err(), "with another certificate");
    let tls = Tls::new(&host, &cert).unwrap();
    assert_eq!(call(&plugin, Some(&tls)).await, Ok(1));
}

/// What a host shows that was not asked to authenticate itself.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Whether the plugin answers the beginning of HTTP/2 with its own.
async fn greets(plugin: &Plugin, config: ClientConfig) -> io::Result<()> {
    const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let socket = UnixStream::connect(plugin.socket()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    // A refusal may already be there, and then this fails; it is still to be read.
    let _ = stream.write_all(GREETING).await;
    stream.read_exact(&mut [0; 9]).await.map(drop)
}

#[tokio::test]
async fn t05_a_client_without_a_certificate_is_refused() {
    let host = Identity::generate().unwrap();
    let plugin = start(&host).await;
    let cert = plugin.handshake(true).server_cert.unwrap();
    let with = (*Tls::new(&host, &cert).unwrap().client()).clone();
    let mut without = with.clone();
    without.client_auth_cert_resolver = Arc::new(NoCertificate);
    let error = timeout(SOON, greets(&plugin, without)).await.expect("it hangs").unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    timeout(SOON, greets(&plugin, with)).await.expect("it hangs").unwrap();
}

#[tokio::test]
async fn t10_a_host_certificate_that_is_none_is_a_start_error() {
    let start = Start::example("hello").var("PLUGIN_CLIENT_CERT", "garbage");
    check_start_error(start, "PLUGIN_CLIENT_CERT").await;
}

/// The host's TLS accepts exactly the bytes that it was given, so a call proves that they are equal.
#[tokio::test]
async fn t11_the_certificate_in_the_line_is_the_one_that_is_served() {
    let host = Identity::generate().unwrap();
    let plugin = start(&host).await;
    let cert = plugin.handshake(true).server_cert.unwrap();
    let tls = Tls::new(&host, &cert).unwrap();
    assert_eq!(call(&plugin, Some(&tls)).await, Ok(1));
    let another = Tls::new(&host, Identity::generate().unwrap().cert_der()).unwrap();
    assert!(call(&plugin, Some(&another)).await.is_err());
}
