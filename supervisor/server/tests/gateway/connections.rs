//! Connections that come, go, and stay too long.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use outboard::gateway::{Gateway, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::client::{Client, get};
use crate::fixture::{Answer, Dropped, Fixture, Setup, echo, ok};

const GET: &str = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n";
/// More than it may take to notice that a client has gone, less than any other limit in these tests.
pub(crate) const NOTICED: Duration = Duration::from_secs(3);

/// A plugin that never answers, and tells when a request began and when it was cancelled.
pub(crate) async fn hanging(setup: Setup) -> (Fixture, Arc<Semaphore>, Arc<Semaphore>) {
    let (begun, dropped) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, drops) = (begun.clone(), dropped.clone());
    let fixture = setup
        .start(move |_| {
            begins.add_permits(1);
            let guard = Dropped(drops.clone());
            async move {
                let _guard = guard;
                std::future::pending::<Answer>().await
            }
        })
        .await;
    (fixture, begun, dropped)
}

pub(crate) async fn next(semaphore: &Semaphore) {
    tokio::time::timeout(NOTICED, semaphore.acquire()).await.expect("in time").unwrap().forget();
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET).await;
    next(&begun).await;
    drop(client);
    next(&dropped).await;
}

#[tokio::test]
async fn a_client_that_resets_cancels_its_request() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET).await;
    next(&begun).await;
    socket2::SockRef::from(&client.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    next(&dropped).await;
}

#[tokio::test]
async fn a_request_that_outlives_its_activation_is_cut_off_with_503() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET).await;
    next(&begun).await;
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    assert_eq!(fixture.activation.in_flight(), 1, "it may go on until it is cut off");
    fixture.activation.cut_off();
    tokio::time::timeout(NOTICED, fixture.activation.drained()).await.unwrap();
    next(&dropped).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.error()), (503, "unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_does_not_hold_up_the_end_of_an_activation() {
    let fixture = Fixture::echo(&["POST x"]).await;
    let mut client = Client::connect(fixture.address).await;
    let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n";
    client.send(format!("{head}content-length: 5\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 100);
    client.send("he").await;
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    fixture.activation.cut_off();
    tokio::time::timeout(NOTICED, fixture.activation.drained()).await.unwrap();
    assert_eq!(client.reply().await.status, 503);
    assert!(client.rest().await.is_empty(), "the connection cannot be used again");
}

/// Hyper does not read while a request waits in its buffer, so it cannot see the end behind that one.
#[tokio::test]
async fn a_client_that_leaves_behind_a_pipelined_request_cancels_too() {
    let (fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET.repeat(3)).await;
    next(&begun).await;
    drop(client);
    next(&dropped).await;
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    tokio::time::timeout(NOTICED, fixture.activation.drained()).await.unwrap();
    assert_eq!(begun.available_permits(), 0, "nobody waits for the other two");
}

#[tokio::test]
async fn clients_beyond_the_bound_wait_for_a_place() {
    let mut setup = Setup::new(&["GET x"]);
    setup.settings.max_connections = 1;
    let fixture = setup.start(echo).await;
    let mut first = Client::connect(fixture.address).await;
    first.send(GET).await;
    assert_eq!(first.reply().await.status, 200);
    let mut second = Client::connect(fixture.address).await;
    second.send(GET).await;
    let early = tokio::time::timeout(Duration::from_millis(200), second.0.read_u8()).await;
    assert!(early.is_err(), "the second client was served beside the first");
    drop(first);
    assert_eq!(second.reply().await.status, 200);
}

/// A worker that kept a place for a client which may never come would starve the clients of the others.
#[tokio::test]
async fn the_last_place_is_for_whoever_comes_whichever_worker_it_is_that_accepts() {
    let mut setup = Setup::new(&["GET x"]);
    setup.settings.max_connections = 1;
    setup.settings.workers = NonZeroUsize::new(4).unwrap();
    let fixture = setup.start(echo).await;
    for _ in 0..32 {
        assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind() {
    let fixture = Fixture::echo(&["POST x"]).await;
    for framing in ["content-length: 1000", "transfer-encoding: chunked"] {
        let mut client = Client::connect(fixture.address).await;
        let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n";
        client.send(format!("{head}{framing}\r\n\r\n")).await;
        assert_eq!(client.reply().await.status, 100);
        assert_eq!(fixture.activation.in_flight(), 1);
        client.send("5\r\nhello").await;
        drop(client);
        let left = async {
            while fixture.activation.in_flight() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(NOTICED, left).await.expect("in time");
    }
}

/// Answers that are made at once, too, are for nobody then.
#[tokio::test]
async fn a_client_that_closes_its_side_at_once_harms_nobody() {
    let fixture = Fixture::echo(&["GET x"]).await;
    for _ in 0..50 {
        let mut client = Client::connect(fixture.address).await;
        client.send(GET.repeat(20)).await;
        client.0.shutdown().await.unwrap();
        client.rest().await;
    }
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_nobody_waits_for_any_longer_is_gone() {
    let (mut fixture, begun, dropped) = hanging(Setup::new(&["GET x"])).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET).await;
    next(&begun).await;
    fixture.abandon();
    next(&dropped).await;
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn shutting_down_lets_requests_end_and_takes_no_more() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes) = (begun.clone(), go.clone());
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
    let address = fixture.address;
    let mut idle = Client::connect(address).await;
    let mut busy = Client::connect(address).await;
    busy.send(GET).await;
    next(&begun).await;
    let served = fixture.close();
    assert!(idle.rest().await.is_empty(), "an idle connection is closed at once");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
    go.add_permits(1);
    let reply = busy.reply().await;
    assert_eq!((reply.text(), reply.header("connection")), ("done".to_owned(), Some("close")));
    assert_eq!(served.await.unwrap(), 0);
}

#[tokio::test]
async fn shutting_down_is_bounded_and_counts_what_it_cuts_off() {
    let mut setup = Setup::new(&["GET x"]);
    setup.drain = Duration::from_millis(100);
    let (mut fixture, begun, dropped) = hanging(setup).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(GET).await;
    next(&begun).await;
    assert_eq!(fixture.close().await.unwrap(), 1);
    assert!(client.rest().await.is_empty());
    next(&dropped).await;
}

#[tokio::test]
async fn an_address_that_cannot_be_taken_says_what_to_do() {
    let settings = |listen: &str| Settings {
        listen: listen.parse().unwrap(),
        prefix: "api".into(),
        cookie: "GLEWLWYD2_SESSION_ID".into(),
        max_header_bytes: 64 << 10,
        max_headers: 100,
        max_connections: 10,
        workers: NonZeroUsize::new(3).unwrap(),
        tls: None,
    };
    let taken = Gateway::bind(settings("127.0.0.1:0")).unwrap();
    let address = taken.address().unwrap();
    let error = Gateway::bind(settings(&address.to_string())).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("gateway.listen \"{address}\": the address is in use; stop")),
        "{error}"
    );
    let error = Gateway::bind(settings("192.0.2.1:0")).unwrap_err().to_string();
    assert!(error.contains("no interface of this machine has the address"), "{error}");
    drop(taken);
    Gateway::bind(settings(&address.to_string())).unwrap();
}

#[tokio::test]
async fn many_clients_are_served_beside_each_other() {
    let fixture = Fixture::echo(&["GET x"]).await;
    let address = fixture.address;
    let clients: Vec<_> = (0..50)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert_eq!(get(address, "/api/shop/x").await.status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(fixture.activation.in_flight(), 0);
}
