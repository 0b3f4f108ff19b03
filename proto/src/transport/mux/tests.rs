//! Two sides of one stream, with nothing between them but a channel each way.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::frame::{Failure, SendError};
use crate::plugin::v1::{Header, Informational, Request, ResetCode, Response, ResponseFrame};

const PATIENCE: Duration = Duration::from_secs(10);

type Opened = mpsc::UnboundedReceiver<(Exchange, Box<RequestFrame>)>;

struct Pair {
    host: Mux,
    plugin: Mux,
    opened: Opened,
}

impl Pair {
    async fn new(settings: Settings) -> Self {
        let (host, from_host) = Mux::new(Role::Host, Settings::default(), Limits::default());
        let (plugin, from_plugin) = Mux::new(Role::Plugin, settings, Limits::default());
        let (open, opened) = mpsc::unbounded_channel();
        connect(plugin.clone(), from_host, move |exchange, request| {
            let _ = open.send((exchange, request));
        });
        connect(host.clone(), from_plugin, |_, _| panic!("a plugin opens no requests"));
        host.ready().await.unwrap();
        Self { host, plugin, opened }
    }

    /// A request, as both sides have it.
    async fn request(&mut self, end: bool) -> (Halves, Halves) {
        let exchange = self.host.open(request(end)).unwrap();
        let (at_plugin, _) = within(self.opened.recv()).await.unwrap();
        (exchange.split(), at_plugin.split())
    }
}

type Halves = (Sending, Receiving);

/// A transport that takes one message at a time.
fn connect(
    to: Mux,
    mut from: Outgoing,
    opened: impl FnMut(Exchange, Box<RequestFrame>) + Send + 'static,
) {
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(message) = from.next().await {
            if send.send(Ok(message)).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move { to.read(ReceiverStream::new(receive), opened).await });
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Polls once.
fn poll_now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn request(end: bool) -> Box<RequestFrame> {
    let head = Request { method: "GET".to_owned(), ..Request::default() };
    Box::new(RequestFrame { request: Some(head), end, ..RequestFrame::default() })
}

fn response(data: &'static [u8], end: bool) -> ResponseFrame {
    let response = Some(Response { status: 200, headers: Vec::new() });
    ResponseFrame { response, data: Bytes::from_static(data), end, ..ResponseFrame::default() }
}

/// The body's length; the response comes first.
async fn whole(mut receiving: Receiving) -> Result<usize, Failure> {
    let mut length = 0;
    while let Some(part) = within(receiving.part()).await {
        match part? {
            Part::Data(data) => length += data.len(),
            Part::Response(response) => length += response.data.len(),
            Part::Informational(_) | Part::Trailers(_) => {}
        }
    }
    Ok(length)
}

#[tokio::test]
async fn a_request_and_its_response_pass() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((_sending, mut receiving), (mut answer, mut asked)) = pair.request(true).await;
    assert!(within(asked.part()).await.is_none());
    answer.inform(Informational { status: 103, headers: Vec::new() }).unwrap();
    answer.respond(response(b"yes", true)).unwrap();
    let informational = within(receiving.part()).await.unwrap().unwrap();
    assert!(matches!(informational, Part::Informational(it) if it.status == 103));
    let answered = within(receiving.part()).await.unwrap().unwrap();
    assert!(matches!(answered, Part::Response(it) if it.data == "yes"));
    assert!(within(receiving.part()).await.is_none());
    assert_eq!((pair.host.open_requests(), pair.plugin.open_requests()), (0, 0));
}

#[tokio::test]
async fn bodies_larger_than_every_window_pass_both_ways_at_once() {
    const LENGTH: usize = 3 << 20;
    let mut pair = Pair::new(Settings::default()).await;
    let mut echoes = Vec::new();
    for _ in 0..32 {
        let ((mut sending, receiving), (mut answer, mut asked)) = pair.request(false).await;
        tokio::spawn(async move { sending.send(Bytes::from(vec![7; LENGTH]), true).await });
        tokio::spawn(async move {
            answer.respond(response(b"", false)).unwrap();
            while let Some(Ok(Part::Data(data))) = asked.part().await {
                answer.send(data, false).await.unwrap();
            }
            answer.trailers(vec![Header { name: "x".to_owned(), value: Bytes::new() }]).unwrap();
        });
        echoes.push(tokio::spawn(whole(receiving)));
    }
    for echo in echoes {
        assert_eq!(within(echo).await.unwrap(), Ok(LENGTH));
    }
    assert_eq!((pair.host.open_requests(), pair.plugin.open_requests()), (0, 0));
}

#[tokio::test]
async fn what_is_not_read_stops_its_sender_and_nobody_else() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let mut pair = Pair::new(Settings::default()).await;
    let ((mut sending, _receiving), (_answer, _asked)) = pair.request(false).await;
    let stuck = tokio::spawn(async move {
        loop {
            sending.send(Bytes::from_static(&[0; 1024]), false).await.unwrap();
            SENT.fetch_add(1024, Ordering::SeqCst);
        }
    });
    for _ in 0..100 {
        let ((_, receiving), (mut answer, _)) = pair.request(true).await;
        answer.respond(response(b"ok", true)).unwrap();
        assert_eq!(whole(receiving).await, Ok(2));
    }
    assert_eq!(SENT.load(Ordering::SeqCst), 64 << 10);
    stuck.abort();
}

#[tokio::test]
async fn a_host_that_loses_interest_ends_the_request_at_the_plugin() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((sending, receiving), (mut answer, mut asked)) = pair.request(false).await;
    assert!(poll_now(answer.over()).is_pending());
    drop(receiving);
    within(answer.over()).await;
    let failure = within(asked.part()).await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Reset { code: ResetCode::Cancelled, .. }));
    assert_eq!(answer.respond(response(b"", true)), Err(SendError::Over));
    drop(sending);
    assert_eq!((pair.host.open_requests(), pair.plugin.open_requests()), (0, 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_look_complete() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((mut sending, mut receiving), (_answer, mut asked)) = pair.request(false).await;
    sending.send(Bytes::from_static(b"half"), false).await.unwrap();
    drop(sending);
    assert_eq!(within(asked.part()).await, Some(Ok(Part::Data("half".into()))));
    assert!(matches!(within(asked.part()).await, Some(Err(_))));
    assert!(matches!(within(receiving.part()).await, Some(Err(_))));
}

#[tokio::test]
async fn a_plugin_that_drops_its_answer_has_failed() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((_sending, mut receiving), (answer, _asked)) = pair.request(true).await;
    drop(answer);
    let failure = within(receiving.part()).await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Reset { code: ResetCode::Internal, .. }));
    assert!(within(receiving.part()).await.is_none());
}

#[tokio::test]
async fn a_request_left_unread_is_stopped_once_it_is_answered() {
    let mut pair = Pair::new(Settings::default()).await;
    for reads_first in [true, false] {
        let ((mut sending, receiving), (mut answer, asked)) = pair.request(false).await;
        if reads_first {
            drop(asked);
            answer.respond(response(b"no", true)).unwrap();
        } else {
            answer.respond(response(b"no", true)).unwrap();
            drop(asked);
        }
        within(sending.over()).await;
        assert_eq!(whole(receiving).await, Ok(2));
        assert_eq!(sending.send(Bytes::from_static(b"x"), true).await, Err(SendError::Over));
        assert_eq!(pair.host.open_requests(), 0);
    }
}

#[tokio::test]
async fn places_go_to_those_who_wait_in_their_order() {
    let mut pair = Pair::new(Settings { max_concurrent_requests: 1, ..Settings::default() }).await;
    let (mut first, (mut answer, _asked)) = pair.request(true).await;
    let (error, _) = pair.host.open(request(true)).unwrap_err();
    assert_eq!(error, OpenError::Full);
    let (done, mut order) = mpsc::unbounded_channel();
    for number in 0..3 {
        let (host, done) = (pair.host.clone(), done.clone());
        tokio::spawn(async move {
            let exchange = loop {
                host.room().await;
                if let Ok(exchange) = host.open(request(true)) {
                    break exchange;
                }
            };
            done.send(number).unwrap();
            whole(exchange.split().1).await
        });
        tokio::task::yield_now().await;
    }
    answer.respond(response(b"", true)).unwrap();
    while within(first.1.part()).await.is_some() {}
    for number in 0..3 {
        let (exchange, _) = within(pair.opened.recv()).await.unwrap();
        assert_eq!(within(order.recv()).await, Some(number));
        exchange.split().0.respond(response(b"", true)).unwrap();
    }
}

#[tokio::test]
async fn the_end_of_the_transport_fails_what_is_open() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((_sending, mut receiving), (mut answer, _asked)) = pair.request(true).await;
    pair.plugin.end();
    within(answer.over()).await;
    assert_eq!(within(receiving.part()).await, Some(Err(Failure::Lost)));
    assert!(!pair.host.is_usable());
    let (error, _) = pair.host.open(request(true)).unwrap_err();
    assert_eq!(error, OpenError::Ended);
    within(pair.host.room()).await;
    assert_eq!(within(pair.host.ready()).await, Err(OpenError::Ended));
}

#[tokio::test]
async fn a_host_that_goes_away_ends_the_stream_after_its_last_request() {
    let mut pair = Pair::new(Settings::default()).await;
    let ((_sending, receiving), (mut answer, _asked)) = pair.request(true).await;
    pair.host.go_away("done");
    assert!(!pair.host.is_usable());
    answer.respond(response(b"last", true)).unwrap();
    assert_eq!(whole(receiving).await, Ok(4));
    // Only the end of the stream closes the channel of requests.
    assert!(within(pair.opened.recv()).await.is_none());
}

#[tokio::test]
async fn a_malformed_frame_ends_the_stream_with_its_sentence() {
    let (host, _to_nowhere) = Mux::new(Role::Host, Settings::default(), Limits::default());
    let message = Frames { frames: vec![crate::plugin::v1::Frame { id: 7, kind: None }] };
    let inbound = tokio_stream::iter([Ok(message)]);
    let ended = within(host.read(inbound, |_, _| unreachable!())).await;
    assert_eq!(ended.to_string(), "the first frame is not Hello; send Hello first, and at once");
    assert!(matches!(poll_now(host.ready()), Poll::Ready(Err(OpenError::Ended))));
}
