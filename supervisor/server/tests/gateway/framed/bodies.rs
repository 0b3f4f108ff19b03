//! Bodies in pieces: whole at the other end, as long as was said, and with what follows them.

use bytes::Bytes;
use outboard_proto::plugin::v1::{Header, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Part};
use tokio::sync::mpsc;

use super::{begin, header, soon, whole};
use crate::client::{Client, Reply, get, raw, request};
use crate::fixture::{Fixture, Setup};

/// Sends the request's body back as it comes, trailers and all.
async fn echo(exchange: Exchange, first: Bytes, end: bool) {
    let (mut sending, mut receiving) = exchange.split();
    let answer = ResponseFrame { data: first, end, ..begin(200, &[("trailer", "x-sum, x-end")]) };
    sending.respond(answer).unwrap();
    while let Some(Ok(part)) = receiving.part().await {
        match part {
            Part::Data(data) => sending.send(data, false).await.unwrap(),
            Part::Trailers(fields) => return sending.trailers(fields).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let _ = sending.send(Bytes::new(), true).await;
}

async fn echoing() -> Fixture {
    let mut setup = Setup::framed(&["* x"]);
    setup.allowance.bounds.max_body = 64 << 20;
    setup
        .start_exchange(|exchange, request| echo(exchange, request.data.clone(), request.end))
        .await
}

/// Answers with `head`, then with `pieces`, one frame each and the last with the end, or the end alone after them.
async fn in_pieces(
    head: ResponseFrame,
    pieces: &'static [&'static str],
    ends_with_last: bool,
) -> Fixture {
    Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let head = head.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(head).unwrap();
                for (number, piece) in (1..).zip(pieces) {
                    let end = ends_with_last && number == pieces.len();
                    let sent = sending.send(Bytes::from_static(piece.as_bytes()), end).await;
                    if sent.is_err() {
                        return;
                    }
                }
                if !ends_with_last {
                    let _ = sending.send(Bytes::new(), true).await;
                }
            }
        })
        .await
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Sends `body` and reads the response at the same time.
async fn exchange(fixture: &Fixture, body: Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = Client::connect(fixture.address).await.split();
    let length = body.len();
    let head = format!("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    let sending = async move {
        writer.send(head).await;
        writer.send(body).await;
        writer
    };
    let reading = async {
        let reply = reader.head().await;
        assert_eq!(reply.status, 200);
        match reply.header("content-length") {
            Some(length) => reader.take(length.parse().unwrap()).await,
            None => reader.chunked().await.0,
        }
    };
    tokio::join!(sending, reading).1
}

#[tokio::test]
async fn large_bodies_pass_both_ways_and_stay_what_they_are() {
    let fixture = echoing().await;
    for length in [4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20, 7_654_321] {
        let body = pattern(length);
        assert!(soon(exchange(&fixture, body.clone())).await == body, "{length} bytes");
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn bodies_larger_than_all_windows_do_not_wait_for_each_other() {
    let fixture = echoing().await;
    let body = pattern(3 << 20);
    let all: Vec<_> = (0..32).map(|_| exchange(&fixture, body.clone())).collect();
    for back in soon(futures_util::future::join_all(all)).await {
        assert!(back == body);
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_response_of_one_frame_has_its_length_and_a_longer_one_is_chunked() {
    let fixture = in_pieces(whole(200, &[], "all of it"), &[], true).await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.header("content-length"), reply.text()), (Some("9"), "all of it".to_owned()));
    let fixture = in_pieces(begin(200, &[]), &["some", " ", "more"], false).await;
    let mut client = Client::connect(fixture.address).await;
    // Twice, since the end must be where the client finds it.
    for _ in 0..2 {
        client.send(super::GET).await;
        let head = client.head().await;
        assert_eq!(head.header("transfer-encoding"), Some("chunked"));
        assert_eq!(head.header("content-length"), None);
        assert_eq!(client.chunked().await.0, b"some more");
    }
    let old = raw(fixture.address, "GET /api/shop/x HTTP/1.0\r\n\r\n").await;
    assert_eq!((old.status, old.text()), (200, "some more".to_owned()));
    fixture.quiet().await;
}

#[tokio::test]
async fn a_declared_length_is_kept_and_the_connection_lives_on() {
    for ends_with_last in [true, false] {
        let mut head = begin(200, &[("Content-Length", "9")]);
        head.data = "some".into();
        let fixture = in_pieces(head, &[" more"], ends_with_last).await;
        let mut client = Client::connect(fixture.address).await;
        for _ in 0..3 {
            client.send(super::GET).await;
            let reply = client.reply().await;
            assert_eq!(reply.headers("content-length"), ["9"]);
            assert_eq!(reply.header("transfer-encoding"), None);
            assert_eq!(reply.text(), "some more");
        }
        fixture.quiet().await;
    }
}

/// Whether a client that gets what there is could take it for a whole response of the plugin's.
async fn looks_whole(fixture: &Fixture) -> bool {
    let mut client = Client::connect(fixture.address).await;
    client.send(request("GET", "/api/shop/x", "", "")).await;
    // Hyper may throw away what it has not written when a body breaks off.
    let Some(reply) = Reply::parse(&client.rest().await) else { return false };
    match reply.header("content-length") {
        Some(length) => reply.status == 200 && length.parse() == Ok(reply.body.len()),
        None => reply.body.ends_with(b"0\r\n\r\n"),
    }
}

#[tokio::test]
async fn a_body_that_is_shorter_than_declared_breaks_off() {
    for pieces in [&["some more"][..], &["some", " ", "more"], &[""], &["some more", ""]] {
        let fixture = in_pieces(begin(200, &[("content-length", "10")]), pieces, true).await;
        assert!(!looks_whole(&fixture).await, "{pieces:?}");
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn a_body_that_is_longer_than_declared_never_ends_well() {
    for pieces in [&["some more"][..], &["some", " more"]] {
        let fixture = in_pieces(begin(200, &[("content-length", "8")]), pieces, true).await;
        assert!(!looks_whole(&fixture).await, "{pieces:?}");
        fixture.quiet().await;
    }
    let mut head = begin(200, &[("content-length", "3")]);
    head.data = "more".into();
    let fixture = in_pieces(head, &[], false).await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502, "it shows in time");
    fixture.quiet().await;
}

/// Where the end of the connection is the end of the body.
#[tokio::test]
async fn a_response_to_http_1_0_that_breaks_off_is_told_from_one_that_ends() {
    use tokio::io::AsyncReadExt as _;

    let ask = "GET /api/shop/x HTTP/1.0\r\n\r\n";
    let read = async |fixture: &Fixture| {
        let mut client = Client::connect(fixture.address).await;
        client.send(ask).await;
        let mut bytes = Vec::new();
        soon(client.0.read_to_end(&mut bytes)).await.map(|_| bytes)
    };
    let fixture = in_pieces(begin(200, &[]), &["some", "more"], true).await;
    assert!(read(&fixture).await.unwrap().ends_with(b"somemore"));
    fixture.quiet().await;
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            sending.respond(begin(200, &[])).unwrap();
            sending.send(Bytes::from_static(b"some"), false).await.unwrap();
        })
        .await;
    let error = read(&fixture).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    fixture.quiet().await;
}

/// Hyper asks for no more than was declared, so what comes later is not seen; but it is not sent either.
#[tokio::test]
async fn what_comes_after_the_declared_length_reaches_nobody() {
    let (go, gone) = mpsc::unbounded_channel();
    let gone = std::sync::Arc::new(tokio::sync::Mutex::new(gone));
    let fixture = Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let gone = gone.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin(200, &[("content-length", "4")])).unwrap();
                sending.send(Bytes::from_static(b"some"), false).await.unwrap();
                let _: Option<()> = gone.lock().await.recv().await;
                let _ = sending.send(Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n"), true).await;
            }
        })
        .await;
    let mut client = Client::connect(fixture.address).await;
    for _ in 0..2 {
        client.send(super::GET).await;
        assert_eq!(client.reply().await.text(), "some");
        go.send(()).unwrap();
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_response_without_a_place_for_a_body_has_none() {
    for status in [204, 205, 304] {
        let fixture = in_pieces(begin(status, &[("etag", "1")]), &["for", "nobody"], true).await;
        let mut client = Client::connect(fixture.address).await;
        for _ in 0..2 {
            client.send(super::GET).await;
            let reply = client.reply().await;
            assert_eq!((u32::from(reply.status), reply.header("etag")), (status, Some("1")));
            assert!(matches!(reply.header("content-length"), None | Some("0")), "{reply:?}");
            assert_eq!(reply.header("transfer-encoding"), None);
        }
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn head_has_the_length_that_is_known_and_no_body() {
    let head = "HEAD /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n";
    let check = async |fixture: Fixture, length: Option<&str>| {
        let mut client = Client::connect(fixture.address).await;
        for _ in 0..2 {
            client.send(head).await;
            let reply = client.head().await;
            assert_eq!((reply.status, reply.header("content-length")), (200, length));
        }
        fixture.quiet().await;
    };
    check(in_pieces(whole(200, &[], "all of it"), &[], true).await, Some("9")).await;
    let declared = begin(200, &[("content-length", "9")]);
    check(in_pieces(declared, &["all", " of it"], true).await, Some("9")).await;
    check(in_pieces(begin(200, &[]), &["all", " of it"], true).await, None).await;
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let fixture = echoing().await;
    let mut client = Client::connect(fixture.address).await;
    let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\n\
                transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
    let body = "3\r\nabc\r\n0\r\nX-Sum: 1\r\ncontent-length: 7\r\nx-end: 2\r\nhost: b\r\n\r\n";
    for _ in 0..2 {
        client.send([head, body].concat()).await;
        assert_eq!(client.head().await.header("trailer"), Some("x-sum, x-end"));
        let (body, mut trailers) = client.chunked().await;
        trailers.sort_unstable();
        assert_eq!(body, b"abc");
        assert_eq!(trailers, ["x-end: 2", "x-sum: 1"], "and nothing that must come earlier");
    }
    // A client that does not say that it takes them gets none.
    let text = [&head.replace("te: trailers\r\n", ""), body].concat();
    client.send(text).await;
    client.head().await;
    assert_eq!(client.chunked().await, (b"abc".to_vec(), Vec::new()));
    fixture.quiet().await;
}

/// Answers with trailers only.
async fn trailing(fields: Vec<Header>) -> Fixture {
    Setup::framed(&["GET x"])
        .start_exchange(move |exchange, _| {
            let fields = fields.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin(200, &[("trailer", "x-a, content-type")])).unwrap();
                sending.send(Bytes::from_static(b"body"), false).await.unwrap();
                sending.trailers(fields).unwrap();
            }
        })
        .await
}

#[tokio::test]
async fn trailers_that_say_what_only_a_head_may_stay_behind() {
    let ask = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\n\r\n";
    let fixture = trailing(vec![header("content-type", "x"), header("x-a", "1")]).await;
    let mut client = Client::connect(fixture.address).await;
    for _ in 0..2 {
        client.send(ask).await;
        client.head().await;
        assert_eq!(client.chunked().await, (b"body".to_vec(), vec!["x-a: 1".to_owned()]));
    }
    let fixture = trailing(vec![header("x-a", "1\r\n\r\nHTTP/1.1 200 OK")]).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(ask).await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert!(rest.matches("HTTP/1.1").count() < 2, "it would have split the response: {rest:?}");
    assert!(!rest.ends_with("0\r\n\r\n"), "the response does not break off: {rest:?}");
    fixture.quiet().await;
}

/// Answers at once, whatever the client sends, and reads nothing or all of it.
async fn early(reads: bool) -> Fixture {
    let mut setup = Setup::framed(&["POST x"]);
    setup.allowance.bounds.max_body = 64 << 20;
    setup
        .start_exchange(move |exchange, _| async move {
            let (mut sending, mut receiving) = exchange.split();
            sending.respond(whole(403, &[], "no")).unwrap();
            while reads && matches!(receiving.part().await, Some(Ok(_))) {}
        })
        .await
}

#[tokio::test]
async fn an_answer_may_come_before_the_end_of_the_request() {
    let fixture = early(false).await;
    let mut client = Client::connect(fixture.address).await;
    client.send("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999\r\n\r\nx").await;
    assert_eq!(client.reply().await.status, 403, "while the client still has most of it");
    fixture.quiet().await;
    // One that sends all of it gets its answer all the same.
    let length = format!("content-length: {}\r\n", 8 << 20);
    let text = request("POST", "/api/shop/x", &length, &"x".repeat(8 << 20));
    assert_eq!(raw(fixture.address, text).await.status, 403);
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_has_answered_may_read_on() {
    let fixture = early(true).await;
    let mut client = Client::connect(fixture.address).await;
    let body = pattern(1 << 20);
    for _ in 0..2 {
        let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\n";
        client.send(head).await;
        assert_eq!(client.reply().await.status, 403);
        soon(client.send(&body)).await;
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_wherever_it_shows() {
    let (over, mut is_over) = mpsc::unbounded_channel();
    let mut setup = Setup::framed(&["POST x"]);
    setup.allowance.bounds.max_body = 100_000;
    let fixture = setup
        .start_exchange(move |exchange, _| {
            let over = over.clone();
            async move {
                let (mut sending, mut receiving) = exchange.split();
                while matches!(receiving.part().await, Some(Ok(_))) {}
                sending.over().await;
                over.send(()).unwrap();
            }
        })
        .await;
    let text = request("POST", "/api/shop/x", "content-length: 100001\r\n", "");
    assert_eq!(raw(fixture.address, text).await.status, 413, "not even asked for");
    let chunk = format!("c350\r\n{}\r\n", "x".repeat(50_000));
    let body = [&chunk, &chunk, "1\r\nx\r\n0\r\n\r\n"].concat();
    let text = request("POST", "/api/shop/x", "transfer-encoding: chunked\r\n", &body);
    let reply = raw(fixture.address, text).await;
    assert_eq!((reply.status, reply.error()), (413, "body too large".to_owned()));
    assert_eq!(reply.header("connection"), Some("close"));
    soon(is_over.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_breaks_a_response_off_that_has_begun() {
    let mut setup = Setup::framed(&["POST x"]);
    setup.allowance.bounds.max_body = 100_000;
    let fixture = setup
        .start_exchange(|exchange, request| echo(exchange, request.data.clone(), request.end))
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("c350\r\n{}\r\n", "x".repeat(50_000));
    client.send([&chunk, &*chunk].concat()).await;
    assert_eq!(client.head().await.status, 200);
    let mut echoed = 0;
    while echoed < 100_000 {
        echoed += client.chunk().await.len();
    }
    client.send("1\r\nx\r\n").await;
    assert!(client.rest().await.is_empty(), "no last chunk");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_chunk_that_is_none_is_400_and_cancels_what_has_begun() {
    let fixture = echoing().await;
    // Sent with a response that waits for the request, so that the mistake can still be told.
    let waiting = Setup::framed(&["POST x"])
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            sending.over().await;
        })
        .await;
    let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut client = Client::connect(waiting.address).await;
    client.send([head, "3\r\nabc\r\nx\r\n"].concat()).await;
    assert_eq!(client.reply().await.status, 400);
    waiting.quiet().await;
    let mut client = Client::connect(fixture.address).await;
    client.send([head, "3\r\nabc\r\n"].concat()).await;
    assert_eq!(client.head().await.status, 200);
    client.send("x\r\n").await;
    let rest = client.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a response that has begun breaks off: {rest:?}");
    fixture.quiet().await;
}
