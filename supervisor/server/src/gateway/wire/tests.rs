use std::sync::atomic::AtomicUsize;

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::super::connection::Peer;
use super::super::observe::Observer;
use super::*;

const SHORT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);

struct Pair {
    wire: Wire<Socket>,
    socket: Arc<TcpStream>,
    line: Arc<Line>,
    client: TcpStream,
}

async fn pair(stall: Duration) -> Pair {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let socket = Arc::new(server);
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let counted = Observer::default().connection();
    let line = Line::new(place, counted, Arc::new(AtomicUsize::new(0)));
    let wire = Wire::new(Socket(socket.clone()), Opening::default(), line.clone(), stall);
    Pair { wire, socket, line, client }
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_connection() {
    let Pair { mut wire, client: _client, .. } = pair(SHORT).await;
    let error = wire.write_all(&vec![0; 64 << 20]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_takes_a_little_now_and_then_loses_it_too() {
    let Pair { mut wire, mut client, .. } = pair(SHORT).await;
    let trickle = async {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        let mut byte = [0; 16];
        while client.read_exact(&mut byte).await.is_ok() {
            pause.tick().await;
        }
    };
    let body = vec![0; 64 << 20];
    tokio::select! {
        written = wire.write_all(&body) => assert!(written.is_err()),
        () = trickle => panic!("the server never closes by itself"),
    }
}

#[tokio::test]
async fn a_client_that_takes_its_time_but_takes_it_gets_everything() {
    let Pair { mut wire, mut client, .. } = pair(Duration::from_secs(5)).await;
    let reader = async {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let (mut piece, mut read) = (vec![0; 256 << 10], 0);
        while read < 16 << 20 {
            read += client.read(&mut piece).await.unwrap();
            pause.tick().await;
        }
    };
    let body = vec![0; 16 << 20];
    let (written, ()) = tokio::join!(wire.write_all(&body), reader);
    written.unwrap();
}

#[tokio::test]
async fn the_end_of_a_client_shows_behind_what_it_sent() {
    let Pair { socket, mut client, .. } = pair(SHORT).await;
    client.write_all(b"unread").await.unwrap();
    socket.readable().await.unwrap();
    let early = tokio::time::timeout(SHORT, gone(&socket)).await;
    assert!(early.is_err(), "the client is still there");
    drop(client);
    tokio::time::timeout(PATIENCE, gone(&socket)).await.unwrap();
}

#[tokio::test]
async fn what_comes_after_a_short_read_is_seen_and_so_is_the_end() {
    let Pair { mut wire, mut client, .. } = pair(SHORT).await;
    let mut buffer = [0; 64];
    for word in ["one", "two", "three"] {
        client.write_all(word.as_bytes()).await.unwrap();
        let read = tokio::time::timeout(PATIENCE, wire.read(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..read], word.as_bytes());
    }
    client.write_all(b"last").await.unwrap();
    drop(client);
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, wire.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"last");
}

fn hint() -> HeaderMap {
    let link = HeaderValue::from_static("</a.css>; rel=preload");
    std::iter::once((http::header::LINK, link)).collect()
}

const HINT: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";

fn peer(line: &Arc<Line>) -> Peer {
    Peer::new(std::net::IpAddr::from([127, 0, 0, 1]), false, line.clone())
}

#[tokio::test]
async fn a_hint_goes_before_what_hyper_writes_next() {
    let Pair { mut wire, line, mut client, .. } = pair(PATIENCE).await;
    peer(&line).asking().inform(StatusCode::EARLY_HINTS, &hint());
    wire.write_all(b"response").await.unwrap();
    drop((wire, line));
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [HINT, b"response"].concat());
}

#[tokio::test]
async fn a_hint_goes_out_alone_while_hyper_has_nothing_to_write() {
    let Pair { mut wire, line, mut client, .. } = pair(PATIENCE).await;
    peer(&line).asking().inform(StatusCode::EARLY_HINTS, &hint());
    wire.flush().await.unwrap();
    let mut read = vec![0; HINT.len()];
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(read, HINT);
}

#[tokio::test]
async fn a_hint_never_cuts_a_response_in_two() {
    let Pair { mut wire, line, mut client, .. } = pair(PATIENCE).await;
    wire.write_all(b"the response be").await.unwrap();
    let behind = peer(&line).asking();
    behind.inform(StatusCode::EARLY_HINTS, &hint());
    wire.write_all(b"fore").await.unwrap();
    wire.flush().await.unwrap();
    drop((wire, line, behind));
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"the response before");
}

#[tokio::test]
async fn a_hint_that_comes_late_or_is_none_is_not_sent() {
    let Pair { mut wire, line, mut client, .. } = pair(PATIENCE).await;
    let late = peer(&line).asking();
    late.inform(StatusCode::OK, &hint());
    late.inform(StatusCode::CONTINUE, &hint());
    late.inform(StatusCode::SWITCHING_PROTOCOLS, &hint());
    peer(&line).inform(StatusCode::EARLY_HINTS, &hint());
    late.answered(StatusCode::OK);
    late.inform(StatusCode::EARLY_HINTS, &hint());
    let next = peer(&line).asking();
    late.inform(StatusCode::EARLY_HINTS, &hint());
    wire.write_all(b"response").await.unwrap();
    drop((wire, line, late, next));
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"response");
}

#[tokio::test]
async fn hints_that_a_client_does_not_take_are_bounded_and_stay_whole() {
    let Pair { mut wire, line, mut client, .. } = pair(PATIENCE).await;
    let peer = peer(&line).asking();
    for _ in 0..10_000 {
        peer.inform(StatusCode::EARLY_HINTS, &hint());
    }
    wire.flush().await.unwrap();
    drop((wire, line, peer));
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert!(!read.is_empty() && read.len() <= 64 << 10, "{}", read.len());
    assert!(read.chunks(HINT.len()).all(|chunk| chunk == HINT));
}

/// The same with hyper above, which asks for a flush only when it has nothing left to write.
#[tokio::test]
async fn hints_come_before_their_own_response_behind_hyper() {
    let Pair { wire, line, mut client, .. } = pair(PATIENCE).await;
    let peer = peer(&line);
    let go = Semaphore::new(0);
    let service = hyper::service::service_fn(|_| async {
        let asking = peer.asking();
        asking.inform(StatusCode::EARLY_HINTS, &hint());
        go.acquire().await.unwrap().forget();
        asking.inform(StatusCode::EARLY_HINTS, &hint());
        let reply = http_body_util::Full::new(&b"body"[..]);
        asking.answered(StatusCode::OK);
        Ok::<_, std::convert::Infallible>(http::Response::new(reply))
    });
    let io = hyper_util::rt::TokioIo::new(wire);
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    let asking = async {
        client.write_all(&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2)).await.unwrap();
        let mut early = vec![0; HINT.len()];
        client.read_exact(&mut early).await.unwrap();
        assert_eq!(early, HINT, "before there is a response");
        go.add_permits(1);
        let mut late = vec![0; HINT.len()];
        client.read_exact(&mut late).await.unwrap();
        assert_eq!(late, HINT, "with the response");
        let response = until(&mut client, b"\r\n\r\nbody").await;
        assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
        client.read_exact(&mut late).await.unwrap();
        assert_eq!(late, HINT, "before the next");
        client.shutdown().await.unwrap();
    };
    let _ = tokio::time::timeout(PATIENCE, async { tokio::join!(serving, asking) }).await.unwrap();
}

async fn until(client: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        read.push(client.read_u8().await.unwrap());
    }
    read
}
