//! Sizes and times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use outboard::gateway::bounds::Allowances;
use outboard_proto::plugin::v1::HandleRequest;
use tokio::sync::Semaphore;

use crate::client::{Client, get, post, raw, request};
use crate::fixture::{Answer, Dropped, decode, echo, ok};

async fn length(request: HandleRequest) -> Answer {
    ok(request.body.len().to_string())
}

#[tokio::test]
async fn a_body_up_to_the_limit_passes_and_one_byte_more_does_not() {
    let mut setup = super::setup(&["POST x", "POST small", "POST huge"]);
    setup.allowance.bounds.max_body = 1000;
    setup.endpoints[1].max_body_bytes = 10;
    setup.endpoints[2].max_body_bytes = 1 << 40;
    let fixture = setup.start(length).await;
    for (target, limit) in
        [("/api/shop/x", 1000), ("/api/shop/small", 10), ("/api/shop/huge", 1000)]
    {
        let fits = "x".repeat(limit);
        assert_eq!(post(fixture.address, target, &fits).await.text(), limit.to_string());
        let reply = post(fixture.address, target, &format!("{fits}y")).await;
        assert_eq!((reply.status, reply.error()), (413, "body too large".to_owned()));
        let chunked = |size: usize| {
            let chunks =
                format!("5\r\nabcde\r\n{:x}\r\n{}\r\n0\r\n\r\n", size - 5, "x".repeat(size - 5));
            request("POST", target, "transfer-encoding: chunked\r\n", &chunks)
        };
        assert_eq!(raw(fixture.address, chunked(limit)).await.text(), limit.to_string());
        assert_eq!(raw(fixture.address, chunked(limit + 1)).await.status, 413);
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_before_it_sends() {
    let fixture = super::setup(&["POST x"]).start(length).await;
    let mut client = Client::connect(fixture.address).await;
    let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length:";
    client.send(format!("{head} 99999999999\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 413);
    let mut client = Client::connect(fixture.address).await;
    client.send(format!("{head} 5\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 100);
    client.send("hello").await;
    assert_eq!(client.reply().await.text(), "5");
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_body_that_is_refused_still_gets_the_refusal() {
    let fixture = super::setup(&["POST x"]).start(length).await;
    let reply = post(fixture.address, "/api/shop/x", &"x".repeat(8 << 20)).await;
    assert_eq!((reply.status, reply.error()), (413, "body too large".to_owned()));
    assert_eq!(reply.header("connection"), Some("close"));
    let reply = post(fixture.address, "/api/shop/none", &"x".repeat(8 << 20)).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn limits_can_change_while_the_gateway_runs() {
    let fixture = super::setup(&["POST x"]).start(length).await;
    assert_eq!(post(fixture.address, "/api/shop/x", "12345").await.status, 200);
    let mut allowance = fixture.allowance;
    allowance.bounds.max_body = 4;
    fixture.quotas.reload(Allowances::equal(allowance));
    assert_eq!(post(fixture.address, "/api/shop/x", "12345").await.status, 413);
}

#[tokio::test]
async fn a_long_target_is_414_and_long_or_many_headers_are_431() {
    let fixture = super::echoing(&["GET *"]).await;
    let target = |bytes: usize| format!("/api/shop/{}", "x".repeat(bytes - 10));
    assert_eq!(get(fixture.address, &target(8192)).await.status, 200);
    let reply = get(fixture.address, &target(8193)).await;
    assert_eq!((reply.status, reply.error()), (414, "uri too long".to_owned()));
    assert_eq!(
        get(fixture.address, &format!("{}?{}", target(4096), "q".repeat(4096))).await.status,
        414
    );
    assert_eq!(get(fixture.address, &target(60_000)).await.status, 414);

    let large = format!("x-large: {}\r\n", "x".repeat(60_000));
    assert_eq!(raw(fixture.address, request("GET", "/api/shop/x", &large, "")).await.status, 200);
    let large = format!("x-large: {}\r\n", "x".repeat(70_000));
    assert_eq!(raw(fixture.address, request("GET", "/api/shop/x", &large, "")).await.status, 431);
    let many = |count: usize| "x-many: 1\r\n".repeat(count - 2); // host and connection are two
    let reply = raw(fixture.address, request("GET", "/api/shop/x", &many(100), "")).await;
    assert_eq!(decode(&reply.body).request.unwrap().headers.len(), 99);
    assert_eq!(
        raw(fixture.address, request("GET", "/api/shop/x", &many(101), "")).await.status,
        431
    );
    // One megabyte, and the client still gets to read why.
    let huge = format!("x-large: {}\r\n", "x".repeat(1 << 20));
    assert_eq!(raw(fixture.address, request("GET", "/api/shop/x", &huge, "")).await.status, 431);
}

#[tokio::test]
async fn more_or_fewer_headers_can_be_allowed() {
    let mut setup = super::setup(&["GET x"]);
    setup.settings.max_headers = 10;
    setup.settings.max_header_bytes = 8 << 10;
    let fixture = setup.start(echo).await;
    let many = |count: usize| request("GET", "/api/shop/x", &"a: 1\r\n".repeat(count - 2), "");
    assert_eq!(raw(fixture.address, many(10)).await.status, 200);
    assert_eq!(raw(fixture.address, many(11)).await.status, 431);
    let large = format!("x-large: {}\r\n", "x".repeat(9000));
    assert_eq!(raw(fixture.address, request("GET", "/api/shop/x", &large, "")).await.status, 431);
}

#[tokio::test]
async fn a_plugin_that_never_answers_is_504_at_the_limit_and_is_cancelled() {
    let dropped = Arc::new(Semaphore::new(0));
    let mut setup = super::setup(&["GET x", "GET short"]);
    setup.allowance.bounds.total = Duration::from_millis(400);
    setup.endpoints[1].timeout_ms = 50;
    let seen = dropped.clone();
    let fixture = setup
        .start(move |_| {
            let guard = Dropped(seen.clone());
            async move {
                let _guard = guard;
                std::future::pending::<Answer>().await
            }
        })
        .await;
    for (target, limit) in [("/api/shop/x", 400), ("/api/shop/short", 50)] {
        let started = Instant::now();
        let reply = get(fixture.address, target).await;
        assert_eq!((reply.status, reply.error()), (504, "timeout".to_owned()));
        let taken = started.elapsed();
        let limit = Duration::from_millis(limit);
        assert!((limit..limit + Duration::from_secs(3)).contains(&taken), "{taken:?}");
        dropped.acquire().await.unwrap().forget();
    }
    assert_eq!(fixture.activation.in_flight(), 0);
}

#[tokio::test]
async fn a_body_that_never_comes_is_408() {
    let mut setup = super::setup(&["POST x"]);
    setup.allowance.bounds.total = Duration::from_millis(200);
    let fixture = setup.start(length).await;
    let mut client = Client::connect(fixture.address).await;
    client.send("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.error()), (408, "request timeout".to_owned()));
    assert!(client.rest().await.is_empty(), "the connection cannot be used again");
}

#[tokio::test]
async fn half_a_head_is_408_and_an_idle_connection_is_just_closed() {
    let mut setup = super::setup(&["GET x"]);
    setup.head_timeout = Duration::from_millis(200);
    let fixture = setup.start(echo).await;
    let mut client = Client::connect(fixture.address).await;
    client.send("GET /api/shop/x HTTP/1.1\r\nhos").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.error()), (408, "request timeout".to_owned()));
    assert!(client.rest().await.is_empty());
    let mut idle = Client::connect(fixture.address).await;
    assert!(idle.rest().await.is_empty());
    let mut used = Client::connect(fixture.address).await;
    used.send("GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(used.reply().await.status, 200);
    assert!(used.rest().await.is_empty());
}
