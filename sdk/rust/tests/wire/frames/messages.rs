//! Heads, chains, and what else is not about bodies.

use outboard_proto::plugin::v1::{HandleRequest, ResetCode, Response as HttpResponse};

use super::*;

#[tokio::test]
async fn hello_comes_at_once_and_a_small_request_is_one_frame_each_way() {
    let fixture = Fixture::start("streams").await;
    let mut host = ByHand::start(&fixture).await;
    let Some((0, Kind::Hello(hello))) = host.next().await.unwrap() else { panic!("no Hello") };
    assert_eq!((hello.version, hello.max_concurrent_requests), (1, 1024));
    host.greet();
    host.send([(1, Kind::Request(request(&fixture, "hello")))]);
    let Some((1, Kind::Response(answer))) = host.next().await.unwrap() else { panic!("no answer") };
    assert_eq!((answer.data.as_ref(), answer.end), (&b"hello"[..], true));
    assert_eq!(answer.response.unwrap().status, 200);
}

#[tokio::test]
async fn many_requests_of_one_message_are_answered() {
    let fixture = Fixture::start("streams").await;
    let mut host = ByHand::start(&fixture).await;
    host.greet();
    host.next().await.unwrap();
    host.send((1..=500).map(|id| (id, Kind::Request(request(&fixture, "hello")))));
    for expected in 1..=500 {
        let answer = host.next().await.unwrap().unwrap();
        assert!(matches!(answer, (id, Kind::Response(_)) if id == expected), "{answer:?}");
    }
}

#[tokio::test]
async fn more_requests_than_the_plugin_takes_are_refused_and_the_others_served() {
    let start = Start::example("streams").var("STREAMS_REQUESTS", "2");
    let fixture = Fixture::of(start).await;
    let mut host = ByHand::start(&fixture).await;
    host.greet();
    let hello = host.next().await.unwrap();
    assert!(matches!(hello, Some((0, Kind::Hello(it))) if it.max_concurrent_requests == 2));
    host.send([1, 2, 3].map(|id| (id, Kind::Request(request(&fixture, "rest")))));
    let Some((3, Kind::Reset(reset))) = host.next().await.unwrap() else { panic!("not refused") };
    assert_eq!(reset.code(), ResetCode::Refused);
    for _ in 0..2 {
        assert!(matches!(host.next().await.unwrap(), Some((1 | 2, Kind::Response(_)))));
    }
}

#[tokio::test]
async fn what_can_not_be_understood_ends_the_call_with_a_sentence() {
    let fixture = Fixture::start("streams").await;
    let mut host = ByHand::start(&fixture).await;
    host.next().await.unwrap();
    host.send([(1, Kind::Request(request(&fixture, "hello")))]);
    let status = host.next().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(status.message(), "the first frame is not Hello; send Hello first, and at once");
}

#[tokio::test]
async fn a_panic_fails_its_request_only_at_once_or_later() {
    let host = Host::start().await;
    for path in ["panic", "late-panic"] {
        let reply = host.ask(host.get(path)).await;
        assert_eq!(reply.outcome, Some(Outcome::Fail), "{path}");
        assert_eq!((reply.response, reply.failure), (None, None), "{path}");
    }
    assert_eq!(host.ask(host.get("hello")).await.text(), "hello");
}

#[tokio::test]
async fn what_this_process_does_not_have_is_a_reset_that_names_it() {
    let host = Host::start().await;
    let mut other = host.get("hello");
    other.activation = "a-2".to_owned();
    let mut gone = host.get("hello");
    gone.matches[0].endpoint_id = 77;
    for (frame, name) in [(other, "a-2"), (gone, "77")] {
        let failure = host.ask(frame).await.failure;
        let Some(Failure::Reset { code: ResetCode::Internal, message }) = failure else {
            panic!("{failure:?}")
        };
        assert!(message.contains(name), "{message}");
    }
    assert_eq!(host.ask(host.get("hello")).await.text(), "hello");
}

#[tokio::test]
async fn hints_come_before_the_response_and_101_never_does() {
    let host = Host::start().await;
    let reply = host.ask(host.get("hints")).await;
    assert_eq!(reply.text(), "hinted");
    let [hint] = &reply.informational[..] else { panic!("{reply:?}") };
    assert_eq!((hint.status, hint.headers[0].name.as_str()), (103, "link"));
}

#[tokio::test]
async fn a_handler_knows_how_much_time_it_has() {
    let host = Host::start().await;
    assert_eq!(host.ask(host.get("deadline")).await.text(), "none");
    let mut frame = host.get("deadline");
    frame.timeout_ms = 90_500;
    let left: u64 = host.ask(frame).await.text().parse().unwrap();
    assert!((80..=90).contains(&left), "{left}");
}

/// What a client sees of a chain.
#[derive(Debug, PartialEq)]
struct Seen {
    outcome: Outcome,
    response: Option<HttpResponse>,
    body: Vec<u8>,
}

/// The steps as a host without the framed path runs them. `None`: it answers 502.
async fn plainly(fixture: &Fixture, body: &Bytes) -> Option<Seen> {
    let frame = request(fixture, "chain");
    let mut call = HandleRequest {
        activation: frame.activation,
        request: frame.request,
        body: body.clone(),
        ..HandleRequest::default()
    };
    let mut outcome = Outcome::Continue;
    for step in frame.matches {
        call.r#match = Some(step);
        let mut client = HttpClient::new(fixture.channel());
        let answer = client.handle(call.clone()).await.unwrap().into_inner();
        outcome = answer.outcome();
        call.context = answer.context;
        if answer.response.is_some() {
            (call.response, call.response_body) = (answer.response, answer.body);
        }
        match outcome {
            Outcome::Continue if 65_536 < call.context.len() => return None,
            Outcome::Continue => {}
            Outcome::Complete | Outcome::Unspecified => break,
            Outcome::Refuse => {
                call.response.get_or_insert_default().status = 401;
                break;
            }
            Outcome::Fail => {
                (call.response, call.response_body) = (None, Bytes::new());
                break;
            }
        }
    }
    Some(Seen { outcome, response: call.response, body: call.response_body.into() })
}

#[tokio::test]
async fn a_chain_is_the_same_in_frames_and_in_plain_calls() {
    let host = Host::start().await;
    for length in [0, 5, 90_000, 150_000, 250_000, 350_000] {
        let body = Bytes::from(vec![b'x'; length]);
        let reply = host.send("chain", body.clone()).await;
        let seen = match reply.failure {
            None => Some(Seen {
                outcome: reply.outcome.unwrap(),
                response: reply.response,
                body: reply.body,
            }),
            Some(Failure::Reset { code: ResetCode::Internal, .. }) => None,
            Some(failure) => panic!("{failure:?}"),
        };
        let plain = plainly(&host.fixture, &body).await;
        assert!(seen == plain, "{length}: {seen:?}, but plainly {plain:?}");
        let expected = match length {
            0 => Some(Outcome::Continue),
            5 | 90_000 => Some(Outcome::Complete),
            150_000 => Some(Outcome::Refuse),
            250_000 => None,
            _ => Some(Outcome::Fail),
        };
        assert_eq!(seen.map(|seen| seen.outcome), expected, "{length}");
    }
}
