//! What a hostile client does not get, and what an honest one gets all the same.

use std::time::Duration;

use super::*;

/// The code of a GOAWAY to who asks for too much.
const CALM: Option<u32> = Some(11);

#[tokio::test]
async fn requests_of_one_connection_are_bounded() {
    let (fixture, begun, _dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Honest::connect(fixture.address).await;
    let mut waiting = Vec::new();
    for _ in 0..128 {
        waiting.push(client.ask(request("GET", "/api/shop/x"), b"").await);
        next(&begun).await;
    }
    assert_eq!(client.requests.current_max_send_streams(), 128);

    // One that does not listen.
    let mut raw = Raw::connect(fixture.address).await;
    let requests = (0..129)
        .flat_map(|number| frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &head()));
    raw.0.send(requests.collect::<Vec<_>>()).await;
    for _ in 0..128 {
        next(&begun).await;
    }
    loop {
        let mut head = [0; 9];
        tokio::time::timeout(NOTICED, raw.0.0.read_exact(&mut head)).await.unwrap().unwrap();
        let mut payload = vec![0; usize::from(head[2])];
        raw.0.0.read_exact(&mut payload).await.unwrap();
        if head[3] == RST_STREAM {
            assert_eq!((head[7], head[8], payload[3]), (1, 1, 7), "the last, as refused");
            break;
        }
    }
    assert_eq!(begun.available_permits(), 0);
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let fixture = Fixture::echo(&["GET x"]).await;
    let mut stream = 1;
    let mut burst = |count: usize| {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &head()));
            frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            stream += 2;
        }
        frames
    };
    // All at once, so that they are never looked at.
    let raw = Raw::connect(fixture.address).await;
    assert_eq!(raw.until_refused(|| burst(1000)).await, CALM);
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200, "others are served");
}

#[tokio::test]
async fn requests_that_are_begun_and_taken_back_end_the_connection_too() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let client = Honest::connect(fixture.address).await;
    for _ in 0..2000 {
        let Ok(mut requests) = client.requests.clone().ready().await else { break };
        let Ok((response, mut stream)) = requests.send_request(request("GET", "/api/shop/x"), true)
        else {
            break;
        };
        tokio::select! {
            () = next(&begun) => {}
            _ = response => break,
        }
        stream.send_reset(Reason::CANCEL);
        next(&dropped).await;
    }
    let _ = client.ended().await;
}

#[tokio::test]
async fn a_client_may_lose_interest_now_and_then() {
    let go = std::sync::Arc::new(Semaphore::new(0));
    let goes = go.clone();
    let fixture = Setup::new(&["GET x", "GET slow"])
        .start(move |request| {
            let goes = goes.clone();
            let is_slow = request.request.unwrap().path.ends_with(b"slow");
            async move {
                if is_slow {
                    goes.acquire().await.unwrap().forget();
                }
                ok("done")
            }
        })
        .await;
    let mut client = Honest::connect(fixture.address).await;
    for _ in 0..200 {
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (_, mut stream) =
            requests.send_request(request("GET", "/api/shop/slow"), true).unwrap();
        stream.send_reset(Reason::CANCEL);
        assert_eq!(client.get("/api/shop/x").await.status(), 200);
        assert_eq!(client.get("/api/shop/x").await.status(), 200);
    }
    drop(go);
}

#[tokio::test]
async fn a_head_that_never_ends_ends_the_connection() {
    let fixture = Fixture::echo(&["GET x"]).await;
    let raw = Raw::connect(fixture.address).await;
    let mut is_begun = false;
    let code = raw
        .until_refused(|| {
            if std::mem::replace(&mut is_begun, true) {
                frame(CONTINUATION, 0, 1, b"")
            } else {
                frame(HEADERS, END_STREAM, 1, &head())
            }
        })
        .await;
    assert_eq!(code, CALM);

    // With fields in it, of which the server must not keep more than it told.
    let raw = Raw::connect(fixture.address).await;
    let mut is_begun = false;
    let field = [&b"\x00\x01a\x7f\x81\x07"[..], &[b'v'; 256]].concat();
    let code = raw
        .until_refused(|| {
            if std::mem::replace(&mut is_begun, true) {
                frame(CONTINUATION, 0, 1, &field.repeat(60))
            } else {
                frame(HEADERS, END_STREAM, 1, &head())
            }
        })
        .await;
    assert!(code.is_some(), "it is refused, and not forgotten");
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200, "others are served");
}

/// A gateway whose plugin answers with a megabyte, and which has room for four.
async fn generous(stall: u64) -> Fixture {
    let mut setup = Setup::new(&["GET x"]);
    setup.body_memory = 4 << 20;
    setup.stall_timeout = Duration::from_millis(stall);
    setup.start(|_| async { ok(vec![7; 1 << 20]) }).await
}

#[tokio::test]
async fn a_client_that_opens_no_window_holds_nothing_for_long() {
    let fixture = generous(200).await;
    for window in [0, 1, 1000] {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let mut client = Honest::with(fixture.address, builder).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(client.get("/api/shop/x").await);
        }
        assert_eq!(client.get("/api/shop/x").await.status(), 503, "they take all the room");
        let _ = client.ended().await;
        drop(held);
        tokio::time::timeout(NOTICED, async {
            while get(fixture.address, "/api/shop/x").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the room is free again");
    }
}

#[tokio::test]
async fn a_client_that_leaves_some_streams_unread_keeps_the_others_until_they_end() {
    let fixture = generous(200).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(64 << 10).initial_connection_window_size(16 << 20);
    let mut client = Honest::with(fixture.address, builder).await;
    let unread = client.get("/api/shop/x").await;
    let mut read = client.get("/api/shop/x").await.into_body();
    let mut length = 0;
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while let Some(piece) = read.data().await {
        let piece = piece.unwrap();
        read.flow_control().release_capacity(piece.len()).unwrap();
        length += piece.len();
        pause.tick().await;
    }
    assert_eq!(length, 1 << 20, "it took longer than the other may take nothing");
    drop(unread);
}

#[tokio::test]
async fn a_client_that_takes_its_time_but_takes_it_gets_everything() {
    let fixture = generous(500).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(16 << 10);
    let mut client = Honest::with(fixture.address, builder).await;
    let mut body = client.get("/api/shop/x").await.into_body();
    let (mut length, mut pause) = (0, tokio::time::interval(Duration::from_millis(40)));
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        pause.tick().await;
        body.flow_control().release_capacity(piece.len()).unwrap();
        length += piece.len();
    }
    assert_eq!(length, 1 << 20);
}
