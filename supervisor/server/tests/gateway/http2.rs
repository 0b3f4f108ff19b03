//! HTTP/2 in the clear, by prior knowledge.

mod abuse;
mod bodies;
mod ends;

use std::net::SocketAddr;

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
