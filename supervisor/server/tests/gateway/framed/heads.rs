//! What a plugin is told at the beginning of a request, and how the beginning of its response is judged.

use outboard_proto::plugin::v1::{Informational, Outcome, RequestFrame};
use prost::Message as _;

use super::{begin, header, outcome, soon, whole};
use crate::client::{Client, get, raw, request};
use crate::fixture::{Fixture, Setup};

/// A plugin that answers with the frame that opened the request.
async fn mirror(endpoints: &[&str]) -> Fixture {
    Setup::framed(endpoints)
        .start_exchange(|exchange, request| async move {
            let (mut sending, _receiving) = exchange.split();
            let mut answer = whole(200, &[], "");
            answer.data = request.encode_to_vec().into();
            sending.respond(answer).unwrap();
        })
        .await
}

fn decode(body: &[u8]) -> RequestFrame {
    RequestFrame::decode(body).unwrap()
}

#[tokio::test]
async fn a_request_comes_with_all_of_its_steps_and_its_time() {
    let mut setup = Setup::framed(&["* user/*", "GET user/:name"]);
    setup.endpoints[0].filter = true;
    setup.endpoints[0].timeout_ms = 5000;
    let fixture = setup
        .start_exchange(|exchange, request| async move {
            let (mut sending, _receiving) = exchange.split();
            let mut answer = whole(200, &[], "");
            answer.data = request.encode_to_vec().into();
            sending.respond(answer).unwrap();
        })
        .await;
    let reply = get(fixture.address, "/api/shop/user/J%C3%BCrgen").await;
    let asked = decode(&reply.body);
    assert_eq!(asked.activation, "activation-1");
    let steps: Vec<_> = asked.matches.iter().map(|step| step.endpoint_id).collect();
    assert_eq!(steps, [1, 2]);
    assert!(asked.matches[0].variables.is_empty());
    assert_eq!(asked.matches[1].variables[0].value, "Jürgen".as_bytes());
    assert!(asked.end && asked.data.is_empty());
    assert!((4000..=5000).contains(&asked.timeout_ms), "{}", asked.timeout_ms);
    let head = asked.request.unwrap();
    assert!(head.upgrade.is_empty() && !head.expects_continue);
}

#[tokio::test]
async fn a_small_body_of_known_length_is_one_frame_with_the_head() {
    let fixture = mirror(&["POST x"]).await;
    for (body, is_inline) in [("x".repeat(4096), true), ("x".repeat(4097), false)] {
        let length = format!("content-length: {}\r\n", body.len());
        let reply = raw(fixture.address, request("POST", "/api/shop/x", &length, &body)).await;
        let asked = decode(&reply.body);
        assert_eq!((asked.end, asked.data.len()), (is_inline, if is_inline { 4096 } else { 0 }));
    }
    let chunked = "transfer-encoding: chunked\r\n";
    let text = request("POST", "/api/shop/x", chunked, "1\r\nx\r\n0\r\n\r\n");
    let asked = decode(&raw(fixture.address, text).await.body);
    assert!(!asked.end && asked.data.is_empty(), "nobody knows how much it is");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_small_body_that_comes_in_pieces_is_put_together() {
    let fixture = mirror(&["POST x"]).await;
    let mut client = Client::connect(fixture.address).await;
    client.send("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
    tokio::task::yield_now().await;
    client.send("world").await;
    assert_eq!(decode(&client.reply().await.body).data, "helloworld");
}

#[tokio::test]
async fn the_outcome_of_a_chain_decides_what_is_sent() {
    let check = async |answer: Outcome| {
        let fixture = Setup::framed(&["GET x"])
            .start_exchange(move |exchange, _| async move {
                let (mut sending, _receiving) = exchange.split();
                let made = whole(204, &[("www-authenticate", "Basic")], "of the plugin");
                sending.respond(outcome(answer, made)).unwrap();
            })
            .await;
        get(fixture.address, "/api/shop/x").await
    };
    for sent in [Outcome::Complete, Outcome::Continue, Outcome::Unspecified] {
        assert_eq!(check(sent).await.status, 204);
    }
    let refused = check(Outcome::Refuse).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic")));
    assert_eq!(refused.text(), "of the plugin");
    let failed = check(Outcome::Fail).await;
    assert_eq!((failed.status, failed.error()), (500, "internal error".to_owned()));
}

#[tokio::test]
async fn a_head_that_is_none_is_502_and_cancels_the_rest() {
    let heads: [(u32, &'static [(&str, &str)]); 9] = [
        (99, &[]),
        (600, &[]),
        (101, &[("upgrade", "websocket")]),
        (200, &[("transfer-encoding", "chunked")]),
        (200, &[("connection", "close")]),
        (200, &[("x-a", "b\r\nx-injected: 1")]),
        (200, &[("x a", "b")]),
        (200, &[("content-length", "x")]),
        (200, &[("content-length", "1"), ("content-length", "2")]),
    ];
    for (status, headers) in heads {
        let (over, mut is_over) = tokio::sync::mpsc::unbounded_channel();
        let fixture = Setup::framed(&["GET x"])
            .start_exchange(move |exchange, _| {
                let over = over.clone();
                async move {
                    let (mut sending, _receiving) = exchange.split();
                    sending.respond(begin(status, headers)).unwrap();
                    sending.over().await;
                    over.send(()).unwrap();
                }
            })
            .await;
        let reply = get(fixture.address, "/api/shop/x").await;
        assert_eq!((reply.status, reply.error()), (502, "bad gateway".to_owned()), "{headers:?}");
        assert!(reply.header("x-injected").is_none());
        soon(is_over.recv()).await.expect("the plugin is told");
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn an_outcome_that_is_none_is_502() {
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            let mut answer = whole(200, &[], "");
            answer.outcome = 77;
            sending.respond(answer).unwrap();
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502);
    fixture.quiet().await;
}

#[tokio::test]
async fn hints_come_before_the_response() {
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            for number in ["1", "2"] {
                let headers = vec![header("link", number), header("content-length", "7")];
                sending.inform(Informational { status: 103, headers }).unwrap();
            }
            sending.inform(Informational { status: 100, headers: Vec::new() }).unwrap();
            sending.respond(whole(200, &[], "page")).unwrap();
        })
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send(super::GET).await;
    for number in ["1", "2"] {
        let hint = client.head().await;
        assert_eq!((hint.status, hint.header("link")), (103, Some(number)));
        assert_eq!(hint.header("content-length"), None, "it has no body to speak of");
    }
    assert_eq!(client.reply().await.text(), "page");
    let old = raw(fixture.address, "GET /api/shop/x HTTP/1.0\r\n\r\n").await;
    assert_eq!((old.status, old.text()), (200, "page".to_owned()), "HTTP/1.0 knows no hints");
}

#[tokio::test]
async fn a_hint_that_would_split_the_response_is_502() {
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            let headers = vec![header("link", "a\r\n\r\nHTTP/1.1 200 OK")];
            sending.inform(Informational { status: 103, headers }).unwrap();
            sending.over().await;
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502);
    fixture.quiet().await;
}

const EXPECTING: &str = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\n";

/// A plugin that says how many bytes it has read, but asks for them only at `asks`.
async fn on_demand(asks: bool) -> Fixture {
    Setup::framed(&["POST x"])
        .start_exchange(move |exchange, request| async move {
            assert!(request.request.unwrap().expects_continue && !request.end);
            let (mut sending, receiving) = exchange.split();
            if asks {
                sending.inform(Informational { status: 100, headers: Vec::new() }).unwrap();
            }
            let body = crate::fixture::plugin::whole(request.data, receiving).await;
            let mut answer = whole(200, &[], "");
            answer.data = body.unwrap().len().to_string().into();
            sending.respond(answer).unwrap();
        })
        .await
}

#[tokio::test]
async fn a_client_that_waits_is_told_when_the_plugin_wants_its_body_or_after_a_second() {
    for asks in [true, false] {
        let fixture = on_demand(asks).await;
        let mut client = Client::connect(fixture.address).await;
        for _ in 0..2 {
            let started = std::time::Instant::now();
            client.send(format!("{EXPECTING}content-length: 5\r\n\r\n")).await;
            assert_eq!(client.head().await.status, 100);
            let taken = started.elapsed();
            assert_eq!(taken < std::time::Duration::from_millis(900), asks, "{taken:?}");
            client.send("hello").await;
            assert_eq!(client.reply().await.text(), "5");
        }
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn a_client_that_waits_is_not_told_to_send_what_nobody_wants() {
    let fixture = Setup::framed(&["POST x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            sending.respond(whole(403, &[], "no")).unwrap();
        })
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send(format!("{EXPECTING}content-length: 5\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 403, "and not 100");
    fixture.quiet().await;
    // One that sends without waiting is understood as well.
    let fixture = on_demand(false).await;
    let mut client = Client::connect(fixture.address).await;
    let started = std::time::Instant::now();
    client.send(format!("{EXPECTING}content-length: 5\r\n\r\nhello")).await;
    assert_eq!(client.head().await.status, 100);
    assert_eq!(client.reply().await.text(), "5");
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
    fixture.quiet().await;
}
