//! HTTP/2 in the clear, by prior knowledge: what works, and what a hostile client does not get.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::client::{Client, get};
use crate::connections::{NOTICED, hanging, next};
use crate::fixture::{Fixture, INSTANCE, Setup, decode, echo, ok};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A client that keeps the rules, and its connection.
struct Honest {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Honest {
    async fn connect(address: SocketAddr) -> Self {
        Self::with(address, h2::client::Builder::new()).await
    }

    async fn with(address: SocketAddr, builder: h2::client::Builder) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Self { requests, connection: tokio::spawn(connection) }
    }

    async fn ask(&mut self, request: Request<()>, body: &[u8]) -> ResponseFuture {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let is_over = body.is_empty();
        let (response, mut stream) = requests.send_request(request, is_over).unwrap();
        if !is_over {
            stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response<RecvStream> {
        let response = self.ask(request("GET", path), b"").await;
        tokio::time::timeout(NOTICED, response).await.expect("in time").unwrap()
    }

    /// Waits until the server has ended the connection.
    async fn ended(self) -> Result<(), h2::Error> {
        tokio::time::timeout(NOTICED, self.connection).await.expect("in time").unwrap()
    }
}

fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://shop.example{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

/// All of a body, taken as fast as it comes.
async fn whole(response: Response<RecvStream>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    all
}

/// A client that sends what it likes.
struct Raw(Client);

impl Raw {
    async fn connect(address: SocketAddr) -> Self {
        let mut raw = Self(Client::connect(address).await);
        raw.0.send([PREFACE, SETTINGS].concat()).await;
        raw
    }

    /// Sends frames until the server has had enough, then tells the code of its GOAWAY.
    async fn until_refused(mut self, mut frames: impl FnMut() -> Vec<u8>) -> Option<u32> {
        let (mut reader, mut writer) = self.0.0.split();
        let mut all = Vec::new();
        let reading = reader.read_to_end(&mut all);
        let writing = async {
            while writer.write_all(&frames()).await.is_ok() {
                // So that the reader has its turn.
                tokio::task::yield_now().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // A reset is an end, too.
            _ = tokio::time::timeout(NOTICED, reading) => {}
            () = writing => {}
        }
        goaway(&all)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// `GET /api/shop/x`, without the help of a table.
fn head() -> Vec<u8> {
    // :method GET, :scheme http and :authority by their numbers, :path in full.
    let path = b"/api/shop/x";
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path);
    block.extend_from_slice(b"\x01\x01a");
    block
}

fn goaway(mut bytes: &[u8]) -> Option<u32> {
    while bytes.len() >= 9 {
        let length =
            usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let payload = bytes.get(9..9 + length)?;
        if bytes[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = &bytes[9 + length..];
    }
    None
}

const CALM: Option<u32> = Some(11);

#[tokio::test]
async fn a_request_is_answered_as_with_http1() {
    let fixture = Fixture::echo(&["* x"]).await;
    let mut client = Honest::connect(fixture.address).await;
    let response = client.ask(request("POST", "/api/shop/x?a=b"), b"hello").await.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-request-id"));
    let seen = decode(&whole(response).await);
    assert_eq!(&seen.body[..], b"hello");
    let seen = seen.request.unwrap();
    assert_eq!((seen.method.as_str(), &seen.path[..]), ("POST", &b"/api/shop/x"[..]));
    assert_eq!(seen.query.as_deref(), Some(&b"a=b"[..]));
    assert_eq!((seen.scheme.as_str(), seen.authority.as_str()), ("http", "shop.example"));
    assert_eq!(client.get("/api/shop/y").await.status(), 404);
    assert_eq!(client.get("/api/shop/x").await.status(), 200, "on the same connection");
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200, "beside HTTP/1.1");
}

#[tokio::test]
async fn a_preface_may_come_in_pieces() {
    let fixture = Fixture::echo(&["GET x"]).await;
    let mut client = Client::connect(fixture.address).await;
    for piece in [&PREFACE[..1], &PREFACE[1..3], &PREFACE[3..23], &PREFACE[23..]] {
        client.send(piece).await;
        // Nothing tells when it was read, so this is only likely to be a piece of its own.
        tokio::task::yield_now().await;
    }
    client.send([SETTINGS, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &head())].concat()).await;
    let mut kinds = Vec::new();
    while !kinds.contains(&HEADERS) {
        let mut head = [0; 9];
        tokio::time::timeout(NOTICED, client.0.read_exact(&mut head)).await.unwrap().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        client.0.read_exact(&mut payload).await.unwrap();
        kinds.push(head[3]);
    }
}

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
async fn too_many_fields_and_too_large_ones_are_refused() {
    let mut setup = Setup::new(&["GET x"]);
    setup.settings.max_headers = 20;
    setup.settings.max_header_bytes = 8 << 10;
    let fixture = setup.start(echo).await;
    let mut client = Honest::connect(fixture.address).await;
    let with = |count: usize, length: usize| {
        let mut request = request("GET", "/api/shop/x");
        let fields = (0..count).map(|number| {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            (name, http::HeaderValue::try_from("v".repeat(length)).unwrap())
        });
        *request.headers_mut() = fields.collect::<HeaderMap>();
        request
    };
    for (count, length, status) in [
        (20, 10, StatusCode::OK),
        (21, 10, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (1, 9 << 10, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (1, 7 << 10, StatusCode::OK),
    ] {
        let response = client.ask(with(count, length), b"").await.await.unwrap();
        assert_eq!(response.status(), status, "{count} of {length}");
    }
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
    let (go, gone) = (std::sync::Arc::new(Semaphore::new(0)), Semaphore::new(0));
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
    drop((go, gone));
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
async fn a_body_that_is_too_large_costs_only_its_stream() {
    let fixture = Fixture::echo(&["POST x", "GET x"]).await;
    let mut client = Honest::connect(fixture.address).await;
    let mut requests = client.requests.clone().ready().await.unwrap();
    let (response, mut stream) =
        requests.send_request(request("POST", "/api/shop/x"), false).unwrap();
    stream.send_data(Bytes::from(vec![7; 8 << 20]), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 413);
    assert_eq!(client.get("/api/shop/x").await.status(), 200);
}

#[tokio::test]
async fn shutting_down_lets_streams_end_and_takes_no_more() {
    let go = std::sync::Arc::new(Semaphore::new(0));
    let begun = std::sync::Arc::new(Semaphore::new(0));
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
