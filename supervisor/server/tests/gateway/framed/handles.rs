//! Handles of requests whose response, or connection, goes on.

use std::sync::Arc;

use bytes::Bytes;
use outboard_core::grant::Group;
use outboard_proto::plugin::v1::RequestFrame;
use outboard_proto::transport::mux::Exchange;
use tokio::sync::Semaphore;

use super::{begin, soon};
use crate::client::Client;
use crate::fixture::{Fixture, Setup, eventually};

const STREAM: &str = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n";
const UPGRADE: &str =
    "GET /api/shop/x HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n";

/// Begins, sends a byte, and the end when it may.
async fn slowly(exchange: Exchange, request: Box<RequestFrame>, end: Arc<Semaphore>) {
    let is_upgrade = !request.request.unwrap().upgrade.is_empty();
    let (mut sending, mut receiving) = exchange.split();
    let head = if is_upgrade { begin(101, &[("upgrade", "echo")]) } else { begin(200, &[]) };
    sending.respond(head).unwrap();
    if sending.send(Bytes::from_static(b"x"), false).await.is_err() {
        return;
    }
    tokio::select! {
        permit = end.acquire() => permit.unwrap().forget(),
        // The client has left the connection, which a request has not.
        _ = receiving.part(), if is_upgrade => {}
    }
    let _ = sending.send(Bytes::from_static(b"end"), true).await;
}

async fn start(end: &Arc<Semaphore>) -> Fixture {
    let mut setup = Setup::framed(&["GET x"]);
    setup.granted = &[Group::Sessions];
    let end = end.clone();
    setup.start_exchange(move |exchange, request| slowly(exchange, request, end.clone())).await
}

/// A client that has got the first byte.
async fn begun(fixture: &Fixture, text: &str) -> Client {
    let mut client = Client::connect(fixture.address).await;
    client.send(text).await;
    match client.head().await.status {
        101 => assert_eq!(client.take(1).await, b"x"),
        _ => assert_eq!(client.chunk().await, b"x"),
    }
    client
}

#[tokio::test]
async fn a_handle_lasts_as_long_as_the_response() {
    for text in [STREAM, UPGRADE] {
        let end = Arc::new(Semaphore::new(0));
        let fixture = start(&end).await;
        let handles = fixture.routes.handles();
        let mut client = begun(&fixture, text).await;
        assert_eq!(handles.len(), 1, "{text}");
        end.add_permits(1);
        if text == UPGRADE {
            drop(client);
        } else {
            soon(client.chunked()).await;
        }
        eventually(|| handles.is_empty()).await;
    }
}

#[tokio::test]
async fn a_handle_ends_with_a_client_that_goes_and_an_activation_that_is_cut_off() {
    for text in [STREAM, UPGRADE] {
        let end = Arc::new(Semaphore::new(0));
        let fixture = start(&end).await;
        let handles = fixture.routes.handles();
        drop(begun(&fixture, text).await);
        eventually(|| handles.is_empty()).await;

        let _client = begun(&fixture, text).await;
        assert_eq!(handles.len(), 1, "{text}");
        fixture.activation.cut_off();
        eventually(|| handles.is_empty()).await;
    }
}
