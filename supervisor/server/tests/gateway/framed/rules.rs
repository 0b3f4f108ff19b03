//! Plugins that break the rules of the stream: it costs them the request or the stream, and nobody else anything.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use outboard_proto::plugin::v1::frame::Kind;
use outboard_proto::plugin::v1::{
    Credit, Data, Frame, Frames, GoAway, Hello, Informational, RequestFrame, Reset, ResetCode,
    Trailers,
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::{begin, soon, whole};
use crate::client::{Client, Reply, get, post, request, try_raw};
use crate::fixture::{Fixture, Setup, eventually};

const HELLO: Hello =
    Hello { version: 1, max_data_bytes: 0, initial_credit_bytes: 0, max_concurrent_requests: 0 };

fn frame(id: u64, kind: Kind) -> Frame {
    Frame { id, kind: Some(kind) }
}

fn data(length: usize, end: bool) -> Kind {
    Kind::Data(Data { data: Bytes::from(vec![b'x'; length]), end })
}

fn reset(code: impl Into<i32>) -> Kind {
    Kind::Reset(Reset { code: code.into(), message: "a secret of the plugin".to_owned() })
}

fn informational(status: u32) -> Kind {
    Kind::Informational(Informational { status, headers: Vec::new() })
}

/// A plugin that answers each request to `bad` with what `script` makes of its id, all in one message, and each
/// to `good` as it should. One worker asks it, so that its streams can be counted.
async fn scripted(script: impl Fn(u64) -> Vec<Frame> + Send + Sync + 'static) -> Fixture {
    let script = Arc::new(script);
    let mut setup = Setup::framed(&["* bad", "* good"]);
    setup.settings.workers = NonZeroUsize::MIN;
    setup
        .start_raw(move |arriving, leaving| {
            let script = script.clone();
            run(arriving, leaving, move |id, request| {
                let is_bad = request.matches[0].endpoint_id == 1;
                if is_bad {
                    script(id)
                } else {
                    vec![frame(id, Kind::Response(whole(200, &[], "ok").into()))]
                }
            })
        })
        .await
}

async fn run(
    mut arriving: Streaming<Frames>,
    leaving: mpsc::UnboundedSender<Frames>,
    script: impl Fn(u64, RequestFrame) -> Vec<Frame>,
) {
    let _ = leaving.send(Frames { frames: vec![frame(0, Kind::Hello(HELLO))] });
    while let Some(Ok(message)) = arriving.next().await {
        for Frame { id, kind } in message.frames {
            if let Some(Kind::Request(request)) = kind {
                let frames = script(id, *request);
                if leaving.send(Frames { frames }).is_err() {
                    return;
                }
            }
        }
    }
}

async fn bad(fixture: &Fixture) -> Option<Reply> {
    try_raw(fixture.address, request("GET", "/api/shop/bad", "", "")).await
}

async fn good(fixture: &Fixture) {
    let reply = get(fixture.address, "/api/shop/good").await;
    assert_eq!((reply.status, reply.text()), (200, "ok".to_owned()));
}

/// The status of what a script comes to, beside others that must be served on the same streams.
async fn check(script: impl Fn(u64) -> Vec<Frame> + Send + Sync + 'static, status: u16) {
    let fixture = scripted(script).await;
    for _ in 0..8 {
        let reply = bad(&fixture).await.expect("a response");
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(!reply.text().contains("secret"));
        good(&fixture).await;
    }
    assert_eq!(fixture.dials.available_permits(), 1, "the stream goes on");
    fixture.quiet().await;
}

#[tokio::test]
async fn a_frame_that_is_illegal_in_its_state_costs_its_request() {
    let response = |id, end| {
        let mut response = begin(200, &[]);
        response.end = end;
        frame(id, Kind::Response(response.into()))
    };
    check(|id| vec![frame(id, data(1, false))], 502).await;
    check(|id| vec![frame(id, Kind::Trailers(Trailers::default()))], 502).await;
    check(move |id| vec![response(id, false), response(id, true)], 502).await;
    check(move |id| vec![response(id, false), frame(id, informational(100))], 502).await;
    check(|id| vec![frame(id, informational(200))], 502).await;
    check(|id| vec![frame(id, informational(101))], 502).await;
    check(|id| (0..101).map(|_| frame(id, informational(100))).collect(), 502).await;
    check(|id| vec![frame(id, Kind::Credit(Credit { bytes: u32::MAX }))], 502).await;
    check(|id| vec![frame(id, Kind::Request(Box::default()))], 502).await;
}

#[tokio::test]
async fn frames_of_a_request_that_is_over_are_nothing() {
    check(
        |id| {
            let late =
                [data(1, true), informational(103), Kind::Response(whole(500, &[], "late").into())];
            let response = frame(id, Kind::Response(whole(200, &[], "ok").into()));
            std::iter::once(response)
                .chain(late.into_iter().map(|kind| frame(id, kind)))
                .chain(std::iter::once(frame(id, reset(ResetCode::Internal))))
                .collect()
        },
        200,
    )
    .await;
}

#[tokio::test]
async fn frames_of_a_later_version_are_skipped() {
    check(
        |id| {
            let unknown = Frame { id: 77, kind: None };
            vec![unknown, frame(id, Kind::Response(whole(200, &[], "ok").into()))]
        },
        200,
    )
    .await;
}

#[tokio::test]
async fn a_reset_is_told_by_its_code() {
    for code in [
        ResetCode::Unspecified,
        ResetCode::Cancelled,
        ResetCode::Internal,
        ResetCode::Credit,
        ResetCode::Protocol,
    ] {
        check(move |id| vec![frame(id, reset(code))], 502).await;
    }
    check(|id| vec![frame(id, reset(99))], 502).await;
    check(|id| vec![frame(id, reset(ResetCode::Deadline))], 504).await;
    // Refused too late: it was begun.
    check(|id| vec![frame(id, informational(100)), frame(id, reset(ResetCode::Refused))], 502)
        .await;
}

#[tokio::test]
async fn what_breaks_off_after_the_head_never_looks_whole() {
    let check = async |rest: fn(u64) -> Vec<Frame>| {
        let fixture = scripted(move |id| {
            let mut response = begin(200, &[]);
            response.data = "some".into();
            let mut frames = vec![frame(id, Kind::Response(response.into()))];
            frames.extend(rest(id));
            frames
        })
        .await;
        for _ in 0..4 {
            let reply = bad(&fixture).await;
            assert!(reply.is_none_or(|reply| !reply.body.ends_with(b"0\r\n\r\n")));
            good(&fixture).await;
        }
        assert_eq!(fixture.dials.available_permits(), 1, "the stream goes on");
        fixture.quiet().await;
    };
    check(|id| vec![frame(id, reset(ResetCode::Internal))]).await;
    // Beyond the credit.
    check(|id| vec![frame(id, data(65_536, false)), frame(id, data(1, true))]).await;
    check(|id| vec![frame(id, Kind::Response(whole(200, &[], "another").into()))]).await;
}

/// Each of these ends the stream, with all that is on it, and the next request finds another one.
#[tokio::test]
async fn what_can_not_be_understood_costs_its_stream() {
    type Malformed = fn(u64) -> Vec<Frame>;
    let all: [Malformed; 8] = [
        |id| vec![frame(id + 1, data(1, true))],
        |id| vec![frame(id + 1000, Kind::Response(whole(200, &[], "for somebody else").into()))],
        |_| vec![frame(0, Kind::Hello(HELLO))],
        |id| vec![frame(id, Kind::Hello(HELLO))],
        |id| vec![frame(id, Kind::GoAway(GoAway::default()))],
        |_| vec![frame(0, data(1, true))],
        |id| vec![frame(id + 1, Kind::Request(Box::default()))],
        |id| vec![frame(id, Kind::Response(begin(200, &[]).into())), frame(id, data(65_537, true))],
    ];
    for (number, malformed) in all.into_iter().enumerate() {
        let fixture = scripted(malformed).await;
        for _ in 0..3 {
            good(&fixture).await;
            let dials = fixture.dials.available_permits();
            let reply = bad(&fixture).await.expect("a response");
            assert_eq!(reply.status, 502, "{number}");
            good(&fixture).await;
            let more = fixture.dials.available_permits() - dials;
            assert_eq!(more, 1, "{number}: further streams");
        }
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn a_message_of_any_size_is_not_taken() {
    let fixture = scripted(|id| {
        vec![frame(id, Kind::Response(begin(200, &[]).into())), frame(id, data(5 << 20, true))]
    })
    .await;
    assert_eq!(bad(&fixture).await.expect("a response").status, 502);
    good(&fixture).await;
    fixture.quiet().await;
}

#[tokio::test]
async fn a_stream_that_ends_fails_its_requests_and_no_others() {
    let (begin_hold, mut holds) = mpsc::unbounded_channel();
    let fixture = Setup::framed(&["GET hold", "GET end", "GET good"])
        .start_raw(move |mut arriving, leaving| {
            let begin_hold = begin_hold.clone();
            async move {
                let _ = leaving.send(Frames { frames: vec![frame(0, Kind::Hello(HELLO))] });
                while let Some(Ok(message)) = arriving.next().await {
                    for Frame { id, kind } in message.frames {
                        let Some(Kind::Request(request)) = kind else { continue };
                        match request.matches[0].endpoint_id {
                            1 => begin_hold.send(()).unwrap(),
                            2 => return,
                            _ => {
                                let response = Kind::Response(whole(200, &[], "ok").into());
                                let frames = vec![frame(id, response)];
                                leaving.send(Frames { frames }).unwrap();
                            }
                        }
                    }
                }
            }
        })
        .await;
    // On one connection each, so that both workers have requests that are open.
    let address = fixture.address;
    let held: Vec<_> = (0..8)
        .map(|_| tokio::spawn(async move { get(address, "/api/shop/hold").await.status }))
        .collect();
    for _ in 0..8 {
        soon(holds.recv()).await.unwrap();
    }
    while fixture.activation.in_flight() > 0 {
        assert_eq!(get(address, "/api/shop/end").await.status, 502);
        good(&fixture).await;
    }
    for held in held {
        assert_eq!(soon(held).await.unwrap(), 502);
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_never_says_hello_is_502_in_time_and_asked_again() {
    let mut setup = Setup::framed(&["GET good"]);
    setup.hello_limit = Duration::from_millis(300);
    let says_hello = Arc::new(AtomicUsize::new(0));
    let says = says_hello.clone();
    let fixture = setup
        .start_raw(move |arriving, leaving| {
            let says_hello = says.load(Ordering::SeqCst) == 1;
            async move {
                if !says_hello {
                    return std::future::pending().await;
                }
                let answer = |id, _| vec![frame(id, Kind::Response(whole(200, &[], "ok").into()))];
                run(arriving, leaving, answer).await;
            }
        })
        .await;
    let started = Instant::now();
    let address = fixture.address;
    let all: Vec<_> = (0..20)
        .map(|_| tokio::spawn(async move { get(address, "/api/shop/good").await.status }))
        .collect();
    for status in all {
        assert_eq!(soon(status).await.unwrap(), 502);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let dials = fixture.dials.available_permits();
    assert!(dials <= 4, "who waits for a stream shares it, and its failure: {dials}");
    says_hello.store(1, Ordering::SeqCst);
    good(&fixture).await;
    fixture.quiet().await;
}

#[tokio::test]
async fn a_first_frame_that_is_not_hello_or_none_that_can_be_obeyed_is_502() {
    let firsts = [
        Kind::Response(whole(200, &[], "").into()),
        Kind::Hello(Hello { version: 0, ..HELLO }),
        Kind::Hello(Hello { max_data_bytes: 1, ..HELLO }),
        Kind::Hello(Hello { initial_credit_bytes: 1, ..HELLO }),
    ];
    for first in firsts {
        let fixture = Setup::framed(&["GET good"])
            .start_raw(move |arriving, leaving| {
                let first = first.clone();
                async move {
                    let _ = leaving.send(Frames { frames: vec![frame(0, first)] });
                    let _arriving = arriving;
                    std::future::pending::<()>().await;
                }
            })
            .await;
        let started = Instant::now();
        assert_eq!(get(fixture.address, "/api/shop/good").await.status, 502);
        assert!(started.elapsed() < Duration::from_secs(2), "it is not waited for");
        fixture.quiet().await;
    }
}

#[tokio::test]
async fn a_plugin_without_the_service_it_said_it_has_is_502() {
    let fixture = Setup::framed(&["GET x"]).start_plain_only().await;
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 502);
    fixture.quiet().await;
}

#[tokio::test]
async fn a_plugin_that_goes_away_each_time_is_given_up() {
    let fixture = Setup::framed(&["GET good"])
        .start_raw(|arriving, leaving| async move {
            let go_away = Kind::GoAway(GoAway { last_id: 0, message: "no".to_owned() });
            let frames = vec![frame(0, Kind::Hello(HELLO)), frame(0, go_away)];
            let _ = leaving.send(Frames { frames });
            let _arriving = arriving;
            std::future::pending::<()>().await;
        })
        .await;
    assert_eq!(get(fixture.address, "/api/shop/good").await.status, 502);
    let dials = fixture.dials.available_permits();
    assert!(dials <= 3, "{dials} streams for one request");
    fixture.quiet().await;
}

#[tokio::test]
async fn streams_that_go_away_under_load_cost_no_request() {
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = answered.clone();
    let fixture = Setup::framed(&["POST x"])
        .start_exchange(move |exchange, request| {
            let answered = counted.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                tokio::task::yield_now().await;
                let mut answer = whole(200, &[], "");
                answer.data = request.data;
                sending.respond(answer).unwrap();
                answered.fetch_add(1, Ordering::SeqCst);
            }
        })
        .await;
    let address = fixture.address;
    let clients: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                for number in 0..100 {
                    let body = format!("{number:04}");
                    client.send(format!("POST /api/shop/x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n{body}")).await;
                    let reply = client.reply().await;
                    assert_eq!((reply.status, reply.text()), (200, body));
                }
            })
        })
        .collect();
    for number in 1..15 {
        eventually(|| answered.load(Ordering::SeqCst) >= number * 100).await;
        for stream in fixture.streams.all() {
            stream.go_away("somewhere else");
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    assert!(fixture.dials.available_permits() > 14, "there were further streams");
    fixture.quiet().await;
    // Those that went away are closed, so nothing is left of them.
    eventually(|| fixture.streams.live() <= 2).await;
}

/// Refuses the first `refusals` requests, then answers with how many bytes came in the first frame.
async fn refusing(refusals: usize) -> Fixture {
    let left = Arc::new(AtomicUsize::new(refusals));
    Setup::framed(&["* x"])
        .start_raw(move |arriving, leaving| {
            let left = left.clone();
            run(arriving, leaving, move |id, request| {
                let refuse = |left: usize| left.checked_sub(1);
                if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_ok() {
                    return vec![frame(id, reset(ResetCode::Refused))];
                }
                let mut answer = whole(200, &[], "");
                answer.data = request.data;
                vec![frame(id, Kind::Response(answer.into()))]
            })
        })
        .await
}

#[tokio::test]
async fn a_request_that_was_not_begun_is_sent_again_as_long_as_it_is_whole() {
    for refusals in [0, 1, 2] {
        let fixture = refusing(refusals).await;
        let reply = post(fixture.address, "/api/shop/x", "once").await;
        assert_eq!((reply.status, reply.text()), (200, "once".to_owned()), "{refusals}");
        fixture.quiet().await;
    }
    let fixture = refusing(1000).await;
    let reply = post(fixture.address, "/api/shop/x", "never").await;
    assert_eq!((reply.status, reply.error()), (503, "busy".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    let reply = post(fixture.address, "/api/shop/x", &"x".repeat(100_000)).await;
    assert_eq!(reply.status, 503, "whose body has begun to be sent");
    fixture.quiet().await;
}

#[tokio::test]
async fn requests_beyond_what_a_plugin_takes_wait_for_their_turn() {
    let inside = Arc::new(AtomicUsize::new(0));
    let mut setup = Setup::framed(&["GET x"]);
    setup.hello.max_concurrent_requests = 2;
    let counted = inside.clone();
    let fixture = setup
        .start_exchange(move |exchange, _| {
            let inside = counted.clone();
            async move {
                let (mut sending, _receiving) = exchange.split();
                let count = inside.fetch_add(1, Ordering::SeqCst);
                assert!(count < 4, "two on each stream");
                tokio::time::sleep(Duration::from_millis(2)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                sending.respond(whole(200, &[], "ok")).unwrap();
            }
        })
        .await;
    let all = (0..100).map(|_| get(fixture.address, "/api/shop/x"));
    for reply in soon(futures_util::future::join_all(all)).await {
        assert_eq!(reply.status, 200);
    }
    fixture.quiet().await;
}

#[tokio::test]
async fn a_turn_that_does_not_come_in_time_is_503() {
    let mut setup = Setup::framed(&["GET x"]);
    setup.settings.workers = std::num::NonZeroUsize::new(1).unwrap();
    setup.hello.max_concurrent_requests = 1;
    setup.allowance.queue_timeout = Duration::from_millis(100);
    let fixture = setup
        .start_exchange(|exchange, _| async move {
            let (mut sending, _receiving) = exchange.split();
            sending.over().await;
        })
        .await;
    let mut first = Client::connect(fixture.address).await;
    first.send("GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually(|| fixture.activation.backend().open_requests() == 1).await;
    let reply = get(fixture.address, "/api/shop/x").await;
    assert_eq!((reply.status, reply.error()), (503, "busy".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    drop(first);
    fixture.quiet().await;
}
