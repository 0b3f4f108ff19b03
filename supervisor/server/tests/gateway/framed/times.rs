//! Time that runs out: for all of a request, for the beginning of its response, for what stands still.

use std::time::{Duration, Instant};

use bytes::Bytes;
use outboard_proto::frame::Failure;
use outboard_proto::plugin::v1::ResetCode;
use outboard_proto::transport::mux::{Part, Receiving};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::{begin, soon, whole};
use crate::client::{Client, get};
use crate::fixture::{Fixture, Setup};

/// What the limit under test is set to.
const SHORT: Duration = Duration::from_millis(300);
/// The latest at which it is noticed, on a machine that has other things to do.
const LATEST: Duration = Duration::from_secs(5);

/// What a plugin does with a request.
#[derive(Clone, Copy)]
enum Does {
    /// Reads all of it, and answers nothing.
    Reads,
    /// Nothing at all.
    Nothing,
    /// Begins a response and leaves it at that.
    Begins,
    /// Sends a byte every so often, for ever.
    Trickles,
    /// Sends without end, as fast as it goes.
    Floods,
    /// Answers when it has read all.
    Counts,
}

/// Tells with which code its requests were reset, as far as it sees.
async fn plugin(
    mut setup: Setup,
    does: Does,
    told: mpsc::UnboundedSender<Option<ResetCode>>,
) -> Fixture {
    setup.allowance.bounds.max_body = 1 << 40;
    setup
        .start_exchange(move |exchange, _| {
            let told = told.clone();
            async move {
                let (mut sending, mut receiving) = exchange.split();
                let mut code = None;
                match does {
                    Does::Reads => {
                        code = read(&mut receiving).await;
                        sending.over().await;
                    }
                    Does::Nothing => sending.over().await,
                    Does::Begins => {
                        sending.respond(begin(200, &[])).unwrap();
                        sending.over().await;
                    }
                    Does::Trickles => {
                        sending.respond(begin(200, &[])).unwrap();
                        while sending.send(Bytes::from_static(b"x"), false).await.is_ok() {
                            tokio::time::sleep(SHORT / 10).await;
                        }
                    }
                    Does::Floods => {
                        sending.respond(begin(200, &[])).unwrap();
                        let piece = Bytes::from(vec![b'x'; 60_000]);
                        while sending.send(piece.clone(), false).await.is_ok() {}
                    }
                    Does::Counts => {
                        code = read(&mut receiving).await;
                        let _ = sending.respond(whole(200, &[], "counted"));
                    }
                }
                let _ = told.send(code);
            }
        })
        .await
}

async fn read(receiving: &mut Receiving) -> Option<ResetCode> {
    loop {
        match receiving.part().await? {
            Ok(Part::Data(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(Failure::Reset { code, .. }) => return Some(code),
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

fn setup() -> Setup {
    Setup::framed(&["* x"])
}

fn took(started: Instant) {
    let taken = started.elapsed();
    assert!((SHORT..LATEST).contains(&taken), "{taken:?}");
}

const POST: &str = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999\r\n\r\n";

#[tokio::test]
async fn a_response_that_does_not_begin_in_time_is_504() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut setup = setup();
    setup.endpoints[0].first_byte_timeout_ms = 300;
    let fixture = plugin(setup, Does::Reads, told).await;
    let started = Instant::now();
    let reply = get(fixture.address, "/api/shop/x").await;
    took(started);
    assert_eq!((reply.status, reply.error()), (504, "timeout".to_owned()));
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
}

#[tokio::test]
async fn the_time_for_a_response_begins_when_the_request_is_complete() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut setup = setup();
    setup.allowance.bounds.first_byte = SHORT;
    let fixture = plugin(setup, Does::Counts, told).await;
    let mut client = Client::connect(fixture.address).await;
    client.send("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\n").await;
    let started = Instant::now();
    while started.elapsed() < SHORT * 2 {
        client.send([b'x'; 100]).await;
        tokio::time::sleep(SHORT / 10).await;
    }
    client.send(vec![b'x'; 10_000]).await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(soon(is_told.recv()).await, Some(None));
}

#[tokio::test]
async fn a_request_has_a_time_for_all_of_it() {
    // While the client's body is still to come, though it moves.
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut limited = setup();
    limited.endpoints[0].timeout_ms = 300;
    let fixture = plugin(limited, Does::Reads, told.clone()).await;
    let started = Instant::now();
    let (mut reader, mut writer) = Client::connect(fixture.address).await.split();
    let trickle = async {
        writer.send(POST).await;
        loop {
            writer.send("x").await;
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let reply = tokio::select! {
        reply = reader.reply() => reply,
        () = trickle => unreachable!("it sends for ever"),
    };
    took(started);
    assert_eq!((reply.status, reply.error()), (408, "request timeout".to_owned()));
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(soon(is_told.recv()).await, Some(Some(ResetCode::Deadline)));
    fixture.quiet().await;

    // Before the response.
    let mut limited = setup();
    limited.endpoints[0].timeout_ms = 300;
    let fixture = plugin(limited, Does::Nothing, told.clone()).await;
    let started = Instant::now();
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 504);
    took(started);
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;

    // During it, though it moves.
    let mut limited = setup();
    limited.allowance.bounds.total = SHORT;
    let fixture = plugin(limited, Does::Trickles, told).await;
    let started = Instant::now();
    let mut client = Client::connect(fixture.address).await;
    client.send(super::GET).await;
    assert_eq!(client.head().await.status, 200);
    let rest = client.rest().await;
    took(started);
    assert!(!rest.is_empty() && !rest.ends_with(b"0\r\n\r\n"), "it breaks off: {rest:?}");
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408() {
    for text in [POST, "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nx"] {
        let (told, mut is_told) = mpsc::unbounded_channel();
        let mut setup = setup();
        setup.endpoints[0].idle_timeout_ms = 300;
        let fixture = plugin(setup, Does::Reads, told).await;
        let mut client = Client::connect(fixture.address).await;
        client.send(text).await;
        let started = Instant::now();
        let reply = client.reply().await;
        took(started);
        assert_eq!((reply.status, reply.error()), (408, "request timeout".to_owned()));
        assert!(client.rest().await.is_empty(), "the connection cannot be used again");
        if text == POST {
            soon(is_told.recv()).await.expect("the plugin is told");
        }
        fixture.quiet().await;
    }
}

/// It is not the client's fault then.
#[tokio::test]
async fn a_plugin_that_stops_reading_is_504() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut setup = setup();
    setup.allowance.bounds.idle = SHORT;
    let fixture = plugin(setup, Does::Nothing, told).await;
    let started = Instant::now();
    let (mut reader, mut writer) = Client::connect(fixture.address).await.split();
    let flood = async {
        writer.send(POST).await;
        writer.send(vec![b'x'; 9_999_999]).await;
        std::future::pending::<()>().await;
    };
    let reply = tokio::select! {
        reply = reader.reply() => reply,
        () = flood => unreachable!("it waits for ever"),
    };
    took(started);
    assert_eq!((reply.status, reply.error()), (504, "timeout".to_owned()));
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_response_that_stands_still_breaks_off_and_one_that_moves_does_not() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let limited = || {
        let mut setup = setup();
        setup.allowance.bounds.idle = SHORT;
        setup
    };
    let fixture = plugin(limited(), Does::Begins, told.clone()).await;
    let started = Instant::now();
    let mut client = Client::connect(fixture.address).await;
    client.send(super::GET).await;
    assert_eq!(client.head().await.status, 200);
    assert!(client.rest().await.is_empty(), "no last chunk");
    took(started);
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;

    let fixture = plugin(limited(), Does::Trickles, told).await;
    let mut client = Client::connect(fixture.address).await;
    client.send(super::GET).await;
    client.head().await;
    let started = Instant::now();
    while started.elapsed() < SHORT * 4 {
        assert_eq!(client.chunk().await, b"x");
    }
    drop(client);
    fixture.quiet().await;
}

/// Hyper asks for nothing while a client takes nothing, so it is not there that the time is kept.
#[tokio::test]
async fn a_client_that_takes_nothing_does_not_hold_the_plugin() {
    let (told, mut is_told) = mpsc::unbounded_channel();
    let mut setup = setup();
    setup.allowance.bounds.idle = SHORT;
    let fixture = plugin(setup, Does::Floods, told).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = Client(socket.connect(fixture.address).await.unwrap());
    client.send(super::GET).await;
    client.head().await;
    soon(is_told.recv()).await.expect("the plugin is told");
    fixture.quiet().await;
    let rest = client.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it breaks off");
}

#[tokio::test]
async fn a_plugin_that_thinks_is_not_one_that_stands_still() {
    let mut setup = setup();
    setup.allowance.bounds.idle = SHORT / 3;
    let fixture = setup
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            tokio::time::sleep(SHORT).await;
            sending.respond(whole(200, &[], "thought")).unwrap();
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.text(), "thought");
    fixture.quiet().await;
}
