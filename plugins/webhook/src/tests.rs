use std::fs;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use outboard_sdk::{Delivery, Event, Notifier as _, NotifyError};
use outboard_sending::lab::{Reply, Sent, Server, say};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::parameters::Parameters;
use crate::{Instance, Webhook};

const KEY: [u8; 32] = [7; 32];

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

fn read(parameters: Value) -> Result<Arc<Instance>, Vec<String>> {
    let parameters: Parameters = serde_json::from_value(parameters).unwrap();
    let read = parameters.read().map(Arc::new);
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

async fn notify(parameters: Value, delivery: Delivery) -> Result<(), NotifyError> {
    Webhook.on_notify(read(parameters).unwrap(), delivery).await
}

/// Sends one event, and gives what came of it and what the server got.
async fn exchange(reply: Reply) -> (Result<(), NotifyError>, Vec<Sent>) {
    let server = Server::start([reply]).await;
    let parameters = json!({
        "url": server.url("hooks/TOPSECRET"),
        "secrets": [secret()],
        "headers": {"authorization": "Bearer HUSHHUSH"},
        "timeout": "500ms",
    });
    let event = Event::new("deploy.done").about("web").json(&json!({"by": "ann"}));
    let outcome = notify(parameters, Delivery::new("d-1", event)).await;
    (outcome, server.sent())
}

/// A receiver's own check, as the specification describes it.
fn verified(sent: &Sent) -> bool {
    let field = |name: &str| sent.headers[name].to_str().unwrap();
    let signed = [field("webhook-id"), ".", field("webhook-timestamp"), "."].concat();
    let mut hmac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    hmac.update(signed.as_bytes());
    hmac.update(&sent.body);
    field("webhook-signature").split(' ').any(|signature| {
        let signature = signature.strip_prefix("v1,").and_then(|it| STANDARD.decode(it).ok());
        signature.is_some_and(|it| hmac.clone().verify_slice(&it).is_ok())
    })
}

#[tokio::test]
async fn an_event_is_one_signed_post_as_cloudevents_has_it() {
    let (outcome, sent) = exchange(say(204, "")).await;
    assert_eq!(outcome, Ok(()));
    let [post] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((post.method.as_str(), post.path.as_str()), ("POST", "/hooks/TOPSECRET"));
    assert_eq!(post.headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(post.headers["webhook-id"], "d-1");
    assert_eq!(post.headers["authorization"], "Bearer HUSHHUSH");
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    let expected = json!({
        "specversion": "1.0", "type": "deploy.done", "subject": "web",
        "datacontenttype": "application/json", "data": {"by": "ann"},
    });
    assert_eq!(body, expected);
    assert!(verified(post));
    let mut forged = post.clone();
    forged.body = "{}".into();
    assert!(!verified(&forged), "the check itself can fail");
}

#[tokio::test]
async fn another_attempt_has_the_same_id_and_while_a_secret_changes_either_is_good() {
    let server = Server::start([say(500, "")]).await;
    let new = format!("whsec_{}", STANDARD.encode([9; 24]));
    let parameters = json!({"url": server.url("x"), "secrets": [new, secret()]});
    let instance = read(parameters).unwrap();
    let delivery = Delivery::new("d-7", Event::new("t"));
    assert!(Webhook.on_notify(Arc::clone(&instance), delivery.clone()).await.is_err());
    assert_eq!(Webhook.on_notify(instance, delivery).await, Ok(()));
    let sent = server.sent();
    assert_eq!(sent.iter().filter(|sent| sent.headers["webhook-id"] == "d-7").count(), 2);
    assert!(sent.iter().all(verified));
}

#[tokio::test]
async fn who_can_not_check_signatures_gets_none_if_the_operator_says_so() {
    let server = Server::start([]).await;
    let parameters = json!({"url": server.url("x"), "unsigned": true});
    notify(parameters, Delivery::new("d-1", Event::new("t"))).await.unwrap();
    let sent = server.sent();
    assert!(!sent[0].headers.contains_key("webhook-signature"));
    assert_eq!(sent[0].headers["webhook-id"], "d-1");
}

#[tokio::test]
async fn what_a_receiver_says_of_the_event_is_final_and_all_else_may_be_mended() {
    for (status, is_final) in [
        (400, true),
        (401, false),
        (403, false),
        (404, false),
        (408, false),
        (409, false),
        (410, true),
        (413, true),
        (415, true),
        (422, true),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let (outcome, sent) = exchange(say(status, "words of the receiver")).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.is_final(), is_final, "{status}");
        assert!(error.message().contains("words of the receiver"), "{error}");
        assert_eq!(sent.len(), 1);
    }
    let wait = Reply::Say(503, vec![("retry-after", "17".to_owned())], String::new());
    let error = exchange(wait).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn a_redirect_gets_neither_the_event_nor_the_password() {
    let elsewhere = Server::start([]).await;
    let to = vec![("location", elsewhere.url("x"))];
    let error = exchange(Reply::Say(307, to, String::new())).await.0.unwrap_err();
    assert!(error.is_final(), "{error}");
    assert_eq!(elsewhere.sent().len(), 0);
}

#[tokio::test]
async fn who_hangs_or_hangs_up_is_tried_again_and_no_error_shows_a_secret() {
    for reply in [Reply::Hang, Reply::Close, say(404, "no /hooks/TOPSECRET here")] {
        let error = exchange(reply).await.0.unwrap_err();
        assert!(!error.is_final(), "{error}");
        for secret in ["TOPSECRET", "HUSHHUSH"] {
            assert!(!error.message().contains(secret), "{error}");
        }
    }
}

#[test]
fn everything_that_is_wrong_is_named_and_no_secret_is() {
    let wrong = json!({
        "url": "http://example.org/TOPSECRET",
        "secrets": ["TOPSECRET", secret()],
        "headers": {"x y": "1", "webhook-id": "1", "Content-Type": "1", "x-a": "TOPSECRET\r\nx-b: 1", "x-ok": "1"},
        "timeout": "1ms",
        "ca": "/nowhere/ca.pem",
    });
    let problems = read(wrong).err().unwrap();
    let starts = [
        "/url: ",
        "/secrets/0: ",
        "/headers/Content-Type: ",
        "/headers/webhook-id: ",
        "/headers/x y: ",
        "/headers/x-a: ",
        "/timeout: ",
        "/ca: ",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem} instead of {start}");
        assert!(!problem.contains("TOPSECRET"), "{problem}");
    }
    let bare = read(json!({})).err().unwrap();
    assert!(bare[0].starts_with("/url: is empty") && bare[1].starts_with("/secrets: is empty"));
    let both = json!({"url": "https://example.org", "secrets": [secret()], "unsigned": true});
    assert!(read(both).err().unwrap()[0].starts_with("/unsigned: "));
}

#[tokio::test]
async fn over_tls_a_receiver_must_be_who_it_should_be() {
    let receiver = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = TempDir::new().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, receiver.cert.pem()).unwrap();
    let (port, serving) = tls_receiver(&receiver).await;
    let parameters = json!({
        "url": format!("https://localhost:{port}/x"),
        "secrets": [secret()],
        "timeout": "5s",
    });
    let delivery = || Delivery::new("d-1", Event::new("t"));
    let stranger = notify(parameters.clone(), delivery()).await.unwrap_err();
    assert!(!stranger.is_final() && stranger.message().contains("certificate"), "{stranger}");
    let mut trusting = parameters;
    trusting["ca"] = json!(ca);
    assert_eq!(notify(trusting, delivery()).await, Ok(()));
    serving.abort();
}

async fn tls_receiver(
    receiver: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> (u16, tokio::task::JoinHandle<()>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(receiver.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![receiver.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // A client that does not trust us goes away in the handshake.
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let mut head = vec![0; 4096];
            let read = connection.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"POST /x "));
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(answer).await.unwrap();
            connection.shutdown().await.unwrap();
        }
    });
    (port, serving)
}
