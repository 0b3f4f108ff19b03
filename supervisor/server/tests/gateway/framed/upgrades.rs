//! Connections that stop being HTTP.

use std::time::{Duration, Instant};

use bytes::Bytes;
use outboard_proto::plugin::v1::{RequestFrame, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Part, Receiving, Sending};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::{begin, header, soon, whole};
use crate::client::{Client, raw};
use crate::fixture::{Fixture, Setup, eventually};

const UPGRADE: &str = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
                       upgrade: chat/2, echo\r\nsec-websocket-key: k\r\n\r\n";

/// The response that accepts an upgrade.
fn accept() -> ResponseFrame {
    begin(101, &[("upgrade", "echo"), ("sec-websocket-accept", "a")])
}

async fn echo(sending: &mut Sending, receiving: &mut Receiving) {
    while let Some(Ok(Part::Data(data))) = receiving.part().await {
        if sending.send(data, false).await.is_err() {
            return;
        }
    }
}

/// Accepts, says back what it hears, and then goodbye.
async fn echoing(exchange: Exchange, request: Box<RequestFrame>) {
    let head = request.request.unwrap();
    assert_eq!(head.upgrade, "chat/2, echo");
    assert!(!request.end && request.data.is_empty());
    let (mut sending, mut receiving) = exchange.split();
    sending.respond(accept()).unwrap();
    echo(&mut sending, &mut receiving).await;
    let _ = sending.send(Bytes::from_static(b"goodbye"), true).await;
}

async fn connected(fixture: &Fixture) -> Client {
    let mut client = Client::connect(fixture.address).await;
    client.send(UPGRADE).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("upgrade")), (101, Some("echo")));
    client
}

#[tokio::test]
async fn an_upgraded_connection_is_bytes_both_ways() {
    let fixture = Setup::framed(&["GET x"]).start_exchange(echoing).await;
    let mut client = Client::connect(fixture.address).await;
    // What belongs to the new protocol may come before the answer.
    client.send([UPGRADE, "early"].concat()).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("upgrade")), (101, Some("echo")));
    assert_eq!(head.headers("connection"), ["upgrade"]);
    assert_eq!(head.header("sec-websocket-accept"), Some("a"));
    assert!(head.header("x-request-id").is_some());
    for name in ["content-length", "transfer-encoding", "content-security-policy"] {
        assert_eq!(head.header(name), None, "{name}");
    }
    assert_eq!(client.take(5).await, b"early");
    for text in ["GET / HTTP/1.1\r\n\r\n", "\0\r\n", "x"] {
        client.send(text).await;
        assert_eq!(client.take(text.len()).await, text.as_bytes());
    }
    assert_eq!(fixture.activation.in_flight(), 1, "the activation is busy");
    // Who has said all still hears what there is to say.
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, b"goodbye");
    fixture.quiet().await;
}

#[tokio::test]
async fn much_passes_both_ways_at_once() {
    let fixture = Setup::framed(&["GET x"]).start_exchange(echoing).await;
    let (mut reader, mut writer) = connected(&fixture).await.split();
    let sent: Vec<u8> = (0..8 << 20).map(|at: u32| u8::try_from(at % 251).unwrap()).collect();
    let sending = async {
        writer.send(&sent).await;
        writer.0.shutdown().await.unwrap();
    };
    let (back, ()) = soon(async { tokio::join!(reader.rest(), sending) }).await;
    assert!(back.strip_suffix(b"goodbye") == Some(&sent[..]), "{} bytes", back.len());
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_may_say_all_before_its_client_does() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let told = told.clone();
            async move {
                let (mut sending, mut receiving) = exchange.split();
                let mut answer = accept();
                answer.data = "wel".into();
                sending.respond(answer).unwrap();
                sending.send(Bytes::from_static(b"come"), true).await.unwrap();
                let mut heard = Vec::new();
                while let Some(Ok(Part::Data(data))) = receiving.part().await {
                    heard.extend(data);
                }
                told.send(heard).unwrap();
            }
        })
        .await;
    let mut client = connected(&fixture).await;
    assert_eq!(client.rest().await, b"welcome");
    client.send("thanks").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(soon(is_told.recv()).await.unwrap(), b"thanks");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_side_that_goes_takes_the_other_with_it() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let told = told.clone();
            async move {
                let (mut sending, mut receiving) = exchange.split();
                sending.respond(accept()).unwrap();
                // Until it is told to fail.
                while let Some(Ok(Part::Data(data))) = receiving.part().await {
                    if data == "fail" {
                        return;
                    }
                }
                let _ = told.send(());
                drop(sending);
            }
        })
        .await;
    let client = connected(&fixture).await;
    socket2::SockRef::from(&client.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
    let mut client = connected(&fixture).await;
    client.send("fail").await;
    assert!(client.rest().await.is_empty());
    fixture.quiet().await;
    // One that only says that it has said all.
    let client = connected(&fixture).await;
    drop(client);
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_dies_ends_its_connections() {
    let mut fixture = Setup::framed(&["GET x"]).start_exchange(echoing).await;
    let mut client = connected(&fixture).await;
    client.send("x").await;
    client.take(1).await;
    fixture.kill_plugin();
    assert!(client.rest().await.is_empty());
    fixture.quiet().await;
}

#[tokio::test]
async fn an_upgrade_that_is_not_accepted_is_a_request_like_any_other() {
    let fixture = Setup::framed(&["* x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, mut receiving) = exchange.split();
            sending.respond(begin(403, &[("upgrade", "echo")])).unwrap();
            // The host has nothing more to say then.
            while receiving.part().await.is_some() {}
            sending.send(Bytes::from_static(b"no"), true).await.unwrap();
        })
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send(UPGRADE).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("upgrade")), (403, None));
    assert_eq!(client.chunked().await.0, b"no");
    fixture.quiet().await;
}

#[tokio::test]
async fn an_upgrade_to_what_nobody_offered_is_502() {
    let mut ended = accept();
    ended.end = true;
    for answer in [
        begin(101, &[]),
        begin(101, &[("upgrade", "websocket")]),
        begin(101, &[("upgrade", "chat")]),
        begin(101, &[("upgrade", "chat/2, echo")]),
        begin(101, &[("upgrade", "chat/2"), ("upgrade", "echo")]),
        begin(101, &[("upgrade", "echo\r\nx: y")]),
        ended,
    ] {
        let text = format!("{answer:?}");
        let fixture = Setup::framed(&["GET x"])
            .start_exchange(move |exchange, _| {
                let answer = answer.clone();
                async move {
                    let (mut sending, _receiving) = exchange.split();
                    sending.respond(answer).unwrap();
                    sending.over().await;
                }
            })
            .await;
        let mut client = Client::connect(fixture.address).await;
        client.send(UPGRADE).await;
        assert_eq!(client.reply().await.status, 502, "{text}");
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn nothing_is_offered_that_the_client_or_the_host_does_not_mean() {
    let fixture = Setup::framed(&["* x"])
        .start_exchange(|exchange, request| async move {
            let (mut sending, _receiving) = exchange.split();
            let mut answer = whole(200, &[], "");
            answer.data = request.request.unwrap().upgrade.into();
            sending.respond(answer).unwrap();
        })
        .await;
    for (headers, body) in [
        ("upgrade: echo\r\n", ""),
        ("connection: upgrade\r\n", ""),
        ("connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n", ""),
        ("connection: upgrade\r\nupgrade: echo\r\ncontent-length: 1\r\n", "x"),
        ("connection: upgrade\r\nupgrade: echo\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
    ] {
        let text = format!("POST /api/shop/x HTTP/1.1\r\nhost: a\r\n{headers}\r\n{body}");
        let mut client = Client::connect(fixture.address).await;
        client.send(text).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.text()), (200, String::new()), "{headers}");
    }
    let old = "GET /api/shop/x HTTP/1.0\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    assert_eq!(raw(fixture.address, old).await.text(), "");
    fixture.quiet().await;
}

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_connection_may_last_and_ends_when_it_stands_still() {
    let mut setup = Setup::framed(&["GET x"]);
    setup.allowance.bounds.total = SHORT;
    setup.allowance.bounds.first_byte = SHORT;
    setup.endpoints[0].idle_timeout_ms = 300;
    let fixture = setup.start_exchange(echoing).await;
    let mut client = connected(&fixture).await;
    let (started, mut still) = (Instant::now(), Instant::now());
    while started.elapsed() < SHORT * 3 {
        tokio::time::sleep(SHORT / 10).await;
        still = Instant::now();
        client.send("x").await;
        assert_eq!(client.take(1).await, b"x");
    }
    assert!(client.rest().await.is_empty());
    assert!((SHORT..Duration::from_secs(5)).contains(&still.elapsed()), "{:?}", still.elapsed());
    fixture.quiet().await;
}

#[tokio::test]
async fn the_end_of_an_activation_ends_its_connections() {
    let fixture = Setup::framed(&["GET x"]).start_exchange(echoing).await;
    let mut client = connected(&fixture).await;
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    client.send("on").await;
    assert_eq!(client.take(2).await, b"on", "until it is cut off");
    assert_eq!(fixture.activation.in_flight(), 1);
    fixture.activation.cut_off();
    soon(fixture.activation.drained()).await;
    assert!(client.rest().await.is_empty());
    fixture.quiet().await;
}

#[tokio::test]
async fn a_gateway_that_shuts_down_lets_plugins_say_goodbye() {
    let mut fixture = Setup::framed(&["GET x"]).start_exchange(echoing).await;
    let mut client = connected(&fixture).await;
    client.send("x").await;
    client.take(1).await;
    let served = fixture.close();
    assert_eq!(client.rest().await, b"goodbye");
    assert_eq!(soon(served).await.unwrap(), 0);
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_says_no_goodbye_does_not_hold_up_the_end() {
    let mut setup = Setup::framed(&["GET x"]);
    setup.drain = Duration::from_secs(8);
    let mut fixture = setup
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            sending.respond(accept()).unwrap();
            std::future::pending::<()>().await;
        })
        .await;
    let mut client = connected(&fixture).await;
    let started = Instant::now();
    let served = fixture.close();
    assert!(client.rest().await.is_empty());
    soon(served).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually(|| fixture.activation.in_flight() == 0).await;
}

#[tokio::test]
async fn trailers_have_no_place_in_a_connection_and_end_it_all_the_same() {
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, mut receiving) = exchange.split();
            sending.respond(accept()).unwrap();
            sending.send(Bytes::from_static(b"body"), false).await.unwrap();
            sending.trailers(vec![header("x-a", "1")]).unwrap();
            while receiving.part().await.is_some() {}
        })
        .await;
    let mut client = connected(&fixture).await;
    assert_eq!(client.rest().await, b"body");
    drop(client);
    fixture.quiet().await;
}
