//! A notifier that breaks the rules of the wire.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use outboard_proto::plugin::v1::{NotifyOutcome, OnNotifyResponse};
use outboard_store::outbox::State;
use prost::Message as _;
use tokio::net::UnixListener;

use crate::fixture::{Place, event, settings};

/// Answers each call on each connection with these bytes as its body.
async fn serve(listener: UnixListener, body: Bytes) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let body = body.clone();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((mut request, mut respond))) = connection.accept().await {
                let body = body.clone();
                tokio::spawn(async move {
                    while let Some(Ok(data)) = request.body_mut().data().await {
                        let _ = request.body_mut().flow_control().release_capacity(data.len());
                    }
                    let head = Response::builder().header("content-type", "application/grpc");
                    let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    stream.send_data(body, false).unwrap();
                    let status = HeaderValue::from_static("0");
                    let trailers = [(http::HeaderName::from_static("grpc-status"), status)];
                    stream.send_trailers(HeaderMap::from_iter(trailers)).unwrap();
                });
            }
        });
    }
}

fn framed(messages: &[OnNotifyResponse]) -> Bytes {
    let mut body = BytesMut::new();
    for message in messages {
        body.put_u8(0);
        body.put_u32(message.encoded_len().try_into().unwrap());
        message.encode(&mut body).unwrap();
    }
    body.freeze()
}

#[tokio::test]
async fn one_that_answers_twice_is_taken_at_its_first_word() {
    let place = Place::new();
    let socket = place.path("n");
    let rejected =
        OnNotifyResponse { outcome: NotifyOutcome::Rejected.into(), ..Default::default() };
    let body = framed(&[OnNotifyResponse::default(), rejected]);
    let serving = tokio::spawn(serve(UnixListener::bind(&socket).unwrap(), body));
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", Some("k")), event("2", Some("k"))]).await;
    for id in ["1", "2"] {
        let delivery = running.delivery(id, "chat", |it| it.state == State::Delivered).await;
        assert_eq!(delivery.attempts, 1);
    }
    assert_eq!(running.events.numbers().notifiers()["chat"].delivered, 2);
    running.close().await;
    serving.abort();
}

#[tokio::test]
async fn one_that_answers_with_rubbish_has_not_got_it() {
    let error = error_after(b"\x00\x00\x00\x00\x02\xff\xff").await;
    assert!(error.contains("1 attempt"), "{error}");
}

#[tokio::test]
async fn one_that_announces_a_huge_answer_has_not_got_it_and_takes_no_memory() {
    let error = error_after(b"\x00\x7f\xff\xff\xff").await;
    assert!(error.contains("OutOfRange"), "{error}");
}

/// Why the only attempt failed, of one that answers so.
async fn error_after(answer: &'static [u8]) -> String {
    let place = Place::new();
    let socket = place.path("n");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = tokio::spawn(serve(listener, Bytes::from_static(answer)));
    let mut settings = settings();
    settings.attempts = 1;
    let running = place.open(settings, &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    let dead = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    running.close().await;
    serving.abort();
    dead.error.unwrap()
}
