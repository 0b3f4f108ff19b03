//! Mutual TLS as the plugin's side of it.

use outboard_proto::transport::{Identity, PeerCheck, Tls, connect};

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
async fn t06_t05_t04_whoever_is_not_the_host_is_refused_and_the_plugin_serves_on() {
    let host = Identity::generate().unwrap();
    let plugin = start(&host).await;
    let cert = plugin.handshake(true).server_cert.unwrap();
    let stranger = Tls::new(&Identity::generate().unwrap(), &cert).unwrap();
    assert!(call(&plugin, None).await.is_err(), "in clear");
    assert!(call(&plugin, Some(&stranger)).await.is_err(), "with another certificate");
    let tls = Tls::new(&host, &cert).unwrap();
    assert_eq!(call(&plugin, Some(&tls)).await, Ok(1));
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
