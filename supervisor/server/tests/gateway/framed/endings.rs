//! Ends before the end: the client's, the plugin's, the activation's and the gateway's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use outboard_proto::frame::Failure;
use outboard_proto::plugin::v1::{RequestFrame, ResetCode};
use outboard_proto::transport::mux::{Exchange, Part, Receiving, Sending};
use tokio::sync::{Semaphore, mpsc};

use super::{begin, soon, whole};
use crate::client::{Client, get};
use crate::fixture::{Dropped, Fixture, Setup, eventually};

/// What a plugin does with a request, by the endpoint, and how it learns of the end: that is told, with the code of
/// the reset as its reader sees it.
async fn stages(told: mpsc::UnboundedSender<Option<ResetCode>>) -> Fixture {
    let mut setup = Setup::framed(&["* waits", "* reads", "* streams", "* stands"]);
    setup.allowance.bounds.max_body = 1 << 40;
    setup
        .start_exchange(move |exchange, request| {
            let told = told.clone();
            async move {
                let code = stage(exchange, &request).await;
                let _ = told.send(code);
            }
        })
        .await
}

async fn stage(exchange: Exchange, request: &RequestFrame) -> Option<ResetCode> {
    let (mut sending, mut receiving) = exchange.split();
    match request.matches[0].endpoint_id {
        1 => sending.over().await,
        2 => return read(&mut receiving).await,
        3 => {
            sending.respond(begin(200, &[])).unwrap();
            while sending.send(Bytes::from(vec![b'x'; 1000]), false).await.is_ok() {}
        }
        _ => {
            sending.respond(begin(200, &[])).unwrap();
            sending.send(Bytes::from_static(b"some"), false).await.unwrap();
            sending.over().await;
        }
    }
    None
}

/// Reads until the request breaks off.
async fn read(receiving: &mut Receiving) -> Option<ResetCode> {
    loop {
        match receiving.part().await? {
            Ok(_) => {}
            Err(Failure::Reset { code, .. }) => return Some(code),
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

const POST: &str = "HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\nsome";

#[tokio::test]
async fn a_client_that_goes_cancels_its_request_at_each_stage() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let fixture = stages(told).await;
    for is_reset in [false, true] {
        for text in [
            "GET /api/shop/waits HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            format!("POST /api/shop/waits {POST}"),
            format!("POST /api/shop/reads {POST}"),
            "GET /api/shop/streams HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            format!("POST /api/shop/streams {POST}"),
            "GET /api/shop/stands HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            format!("POST /api/shop/stands {POST}"),
        ] {
            let mut client = Client::connect(fixture.address).await;
            client.send(&text).await;
            if text.contains("/st") {
                client.head().await;
                client.chunk().await;
            } else {
                eventually(|| fixture.activation.backend().open_requests() > 0).await;
            }
            assert!(fixture.activation.in_flight() > 0, "{text}");
            if is_reset {
                socket2::SockRef::from(&client.0).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(client);
            let code = soon(is_told.recv()).await.expect("the plugin is told");
            assert_eq!(code, text.contains("reads").then_some(ResetCode::Cancelled), "{text}");
            fixture.quiet().await;
        }
    }
}

#[tokio::test]
async fn a_plugin_that_gives_up_breaks_its_response_off() {
    let fixture = Setup::framed(&["GET begun", "GET not"])
        .start_exchange(|exchange, request| async move {
            let (mut sending, _receiving) = exchange.split();
            if request.matches[0].endpoint_id == 1 {
                sending.respond(begin(200, &[])).unwrap();
                sending.send(Bytes::from_static(b"some"), false).await.unwrap();
                // So that it is on its way when the rest fails.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    for _ in 0..4 {
        let mut client = Client::connect(fixture.address).await;
        client.send("GET /api/shop/begun HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        assert_eq!(client.chunk().await, b"some");
        assert!(client.rest().await.is_empty(), "no last chunk, and no other response");
        assert_eq!(get(fixture.address, "/api/shop/not").await.status, 502);
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_dies_fails_what_it_had_at_once() {
    let (told, _is_told) = mpsc::unbounded_channel();
    let mut fixture = stages(told).await;
    let mut waiting = Client::connect(fixture.address).await;
    waiting.send("GET /api/shop/waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut uploading = Client::connect(fixture.address).await;
    uploading.send(format!("POST /api/shop/reads {POST}")).await;
    let mut reading = Client::connect(fixture.address).await;
    reading.send("GET /api/shop/stands HTTP/1.1\r\nhost: a\r\n\r\n").await;
    reading.head().await;
    reading.chunk().await;
    eventually(|| fixture.activation.backend().open_requests() == 3).await;
    fixture.kill_plugin();
    for client in [&mut waiting, &mut uploading] {
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()));
    }
    assert!(reading.rest().await.is_empty());
    for _ in 0..4 {
        assert_eq!(soon(get(fixture.address, "/api/shop/waits")).await.status, 502);
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn the_end_of_an_activation_cuts_off_all_that_is_left_of_it() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let fixture = stages(told).await;
    let mut waiting = Client::connect(fixture.address).await;
    waiting.send("GET /api/shop/waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut uploading = Client::connect(fixture.address).await;
    uploading.send(format!("POST /api/shop/reads {POST}")).await;
    let mut reading = Client::connect(fixture.address).await;
    reading.send("GET /api/shop/stands HTTP/1.1\r\nhost: a\r\n\r\n").await;
    reading.head().await;
    reading.chunk().await;
    let mut both = Client::connect(fixture.address).await;
    both.send(format!("POST /api/shop/stands {POST}")).await;
    both.head().await;
    both.chunk().await;
    eventually(|| fixture.activation.backend().open_requests() == 4).await;
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    assert!(fixture.activation.in_flight() >= 4, "they may go on until they are cut off");
    fixture.activation.cut_off();
    soon(fixture.activation.drained()).await;
    for client in [&mut waiting, &mut uploading] {
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.error()), (503, "unavailable".to_owned()));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    for client in [&mut reading, &mut both] {
        assert!(client.rest().await.is_empty(), "no last chunk");
    }
    for _ in 0..4 {
        soon(is_told.recv()).await.expect("the plugin is told");
    }
    fixture.quiet().await;
}

/// Who stops an activation waits for the last byte of its last response, and for a request that is still read.
#[tokio::test]
async fn an_activation_is_busy_until_the_bodies_have_ended() {
    let go = Arc::new(Semaphore::new(0));
    let goes = go.clone();
    let mut setup = Setup::framed(&["GET streams", "POST reads"]);
    setup.allowance.bounds.max_body = 1 << 40;
    let fixture = setup
        .start_exchange(move |exchange, request| {
            let goes = goes.clone();
            async move {
                let (mut sending, mut receiving) = exchange.split();
                if request.matches[0].endpoint_id == 1 {
                    sending.respond(begin(200, &[])).unwrap();
                    goes.acquire().await.unwrap().forget();
                    sending.send(Bytes::from_static(b"all"), true).await.unwrap();
                } else {
                    sending.respond(whole(200, &[], "read on")).unwrap();
                    while let Some(Ok(Part::Data(_))) = receiving.part().await {}
                }
            }
        })
        .await;
    let mut reading = Client::connect(fixture.address).await;
    reading.send("GET /api/shop/streams HTTP/1.1\r\nhost: a\r\n\r\n").await;
    reading.head().await;
    let mut sending = Client::connect(fixture.address).await;
    sending
        .send("POST /api/shop/reads HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n")
        .await;
    assert_eq!(sending.reply().await.text(), "read on");
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    let mut drained = Box::pin(fixture.activation.drained());
    let early = tokio::time::timeout(Duration::from_millis(100), &mut drained).await;
    assert!(early.is_err() && fixture.activation.in_flight() == 2);
    sending.send(vec![b'x'; 100_000]).await;
    eventually(|| fixture.activation.in_flight() == 1).await;
    go.add_permits(1);
    soon(drained).await;
    assert_eq!(reading.chunked().await.0, b"all");
    fixture.quiet().await;
}

#[tokio::test]
async fn shutting_down_lets_bodies_end() {
    let go = Arc::new(Semaphore::new(0));
    let goes = go.clone();
    let mut fixture = Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let goes = goes.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin(200, &[])).unwrap();
                goes.acquire().await.unwrap().forget();
                let _ = sending.send(Bytes::from_static(b"all"), true).await;
            }
        })
        .await;
    let mut reading = Client::connect(fixture.address).await;
    reading.send(super::GET).await;
    reading.head().await;
    let served = fixture.close();
    eventually(|| std::net::TcpStream::connect(fixture.address).is_err()).await;
    go.add_permits(1);
    assert_eq!(reading.chunked().await.0, b"all");
    assert_eq!(soon(served).await.unwrap(), 0);
    fixture.quiet().await;
}

#[tokio::test]
async fn shutting_down_cuts_off_what_does_not_end_in_time() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut setup = Setup::framed(&["GET x"]);
    setup.drain = Duration::from_millis(200);
    let mut fixture = setup
        .start_exchange(move |exchange, _| {
            let guard = told.clone();
            async move {
                let (mut sending, _receiving): (Sending, Receiving) = exchange.split();
                sending.respond(begin(200, &[])).unwrap();
                sending.over().await;
                let _ = guard.send(());
            }
        })
        .await;
    let mut reading = Client::connect(fixture.address).await;
    reading.send(super::GET).await;
    reading.head().await;
    let served = fixture.close();
    assert_eq!(soon(served).await.unwrap(), 1);
    assert!(reading.rest().await.is_empty());
    soon(is_told.recv()).await.expect("the plugin is told");
    eventually(|| fixture.activation.in_flight() == 0).await;
}

#[tokio::test]
async fn a_handler_that_is_dropped_with_its_request_costs_no_other() {
    let dropped = Arc::new(Semaphore::new(0));
    let drops = dropped.clone();
    let fixture = Setup::framed(&["GET x"])
        .start(move |_| {
            let guard = Dropped(drops.clone());
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(fixture.address).await;
        client.send(super::GET).await;
        clients.push(client);
    }
    eventually(|| fixture.activation.backend().open_requests() == 20).await;
    clients.truncate(10);
    soon(dropped.acquire_many(10)).await.unwrap().forget();
    assert_eq!(fixture.activation.backend().open_requests(), 10);
    drop(clients);
    soon(dropped.acquire_many(10)).await.unwrap().forget();
    fixture.quiet().await;
}
