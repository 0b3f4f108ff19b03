//! What of a plugin's answer reaches the client, and what becomes of a plugin that gives none.

use std::time::{Duration, Instant};

use bytes::Bytes;
use outboard_proto::plugin::v1::{HandleResponse, Header, Outcome, Response};
use tonic::Status;

use crate::client::{Client, get, raw, request};
use crate::fixture::{Fixture, answer, ok};

async fn answering(
    status: u32,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Fixture {
    super::setup(&["GET x"])
        .start(move |_| async move { answer(Outcome::Complete, status, headers, body) })
        .await
}

#[tokio::test]
async fn a_response_reaches_the_client_with_repeated_headers() {
    let headers = &[
        ("Set-Cookie", "a=1; Domain=example.com; Path=/; Secure"),
        ("x-a", ""),
        ("set-cookie", "b=2"),
        ("content-length", "2"),
    ];
    let fixture = answering(418, headers, "hi").await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.text()), (418, "hi".to_owned()));
    assert_eq!(
        reply.headers("set-cookie"),
        ["a=1; Secure; Path=/api/shop/", "b=2; Path=/api/shop/"]
    );
    assert_eq!(reply.headers("content-length"), ["2"]);
    assert_eq!(reply.header("x-a"), Some(""));
    assert!(reply.header("date").is_some());
    let policy = reply.headers("content-security-policy");
    assert_eq!(policy, ["sandbox allow-scripts allow-forms allow-popups"]);
}

#[tokio::test]
async fn a_response_that_would_change_the_framing_is_502() {
    for headers in [
        &[("transfer-encoding", "chunked")][..],
        &[("Connection", "close")],
        &[("content-length", "3")],
        &[("content-length", "2"), ("content-length", "7")],
        &[("x-a", "b\r\nx-injected: 1")],
        &[("x-a", "b\0")],
        &[("x-a\r\nx-injected", "1")],
        &[("", "1")],
        &[("x a", "1")],
    ] {
        let fixture = answering(200, headers, "hi").await;
        let reply = get(fixture.address, "/api/shop/x").await;
        assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()), "{headers:?}");
        assert!(reply.header("x-injected").is_none());
    }
    for status in [100, 101, 199, 600, 70_000] {
        assert_eq!(
            get(answering(status, &[], "hi").await.address, "/api/shop/x").await.status,
            502
        );
    }
}

#[tokio::test]
async fn a_status_without_a_body_has_none_and_the_connection_lives_on() {
    for status in [204, 205, 304] {
        let fixture = answering(status, &[("etag", "1"), ("content-length", "5")], "bogus").await;
        let mut client = Client::connect(fixture.address).await;
        for _ in 0..2 {
            client.send("GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
            let reply = client.reply().await;
            assert_eq!((u32::from(reply.status), reply.header("etag")), (status, Some("1")));
            assert!(matches!(reply.header("content-length"), None | Some("0")), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn an_error_of_the_plugin_is_502_and_tells_nothing() {
    for status in [
        Status::unavailable("secret"),
        Status::internal("secret"),
        Status::unimplemented("secret"),
        Status::cancelled("secret"),
        Status::not_found("secret"),
    ] {
        let fixture = super::setup(&["GET x"])
            .start(move |_| {
                let status = status.clone();
                async move { Err(status) }
            })
            .await;
        let reply = get(fixture.address, "/api/shop/x").await;
        assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()));
        assert!(!reply.text().contains("secret"));
    }
    let unknown = HandleResponse { outcome: 77, ..HandleResponse::default() };
    let fixture = super::setup(&["GET x"])
        .start(move |_| {
            let unknown = unknown.clone();
            async move { Ok(unknown) }
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502);
}

#[tokio::test]
async fn a_plugin_that_panics_costs_its_own_request() {
    let fixture = super::setup(&["GET x"])
        .start(|request| async move {
            assert!(request.request.unwrap().query.is_none(), "on demand");
            ok("fine")
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/x?panic").await.status, 502);
    assert_eq!(get(fixture.address, "/api/shop/x").await.text(), "fine");
}

#[tokio::test]
async fn a_dead_plugin_is_502_at_once() {
    let mut fixture = answering(200, &[], "hi").await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200);
    fixture.kill_plugin();
    let started = Instant::now();
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_plugin_that_is_started_again_is_503_until_it_is_given_up() {
    let fixture = answering(200, &[], "hi").await;
    let old = fixture.routes.suspend(fixture.activation.id()).unwrap();
    for method in ["GET", "OPTIONS"] {
        let reply = raw(fixture.address, request(method, "/api/shop/x", "", "")).await;
        assert_eq!((reply.status, reply.error()), (503, "unavailable".to_owned()));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    fixture.routes.withdraw(old.id()).unwrap();
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 404);
}

#[tokio::test]
async fn a_plugin_that_says_it_was_too_slow_is_504() {
    let fixture = super::setup(&["GET x"])
        .start(|_| async { Err(Status::deadline_exceeded("secret")) })
        .await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.error()), (504, "timeout".to_owned()));
}

#[tokio::test]
async fn responses_of_pipelined_requests_keep_their_order() {
    let fixture = super::setup(&["GET :n"])
        .start(|request| async move { ok(request.r#match.unwrap().variables[0].value.clone()) })
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send("GET /api/shop/1 HTTP/1.1\r\nhost: a\r\n\r\nGET /api/shop/2 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.send(request("GET", "/api/shop/3", "", "")).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(client.reply().await.text(), expected);
    }
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn up_to_a_thousand_headers_reach_the_client_and_more_are_502() {
    let fixture = super::setup(&["GET x"])
        .start(|request| async move {
            let query = request.request.unwrap().query.unwrap();
            let count: u32 = std::str::from_utf8(&query).unwrap().parse().unwrap();
            let header = |number: u32| Header { name: format!("x-{number}"), value: Bytes::new() };
            let response = Response { status: 200, headers: (0..count).map(header).collect() };
            Ok(HandleResponse { response: Some(response), ..HandleResponse::default() })
        })
        .await;
    let reply = get(fixture.address, "/api/shop/x?1000").await;
    assert_eq!((reply.status, reply.header("x-999")), (200, Some("")));
    // With the host's own, 24,575 would be one more than a map of headers holds.
    for count in [1001, 24_575, 40_000] {
        let reply = get(fixture.address, &format!("/api/shop/x?{count}")).await;
        assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()), "{count}");
    }
}
