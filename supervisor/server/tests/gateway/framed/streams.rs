//! What one side does not take stops the other, and nobody else.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use outboard_proto::transport::mux::{Part, Receiving, Sending};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::{begin, soon, whole};
use crate::client::{Client, get};
use crate::fixture::{Fixture, Setup};

/// Somebody who can't send for so long has been stopped.
const STUCK: Duration = Duration::from_millis(300);
/// More than all the buffers on the way, the kernel's included, and far less than is there to be sent.
const BUFFERS: usize = 16 << 20;

/// A setup of one worker, so that all requests share a stream.
fn setup(endpoints: &[&str]) -> Setup {
    let mut setup = Setup::framed(endpoints);
    setup.settings.workers = NonZeroUsize::new(1).unwrap();
    setup.allowance.bounds.max_body = 1 << 40;
    setup
}

/// Sends for ever, and tells how much went before it was stopped, each time.
async fn flood(mut sending: Sending, stopped: mpsc::UnboundedSender<usize>) {
    let piece = Bytes::from(vec![b'x'; 16 << 10]);
    let mut sent = 0;
    loop {
        let mut rest = piece.clone();
        let mut send =
            std::pin::pin!(std::future::poll_fn(|cx| sending.poll_send(cx, &mut rest, false)));
        let outcome = if let Ok(outcome) = timeout(STUCK, &mut send).await {
            outcome
        } else {
            if stopped.send(sent).is_err() {
                return;
            }
            send.await
        };
        if outcome.is_err() {
            return;
        }
        sent += piece.len();
    }
}

async fn drain(mut receiving: Receiving) -> usize {
    let mut length = 0;
    while let Some(Ok(Part::Data(data))) = receiving.part().await {
        length += data.len();
    }
    length
}

/// A client whose kernel takes little.
async fn narrow(fixture: &Fixture) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    Client(socket.connect(fixture.address).await.unwrap())
}

async fn small_requests_pass(fixture: &Fixture) {
    for _ in 0..50 {
        assert_eq!(soon(get(fixture.address, "/api/shop/small")).await.text(), "ok");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_plugin_and_nobody_else() {
    let (stop, mut stopped) = mpsc::unbounded_channel();
    let fixture = setup(&["GET flood", "GET small"])
        .start_exchange(move |exchange, request| {
            let stop = stop.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                if request.matches[0].endpoint_id == 2 {
                    return sending.respond(whole(200, &[], "ok")).unwrap();
                }
                sending.respond(begin(200, &[])).unwrap();
                flood(sending, stop).await;
            }
        })
        .await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = narrow(&fixture).await;
        client.send("GET /api/shop/flood HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        clients.push(client);
    }
    for _ in &clients {
        let sent = soon(stopped.recv()).await.unwrap();
        assert!(sent < BUFFERS, "{sent} bytes were sent to nobody");
    }
    small_requests_pass(&fixture).await;
    // Whoever reads on gets on, beyond what was sent before.
    for client in &mut clients {
        let mut read = 0;
        while read < BUFFERS + (1 << 20) {
            read += client.chunk().await.len();
        }
    }
    drop(clients);
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_does_not_read_stops_the_client_and_nobody_else() {
    let go = Arc::new(Semaphore::new(0));
    let goes = go.clone();
    let fixture = setup(&["POST swamp", "GET small"])
        .start_exchange(move |exchange, request| {
            let goes = goes.clone();
            async move {
                let (mut sending, receiving) = exchange.split();
                if request.matches[0].endpoint_id == 2 {
                    return sending.respond(whole(200, &[], "ok")).unwrap();
                }
                goes.acquire().await.unwrap().forget();
                let mut answer = whole(200, &[], "");
                answer.data = drain(receiving).await.to_string().into();
                sending.respond(answer).unwrap();
            }
        })
        .await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(fixture.address).await;
        client
            .send("POST /api/shop/swamp HTTP/1.1\r\nhost: a\r\ncontent-length: 33554432\r\n\r\n")
            .await;
        clients.push((client, 0));
    }
    let piece = vec![b'x'; 16 << 10];
    for (client, sent) in &mut clients {
        while let Ok(written) = timeout(STUCK, client.0.write(&piece)).await {
            *sent += written.unwrap();
        }
        assert!(*sent < BUFFERS, "{sent} bytes were taken for nobody");
    }
    small_requests_pass(&fixture).await;
    go.add_permits(clients.len());
    for (client, sent) in &mut clients {
        soon(client.send(vec![b'x'; (32 << 20) - *sent])).await;
        assert_eq!(client.reply().await.text(), "33554432");
    }
    fixture.quiet().await;
}

/// A client that takes its time never has the plugin more than a few buffers ahead of it.
#[tokio::test]
async fn a_plugin_is_never_far_ahead_of_a_slow_client() {
    let (stop, mut stopped) = mpsc::unbounded_channel();
    let fixture = setup(&["GET x"])
        .start_exchange(move |exchange, _| {
            let stop = stop.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin(200, &[])).unwrap();
                flood(sending, stop).await;
            }
        })
        .await;
    let mut client = narrow(&fixture).await;
    client.send(super::GET).await;
    client.head().await;
    let mut read = 0;
    for _ in 0..3 {
        let sent = soon(stopped.recv()).await.unwrap();
        assert!(sent - read < BUFFERS, "{sent} bytes are sent and {read} read");
        let until = sent + (1 << 20);
        while read < until {
            read += client.chunk().await.len();
        }
    }
    drop(client);
    fixture.quiet().await;
}

#[tokio::test]
async fn events_come_one_by_one_as_they_happen() {
    let (happen, happens) = mpsc::unbounded_channel::<&'static str>();
    let happens = Arc::new(tokio::sync::Mutex::new(happens));
    let fixture = setup(&["GET x"])
        .start_exchange(move |exchange, _| {
            let happens = happens.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                sending.respond(begin(200, &[("content-type", "text/event-stream")])).unwrap();
                while let Some(event) = happens.lock().await.recv().await {
                    sending.send(Bytes::from_static(event.as_bytes()), false).await.unwrap();
                }
                sending.send(Bytes::new(), true).await.unwrap();
            }
        })
        .await;
    let mut client = Client::connect(fixture.address).await;
    client.send(super::GET).await;
    assert_eq!(client.head().await.header("content-type"), Some("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        happen.send(event).unwrap();
        assert_eq!(client.chunk().await, event.as_bytes(), "without waiting for the next one");
    }
    drop(happen);
    assert_eq!(client.chunked().await, (Vec::new(), Vec::new()));
    fixture.quiet().await;
}

/// HTTP/2 to the gateway.
async fn http2(
    fixture: &Fixture,
) -> hyper::client::conn::http2::SendRequest<
    http_body_util::combinators::BoxBody<Bytes, std::io::Error>,
> {
    let stream = TcpStream::connect(fixture.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_streams_both_ways_with_trailers_and_breaks_off_one_response_alone() {
    use http_body_util::BodyExt as _;
    use hyper::body::Frame;

    let fixture = setup(&["POST echo", "GET broken"])
        .start_exchange(|exchange, request| async move {
            let (mut sending, mut receiving) = exchange.split();
            sending.respond(begin(200, &[])).unwrap();
            if request.matches[0].endpoint_id == 2 {
                sending.send(Bytes::from_static(b"some"), false).await.unwrap();
                return;
            }
            while let Some(Ok(part)) = receiving.part().await {
                match part {
                    Part::Data(data) => sending.send(data, false).await.unwrap(),
                    Part::Trailers(fields) => return sending.trailers(fields).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        })
        .await;
    let mut sender = http2(&fixture).await;
    let request = |method: &str, path: &str, body| {
        http::Request::builder()
            .method(method)
            .uri(format!("http://shop.example/api/shop/{path}"))
            .header("te", "trailers")
            .body(http_body_util::combinators::BoxBody::new(body))
            .unwrap()
    };
    let (pieces, body) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let body = http_body_util::StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(body));
    let mut reply = soon(sender.send_request(request("POST", "echo", body.boxed()))).await.unwrap();
    let mut echoed = 0;
    for number in 1..=64 {
        pieces.send(Ok(Frame::data(Bytes::from(vec![b'x'; 100_000])))).await.unwrap();
        while echoed < number * 100_000 {
            echoed += soon(reply.frame()).await.unwrap().unwrap().into_data().unwrap().len();
        }
    }
    let empty = || http_body_util::Empty::new().map_err(|never| match never {}).boxed();
    // What was on its way before the reset may be lost.
    let error = match soon(sender.send_request(request("GET", "broken", empty()))).await {
        Err(error) => error,
        Ok(mut broken) => loop {
            match soon(broken.frame()).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("it looks whole"),
            }
        },
    };
    assert!(format!("{error:?}").contains("Reset"), "{error:?}");
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    pieces.send(Ok(Frame::trailers(trailers.clone()))).await.unwrap();
    drop(pieces);
    let last = loop {
        let frame = soon(reply.frame()).await.unwrap().unwrap();
        match frame.into_trailers() {
            Ok(trailers) => break trailers,
            Err(data) => echoed += data.into_data().unwrap().len(),
        }
    };
    assert_eq!((last, echoed), (trailers, 6_400_000));
    fixture.quiet().await;
}
