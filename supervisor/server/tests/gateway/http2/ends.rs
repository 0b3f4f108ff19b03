//! The end of streams and connections, whoever makes it.

use std::sync::Arc;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn half_a_preface_is_no_way_to_keep_a_place() {
    let mut setup = Setup::new(&["GET x"]);
    setup.head_timeout = Duration::from_millis(200);
    let fixture = setup.start(echo).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(&PREFACE[..10]).await;
    assert_eq!(client.reply().await.status, 408);
    assert!(client.rest().await.is_empty());
    let mut silent = Client::connect(fixture.address).await;
    silent.send(PREFACE).await;
    let _settings = silent.rest().await;
}

#[tokio::test]
async fn an_idle_connection_is_told_to_end_and_ends() {
    let mut setup = Setup::new(&["GET x"]);
    setup.head_timeout = Duration::from_millis(200);
    let fixture = setup.start(echo).await;
    let mut client = Honest::connect(fixture.address).await;
    assert_eq!(client.get("/api/shop/x").await.status(), 200);
    client.ended().await.unwrap();
}

#[tokio::test]
async fn a_stream_at_work_keeps_its_connection() {
    let mut setup = Setup::new(&["GET x"]);
    setup.head_timeout = Duration::from_millis(50);
    let fixture = setup
        .start(|_| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            ok("done")
        })
        .await;
    let mut client = Honest::connect(fixture.address).await;
    assert_eq!(whole(client.get("/api/shop/x").await).await, b"done");
}

#[tokio::test]
async fn a_client_that_is_silent_while_it_waits_is_taken_for_dead() {
    let mut setup = Setup::new(&["GET x"]);
    setup.stall_timeout = Duration::from_millis(500);
    let (fixture, begun, dropped) = hanging(setup).await;
    let mut raw = Raw::connect(fixture.address).await;
    raw.0.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &head())).await;
    next(&begun).await;
    next(&dropped).await;
    drop(raw);

    let mut alive = Honest::connect(fixture.address).await;
    let waiting = alive.ask(request("GET", "/api/shop/x"), b"").await;
    next(&begun).await;
    let early = tokio::time::timeout(Duration::from_secs(2), waiting).await;
    assert!(early.is_err(), "one that answers pings may wait");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_all_its_requests() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["* x"])).await;
    let mut client = Honest::connect(fixture.address).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(client.ask(request("GET", "/api/shop/x"), b"").await);
        next(&begun).await;
    }
    client.connection.abort();
    for _ in 0..3 {
        next(&dropped).await;
    }
    drop(waiting);
}

#[tokio::test]
async fn a_stream_that_is_reset_cancels_its_own_request_only() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Honest::connect(fixture.address).await;
    let kept = client.ask(request("GET", "/api/shop/x"), b"").await;
    next(&begun).await;
    let given_up = client.ask(request("GET", "/api/shop/x"), b"").await;
    next(&begun).await;
    drop(given_up);
    next(&dropped).await;
    assert_eq!((fixture.activation.in_flight(), dropped.available_permits()), (1, 0));
    drop(kept);
}

#[tokio::test]
async fn shutting_down_lets_streams_end_and_takes_no_more() {
    let go = Arc::new(Semaphore::new(0));
    let begun = Arc::new(Semaphore::new(0));
    let (goes, begins) = (go.clone(), begun.clone());
    let mut fixture = Setup::new(&["GET x"])
        .start(move |_| {
            begins.add_permits(1);
            let goes = goes.clone();
            async move {
                goes.acquire().await.unwrap().forget();
                ok("done")
            }
        })
        .await;
    let idle = Honest::connect(fixture.address).await;
    let mut busy = Honest::connect(fixture.address).await;
    let response = busy.ask(request("GET", &format!("/api/{INSTANCE}/x")), b"").await;
    next(&begun).await;
    let served = fixture.close();
    idle.ended().await.unwrap();
    go.add_permits(1);
    assert_eq!(whole(response.await.unwrap()).await, b"done");
    busy.ended().await.unwrap();
    assert_eq!(served.await.unwrap(), 0);
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_a_client_that_says_nothing() {
    let mut fixture = Fixture::echo(&["GET x"]).await;
    let mut raw = Raw::connect(fixture.address).await;
    // It is served by then.
    let mut settings = [0; 9];
    raw.0.0.read_exact(&mut settings).await.unwrap();
    let served = fixture.close();
    assert_eq!(tokio::time::timeout(NOTICED, served).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn shutting_down_cuts_off_what_does_not_end() {
    let mut setup = Setup::new(&["GET x"]);
    setup.drain = Duration::from_millis(100);
    let (mut fixture, begun, dropped) = hanging(setup).await;
    let mut client = Honest::connect(fixture.address).await;
    let _waiting = client.ask(request("GET", "/api/shop/x"), b"").await;
    next(&begun).await;
    assert_eq!(fixture.close().await.unwrap(), 1);
    next(&dropped).await;
}
