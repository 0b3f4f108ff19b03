//! What only the plain path has: whole messages, which take room.

use std::sync::Arc;

use outboard_proto::plugin::v1::HandleRequest;
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

use crate::client::{Client, get, post, request};
use crate::fixture::{Answer, Setup, ok};

async fn length(request: HandleRequest) -> Answer {
    ok(request.body.len().to_string())
}

#[tokio::test]
async fn a_message_for_the_plugin_has_a_size_that_any_grpc_server_takes() {
    let mut setup = Setup::new(&["POST x"]);
    setup.allowance.bounds.max_body = 4 << 20;
    let fixture = setup.start(length).await;
    let reply = post(fixture.address, "/api/shop/x", &"x".repeat((4 << 20) - 2000)).await;
    assert_eq!(reply.text(), ((4 << 20) - 2000).to_string());
    assert_eq!(post(fixture.address, "/api/shop/x", &"x".repeat(4 << 20)).await.status, 413);
}

#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes) = (begun.clone(), go.clone());
    let mut setup = Setup::new(&["POST x"]);
    setup.body_memory = 1000;
    let fixture = setup
        .start(move |request| {
            begins.add_permits(1);
            let goes = goes.clone();
            async move {
                goes.acquire().await.unwrap().forget();
                length(request).await
            }
        })
        .await;
    let mut first = Client::connect(fixture.address).await;
    let body = "x".repeat(600);
    first.send(request("POST", "/api/shop/x", "content-length: 600\r\n", &body)).await;
    begun.acquire().await.unwrap().forget();
    let reply = post(fixture.address, "/api/shop/x", &body).await;
    assert_eq!((reply.status, reply.error()), (503, "busy".to_owned()));
    go.add_permits(2);
    assert_eq!(first.reply().await.text(), "600");
    assert_eq!(post(fixture.address, "/api/shop/x", &body).await.text(), "600");
}

#[tokio::test]
async fn a_response_counts_until_its_client_has_read_it() {
    // More than the kernel takes for a client that reads nothing and has little room.
    const LARGE: usize = (4 << 20) - 100;
    let mut setup = Setup::new(&["GET x"]);
    setup.body_memory = LARGE + 1000;
    let fixture = setup.start(|_| async { ok(vec![b'x'; LARGE]) }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = Client(socket.connect(fixture.address).await.unwrap());
    slow.send("GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    slow.0.readable().await.unwrap();
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.error()), (503, "busy".to_owned()));
    assert_eq!(slow.reply().await.body.len(), LARGE);
    assert_eq!(get(fixture.address, "/api/shop/x").await.body.len(), LARGE);
}

#[tokio::test]
async fn a_body_may_be_nearly_as_large_as_a_message() {
    let fixture = Setup::new(&["GET x"]).start(|_| async { ok(vec![b'x'; (4 << 20) - 100]) }).await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.body.len()), (200, (4 << 20) - 100));
    let fixture = Setup::new(&["GET x"]).start(|_| async { ok(vec![b'x'; 4 << 20]) }).await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502);
}
