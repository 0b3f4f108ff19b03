//! Bodies in pieces over HTTP/2, with a plugin on the framed path.

use std::sync::Arc;
use std::time::Duration;

use outboard_proto::plugin::v1::{Response as Head, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Part, Receiving, Sending};

use super::*;
use crate::fixture::Dropped;

fn begin() -> ResponseFrame {
    let response = Some(Head { status: 200, headers: Vec::new() });
    ResponseFrame { response, ..ResponseFrame::default() }
}

/// Sends the request's body back as it comes, and its trailers at the end.
async fn mirror(exchange: Exchange, first: Bytes, end: bool) {
    let (mut sending, mut receiving) = exchange.split();
    sending.respond(ResponseFrame { data: first, end, ..begin() }).unwrap();
    while let Some(Ok(part)) = receiving.part().await {
        match part {
            Part::Data(data) => sending.send(data, false).await.unwrap(),
            Part::Trailers(fields) => return sending.trailers(fields).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let _ = sending.send(Bytes::new(), true).await;
}

async fn mirroring() -> Fixture {
    let mut setup = Setup::framed(&["POST x"]);
    setup.allowance.bounds.max_body = 64 << 20;
    setup
        .start_exchange(|exchange, request| mirror(exchange, request.data.clone(), request.end))
        .await
}

/// Sends `body` as its window opens, and `trailers` after it.
async fn send(mut stream: h2::SendStream<Bytes>, mut body: Bytes, trailers: HeaderMap) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        stream.send_data(body.split_to(room.min(body.len())), false).unwrap();
    }
    stream.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn large_bodies_and_trailers_pass_both_ways_beside_each_other() {
    let fixture = mirroring().await;
    let client = Honest::connect(fixture.address).await;
    let one = async |seed: usize| {
        let body: Bytes =
            (0..5 << 20).map(|at: usize| u8::try_from(at * seed % 251).unwrap()).collect();
        let mut requests = client.requests.clone().ready().await.unwrap();
        let mut asked = request("POST", "/api/shop/x");
        asked.headers_mut().insert("te", "trailers".parse().unwrap());
        let (response, stream) = requests.send_request(asked, false).unwrap();
        let sum: HeaderMap =
            [("x-sum".parse().unwrap(), seed.to_string().parse().unwrap())].into_iter().collect();
        let back = async {
            let mut back = response.await.unwrap().into_body();
            let mut all = Vec::new();
            while let Some(piece) = back.data().await {
                let piece = piece.unwrap();
                back.flow_control().release_capacity(piece.len()).unwrap();
                all.extend_from_slice(&piece);
            }
            (all, back.trailers().await.unwrap())
        };
        let ((), (back, trailers)) = tokio::join!(send(stream, body.clone(), sum.clone()), back);
        assert!(back == body, "what came back is what went");
        assert_eq!(trailers, Some(sum));
    };
    tokio::join!(one(1), one(3), one(7), one(11));
}

/// A plugin that takes nothing of a request and answers nothing.
async fn deaf(setup: Setup) -> (Fixture, Arc<Semaphore>, Arc<Semaphore>) {
    let (begun, dropped) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, drops) = (begun.clone(), dropped.clone());
    let fixture = setup
        .start_exchange(move |exchange, _| {
            begins.add_permits(1);
            let guard = Dropped(drops.clone());
            async move {
                let _guard = guard;
                let (mut sending, _receiving): (Sending, Receiving) = exchange.split();
                sending.over().await;
            }
        })
        .await;
    (fixture, begun, dropped)
}

#[tokio::test]
async fn an_upload_that_nobody_takes_leaves_room_for_another() {
    let (fixture, begun, _dropped) = deaf(Setup::framed(&["POST x"])).await;
    let client = Honest::connect(fixture.address).await;
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (response, stream) =
            requests.send_request(request("POST", "/api/shop/x"), false).unwrap();
        next(&begun).await;
        uploads.push((response, stream));
    }
    for (_, stream) in &mut uploads {
        let mut sent = 0;
        // Until its window is shut.
        while let Ok(Some(Ok(room))) = {
            stream.reserve_capacity(16 << 10);
            let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
            tokio::time::timeout(Duration::from_millis(300), capacity).await
        } {
            stream.send_data(vec![0; room].into(), false).unwrap();
            sent += room;
        }
        assert!((64 << 10..2 << 20).contains(&sent), "{sent}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_nobody_takes_its_body_cancels_its_request() {
    let (fixture, begun, dropped) = deaf(Setup::framed(&["POST x"])).await;
    let client = Honest::connect(fixture.address).await;
    let mut requests = client.requests.clone().ready().await.unwrap();
    let (_response, mut stream) =
        requests.send_request(request("POST", "/api/shop/x"), false).unwrap();
    stream.send_data(vec![0; 60 << 10].into(), false).unwrap();
    next(&begun).await;
    client.connection.abort();
    next(&dropped).await;

    let mut client = Client::connect(fixture.address).await;
    let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    client.send(head).await;
    next(&begun).await;
    // More than is read for a plugin that takes nothing, less than the kernel keeps.
    client.send(vec![0; 200 << 10]).await;
    drop(client);
    next(&dropped).await;
}

/// A plugin that sends for ever, and counts what it could send.
async fn endless(stall: Duration) -> (Fixture, Arc<Semaphore>, Arc<Semaphore>) {
    let (sent, dropped) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (counts, drops) = (sent.clone(), dropped.clone());
    let mut setup = Setup::framed(&["GET x"]);
    setup.stall_timeout = stall;
    let fixture = setup
        .start_exchange(move |exchange, _| {
            let (counts, guard) = (counts.clone(), Dropped(drops.clone()));
            async move {
                let _guard = guard;
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin()).unwrap();
                let piece = Bytes::from(vec![7; 16 << 10]);
                while sending.send(piece.clone(), false).await.is_ok() {
                    counts.add_permits(piece.len());
                }
            }
        })
        .await;
    (fixture, sent, dropped)
}

#[tokio::test]
async fn a_response_that_nobody_takes_stops_its_plugin_and_then_ends() {
    for window in [0, 1000, 1 << 20] {
        let (fixture, sent, dropped) = endless(Duration::from_millis(300)).await;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let mut client = Honest::with(fixture.address, builder).await;
        let response = client.get("/api/shop/x").await;
        next(&dropped).await;
        let sent = sent.available_permits();
        assert!(sent < 4 << 20, "{sent}");
        let _ = client.ended().await;
        drop(response);
    }
}
