//! One rule, one test.

use bytes::Bytes;

use crate::frame::{
    Event, Failure, Limits, Malformed, OpenError, Progress, Role, SendError, Settings, Stream,
    Violation,
};
use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{
    Credit, Frame, Frames, GoAway, Hello, Informational, Reset, ResetCode, Trailers,
};

use super::{carry, data, deliver, greeted, request, response, sent};

fn hello() -> Wire {
    Wire::Hello(Hello { version: 1, ..Hello::default() })
}

fn new(role: Role) -> Stream {
    Stream::new(role, Settings::default(), Limits::default())
}

fn failed(id: u64, failure: Failure) -> Event {
    Event::Failed { id, failure }
}

fn reset_of(stream: &mut Stream) -> (u64, ResetCode) {
    let frames = sent(stream);
    let [.., (id, Wire::Reset(reset))] = frames.as_slice() else { panic!("{frames:?}") };
    (*id, reset.code())
}

#[test]
fn both_sides_say_hello_without_waiting() {
    for role in [Role::Host, Role::Plugin] {
        let frames = sent(&mut new(role));
        assert!(matches!(frames.as_slice(), [(0, Wire::Hello(Hello { version: 1, .. }))]));
    }
}

#[test]
fn a_hello_without_numbers_means_the_defaults() {
    let expected = Settings {
        max_data_bytes: 16 * 1024,
        initial_credit_bytes: 64 * 1024,
        max_concurrent_requests: 256,
    };
    assert_eq!(deliver(&mut new(Role::Host), 0, hello()), [Event::Ready(expected)]);
}

#[test]
fn a_hello_with_too_large_numbers_means_the_most() {
    let greedy = Wire::Hello(Hello {
        version: 7,
        max_data_bytes: u32::MAX,
        initial_credit_bytes: u32::MAX,
        max_concurrent_requests: u32::MAX,
    });
    let expected = Settings {
        max_data_bytes: 1024 * 1024,
        initial_credit_bytes: (1 << 31) - 1,
        max_concurrent_requests: 4096,
    };
    assert_eq!(deliver(&mut new(Role::Host), 0, greedy), [Event::Ready(expected)]);
}

/// Two requests open, 1 and 2; the plugin's maximum is its default.
fn two_open() -> (Stream, Stream) {
    let (mut host, mut plugin) = greeted(256);
    host.open(request("", false)).unwrap();
    host.open(request("", true)).unwrap();
    carry(&mut host, &mut plugin);
    (host, plugin)
}

#[test]
fn what_can_not_be_understood_ends_the_stream_and_fails_what_is_open() {
    let odd = |field: &str, value| {
        let mut hello = Hello { version: 1, ..Hello::default() };
        match field {
            "version" => hello.version = value,
            "max_data_bytes" => hello.max_data_bytes = value,
            _ => hello.initial_credit_bytes = value,
        }
        Wire::Hello(hello)
    };
    let cases = [
        (0, hello(), Malformed::SecondHello),
        (1, hello(), Malformed::IdOnStreamFrame(1)),
        (3, Wire::GoAway(GoAway::default()), Malformed::IdOnStreamFrame(3)),
        (0, data(1, false), Malformed::NoId("data")),
        (0, Wire::Request(request("", true).into()), Malformed::NoId("a request")),
        (0, Wire::Reset(Reset::default()), Malformed::NoId("a reset")),
        (2, Wire::Request(request("", true).into()), Malformed::IdGoesBackwards { id: 2, last: 2 }),
        (1, Wire::Request(request("", true).into()), Malformed::IdGoesBackwards { id: 1, last: 2 }),
        (3, data(1, false), Malformed::NeverOpened { kind: "data", id: 3 }),
        (9, Wire::Credit(Credit { bytes: 1 }), Malformed::NeverOpened { kind: "credit", id: 9 }),
        (
            1,
            data(64 * 1024 + 1, false),
            Malformed::TooMuchData { id: 1, length: 64 * 1024 + 1, limit: 64 * 1024 },
        ),
    ];
    for (id, kind, expected) in cases {
        let (_, mut plugin) = two_open();
        let events = deliver(&mut plugin, id, kind);
        let lost = [failed(1, Failure::Lost), failed(2, Failure::Lost)];
        assert_eq!(events[..2], lost, "{expected}");
        assert_eq!(events[2..], [Event::Broken(expected)]);
        assert_eq!(deliver(&mut plugin, 1, data(1, false)), [], "nothing more is heard");
        assert_eq!(plugin.take_message(), None, "and nothing more is said");
    }
    for (field, value, least) in
        [("version", 0, 1), ("max_data_bytes", 16383, 16384), ("initial_credit_bytes", 1, 65536)]
    {
        let events = deliver(&mut new(Role::Host), 0, odd(field, value));
        assert_eq!(events, [Event::Broken(Malformed::Hello { field, value, least })]);
    }
}

#[test]
fn nothing_comes_before_hello() {
    for kind in [Some(Wire::GoAway(GoAway::default())), None] {
        let mut events = Vec::new();
        new(Role::Host).receive(Frames { frames: vec![Frame { id: 0, kind }] }, &mut events);
        assert_eq!(events, [Event::Broken(Malformed::FirstIsNotHello)]);
    }
    let events = deliver(&mut new(Role::Plugin), 1, Wire::Request(request("", true).into()));
    assert_eq!(events, [Event::Broken(Malformed::FirstIsNotHello)]);
}

#[test]
fn what_came_before_a_malformed_frame_still_counts() {
    let (mut host, mut plugin) = two_open();
    plugin.respond(2, response("done", true)).unwrap();
    let mut message = plugin.take_message().unwrap();
    message.frames.push(Frame { id: 0, kind: Some(hello()) });
    message.frames.push(Frame { id: 1, kind: Some(Wire::Response(response("late", true).into())) });
    let mut events = Vec::new();
    host.receive(message, &mut events);
    assert!(matches!(events[0], Event::Responded { id: 2, .. }));
    assert_eq!(events[1..], [failed(1, Failure::Lost), Event::Broken(Malformed::SecondHello)]);
}

#[test]
fn a_frame_that_is_illegal_in_its_request_ends_that_request_only() {
    let at_plugin = [
        Wire::Informational(Informational { status: 103, headers: Vec::new() }),
        Wire::Response(response("", true).into()),
    ];
    for kind in at_plugin {
        let (_, mut plugin) = two_open();
        let events = deliver(&mut plugin, 1, kind);
        assert!(
            matches!(
                events.as_slice(),
                [Event::Failed { id: 1, failure: Failure::Violation(Violation::State { .. }) }]
            ),
            "{events:?}"
        );
        assert_eq!(reset_of(&mut plugin), (1, ResetCode::Protocol));
        assert!(plugin.is_open(2) && !plugin.is_open(1));
    }
    let (_, mut plugin) = two_open();
    let events = deliver(&mut plugin, 2, data(1, true));
    assert_eq!(
        events,
        [failed(
            2,
            Failure::Violation(Violation::State {
                kind: "data",
                state: "the request is complete and no response has begun"
            })
        )]
    );
    assert_eq!(reset_of(&mut plugin), (2, ResetCode::Protocol));
    let (mut host, _) = two_open();
    for (id, kind) in [(1, Wire::Request(request("", true).into())), (2, data(1, false))] {
        let events = deliver(&mut host, id, kind);
        assert!(matches!(events.as_slice(), [Event::Failed { .. }]), "{events:?}");
        assert_eq!(reset_of(&mut host), (id, ResetCode::Protocol));
    }
    assert_eq!(host.open_requests(), 0);
}

#[test]
fn informational_responses_are_1xx_and_not_101_and_not_without_end() {
    for status in [0, 99, 101, 200] {
        let (mut host, _) = two_open();
        let kind = Wire::Informational(Informational { status, headers: Vec::new() });
        let events = deliver(&mut host, 1, kind);
        assert_eq!(events, [failed(1, Failure::Violation(Violation::Informational(status)))]);
        assert_eq!(reset_of(&mut host), (1, ResetCode::Protocol));
    }
    let (mut host, mut plugin) = two_open();
    let hint = || Informational { status: 103, headers: Vec::new() };
    for _ in 0..100 {
        plugin.inform(1, hint()).unwrap();
    }
    assert!(matches!(plugin.inform(1, hint()), Err(SendError::Illegal(_))));
    assert_eq!(carry(&mut plugin, &mut host).len(), 100);
    let events = deliver(&mut host, 1, Wire::Informational(hint()));
    assert_eq!(events, [failed(1, Failure::Violation(Violation::TooManyInformational))]);
}

#[test]
fn data_beyond_the_credit_ends_the_request() {
    let (_, mut plugin) = two_open();
    assert_eq!(deliver(&mut plugin, 1, data(64 * 1024, false)).len(), 1);
    let events = deliver(&mut plugin, 1, data(1, false));
    assert_eq!(events, [failed(1, Failure::Violation(Violation::Credit))]);
    assert_eq!(reset_of(&mut plugin), (1, ResetCode::Credit));
}

#[test]
fn the_body_in_a_head_costs_no_credit() {
    let (mut host, mut plugin) = two_open();
    let whole = Bytes::from(vec![b'x'; 64 * 1024]);
    plugin
        .respond(1, crate::plugin::v1::ResponseFrame { data: whole.clone(), ..response("", false) })
        .unwrap();
    let mut more = whole;
    assert_eq!(plugin.send(1, &mut more, false), Ok(Progress::Done));
    assert_eq!(plugin.send(1, &mut Bytes::from_static(b"x"), false), Ok(Progress::NeedsCredit));
    assert_eq!(carry(&mut plugin, &mut host).len(), 2);
}

#[test]
fn credit_beyond_its_limit_ends_the_request() {
    let (mut host, _) = two_open();
    let credit = |bytes| Wire::Credit(Credit { bytes });
    assert_eq!(deliver(&mut host, 1, credit(i32::MAX as u32 - 65536)), [Event::Credit { id: 1 }]);
    let events = deliver(&mut host, 1, credit(1));
    assert_eq!(events, [failed(1, Failure::Violation(Violation::TooMuchCredit))]);
    assert_eq!(reset_of(&mut host), (1, ResetCode::Protocol));
}

#[test]
fn credit_that_comes_after_the_end_is_late_and_not_wrong() {
    let (mut host, _) = two_open();
    assert_eq!(deliver(&mut host, 2, Wire::Credit(Credit { bytes: 1 })), []);
    assert!(host.is_open(2));
}

#[test]
fn frames_of_ended_requests_and_unknown_kinds_are_ignored() {
    let (mut host, mut plugin) = two_open();
    host.reset(1, ResetCode::Cancelled, "the client is gone");
    plugin.respond(1, response("", false)).unwrap();
    plugin.send(1, &mut Bytes::from_static(b"late"), true).unwrap();
    assert_eq!(carry(&mut plugin, &mut host), []);
    let cancelled =
        Failure::Reset { code: ResetCode::Cancelled, message: "the client is gone".to_owned() };
    assert_eq!(carry(&mut host, &mut plugin), [failed(1, cancelled)]);
    for kind in [
        data(1, false),
        Wire::Trailers(Trailers::default()),
        Wire::Credit(Credit { bytes: u32::MAX }),
    ] {
        assert_eq!(deliver(&mut plugin, 1, kind), []);
    }
    let mut events = Vec::new();
    for id in [0, 2, 99] {
        plugin.receive(Frames { frames: vec![Frame { id, kind: None }] }, &mut events);
    }
    assert_eq!(events, []);
    assert!(plugin.is_open(2));
}

#[test]
fn data_without_bytes_and_without_end_means_nothing() {
    let (_, mut plugin) = two_open();
    assert_eq!(deliver(&mut plugin, 1, data(0, false)), []);
    let end = Event::Data { id: 1, data: Bytes::new(), end: true };
    assert_eq!(deliver(&mut plugin, 1, data(0, true)), [end]);
}

#[test]
fn requests_beyond_the_maximum_are_refused_and_the_others_go_on() {
    let (mut host, mut plugin) = greeted(2);
    host.open(request("", true)).unwrap();
    host.open(request("", true)).unwrap();
    assert_eq!(host.open(request("", true)), Err(OpenError::Full));
    carry(&mut host, &mut plugin);
    assert_eq!(deliver(&mut plugin, 3, Wire::Request(request("", false).into())), []);
    assert_eq!(reset_of(&mut plugin), (3, ResetCode::Refused));
    assert_eq!(deliver(&mut plugin, 3, data(1, false)), [], "it has ended");
    plugin.respond(1, response("", true)).unwrap();
    carry(&mut plugin, &mut host);
    assert_eq!(host.open(request("", true)), Ok(3));
}

#[test]
fn a_refused_request_may_be_tried_elsewhere_unless_something_came_for_it() {
    let refused = || Wire::Reset(Reset { code: ResetCode::Refused.into(), ..Reset::default() });
    let (mut host, _) = two_open();
    assert_eq!(deliver(&mut host, 1, refused()), [failed(1, Failure::Refused)]);
    deliver(&mut host, 2, Wire::Credit(Credit { bytes: 1 }));
    let lied = Failure::Reset { code: ResetCode::Refused, message: String::new() };
    assert_eq!(deliver(&mut host, 2, refused()), [failed(2, lied)]);
}

#[test]
fn a_flood_of_requests_ends_the_stream_before_the_refusals_fill_the_memory() {
    let (_, mut plugin) = greeted(1);
    for id in 1..=4097 {
        deliver(&mut plugin, id, Wire::Request(request("", false).into()));
    }
    assert_eq!(plugin.open_requests(), 1);
    let events = deliver(&mut plugin, 4098, Wire::Request(request("", false).into()));
    assert_eq!(events, [failed(1, Failure::Lost), Event::Broken(Malformed::Flood(4096))]);
}

#[test]
fn refusals_that_have_left_do_not_count() {
    let (_, mut plugin) = greeted(1);
    for id in 1..=10_000 {
        let events = deliver(&mut plugin, id, Wire::Request(request("", false).into()));
        assert!(events.len() <= 1 && !matches!(events.first(), Some(Event::Broken(_))));
        while plugin.take_message().is_some() {}
    }
}

#[test]
fn a_request_counts_until_its_last_frame_has_left() {
    let (mut host, mut plugin) = greeted(1);
    let id = host.open(request("", false)).unwrap();
    carry(&mut host, &mut plugin);
    plugin.respond(id, response("", true)).unwrap();
    carry(&mut plugin, &mut host);
    let mut body = Bytes::from(vec![b'x'; 60_000]);
    assert_eq!(host.send(id, &mut body, true), Ok(Progress::Done));
    assert!(!host.is_open(id));
    assert_eq!(host.may_open(), Err(OpenError::Full), "a new request would overtake the data");
    carry(&mut host, &mut plugin);
    assert_eq!(host.may_open(), Ok(()));
}

#[test]
fn a_plugin_that_has_answered_may_stop_the_rest_of_the_request() {
    let (mut host, mut plugin) = greeted(1);
    let id = host.open(request("", false)).unwrap();
    carry(&mut host, &mut plugin);
    plugin.respond(id, response("", false)).unwrap();
    let mut body = Bytes::from(vec![b'x'; 60_000]);
    plugin.send(id, &mut body, true).unwrap();
    plugin.reset(id, ResetCode::Cancelled, "");
    let events = carry(&mut plugin, &mut host);
    assert!(
        matches!(
            events.as_slice(),
            [Event::Responded { .. }, Event::Data { end: true, .. }, Event::Stopped { id: 1 }]
        ),
        "{events:?}"
    );
    assert_eq!(host.send(id, &mut Bytes::from_static(b"x"), false), Err(SendError::Over));
}

#[test]
fn a_reset_drops_the_data_that_waits() {
    let (mut host, mut plugin) = two_open();
    plugin.respond(1, response("", false)).unwrap();
    let mut body = Bytes::from(vec![b'x'; 60_000]);
    plugin.send(1, &mut body, false).unwrap();
    plugin.reset(1, ResetCode::Internal, "the handler failed");
    let events = carry(&mut plugin, &mut host);
    assert!(matches!(events[0], Event::Responded { id: 1, .. }), "{events:?}");
    assert!(
        matches!(
            &events[1..],
            [Event::Failed { id: 1, failure: Failure::Reset { code: ResetCode::Internal, .. } }]
        ),
        "{events:?}"
    );
}

#[test]
fn data_that_nobody_wants_any_more_is_not_sent() {
    let (mut host, mut plugin) = two_open();
    for id in [1, 2] {
        plugin.respond(id, response("", false)).unwrap();
        plugin.send(id, &mut Bytes::from(vec![b'x'; 60_000]), false).unwrap();
    }
    host.reset(1, ResetCode::Cancelled, "");
    carry(&mut host, &mut plugin);
    let is_data = |(id, kind): (u64, Wire)| matches!(kind, Wire::Data(_)).then_some(id);
    let ids: Vec<u64> = sent(&mut plugin).into_iter().filter_map(is_data).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn go_away_of_a_plugin_gives_back_what_it_has_not_taken_up() {
    let (mut host, mut plugin) = two_open();
    plugin.go_away("upgrade");
    plugin.go_away("again");
    host.open(request("", true)).unwrap();
    assert_eq!(carry(&mut host, &mut plugin), [], "on the way when GoAway was said");
    assert_eq!(deliver(&mut plugin, 3, data(1, false)), []);
    assert_eq!(
        carry(&mut plugin, &mut host),
        [Event::GoAway { message: "upgrade".to_owned() }, failed(3, Failure::Refused)]
    );
    assert_eq!(host.open(request("", true)), Err(OpenError::GoingAway));
    for id in [1, 2] {
        plugin.respond(id, response("", true)).unwrap();
    }
    carry(&mut plugin, &mut host);
    assert!(!host.is_drained() && !plugin.is_drained(), "request 1 goes on");
    host.send(1, &mut Bytes::new(), true).unwrap();
    carry(&mut host, &mut plugin);
    assert!(host.is_drained() && plugin.is_drained());
}

#[test]
fn go_away_of_a_host_lets_the_plugin_finish() {
    let (mut host, mut plugin) = two_open();
    host.go_away("");
    assert_eq!(carry(&mut host, &mut plugin), [Event::GoAway { message: String::new() }]);
    assert_eq!(host.may_open(), Err(OpenError::GoingAway));
    assert_eq!(plugin.open_requests(), 2);
    let events = deliver(&mut plugin, 3, Wire::Request(request("", true).into()));
    assert_eq!(events.last(), Some(&Event::Broken(Malformed::AfterGoAway { id: 3, last: 2 })));
}

#[test]
fn go_away_can_lower_its_promise_and_not_raise_it() {
    let (mut host, _) = two_open();
    let go_away = |last_id| Wire::GoAway(GoAway { last_id, message: "x".repeat(2000) });
    let events = deliver(&mut host, 0, go_away(1));
    assert_eq!(events[0], Event::GoAway { message: "x".repeat(1024) });
    assert_eq!(events[1..], [failed(2, Failure::Refused)]);
    assert_eq!(deliver(&mut host, 0, go_away(9)).len(), 1);
    assert_eq!(deliver(&mut host, 0, go_away(0))[1..], [failed(1, Failure::Refused)]);
}

#[test]
fn what_has_not_left_when_a_stream_ends_was_not_begun() {
    let (mut host, _) = two_open();
    host.open(request("", true)).unwrap();
    host.open(request("", false)).unwrap();
    let mut events = Vec::new();
    host.end(&mut events);
    let [lost, refused] = [Failure::Lost, Failure::Refused];
    let expected =
        [failed(1, lost.clone()), failed(2, lost), failed(3, refused.clone()), failed(4, refused)];
    assert_eq!(events, expected);
}

#[test]
fn the_end_of_a_stream_fails_its_own_requests_once() {
    let (mut host, _) = two_open();
    let mut events = Vec::new();
    host.end(&mut events);
    host.end(&mut events);
    assert_eq!(events, [failed(1, Failure::Lost), failed(2, Failure::Lost)]);
    assert_eq!(host.open(request("", true)), Err(OpenError::Ended));
    assert_eq!(host.send(1, &mut Bytes::new(), true), Err(SendError::Over));
    host.go_away("");
    host.take_data(1, 1);
    assert_eq!(host.take_message(), None);
}

#[test]
fn nothing_can_be_opened_before_the_plugin_says_hello() {
    assert_eq!(new(Role::Host).open(request("", true)), Err(OpenError::NotReady));
}

#[test]
fn large_data_does_not_go_into_a_request_frame() {
    let (mut host, _) = greeted(1);
    let large = crate::plugin::v1::RequestFrame {
        data: Bytes::from(vec![b'x'; Stream::MAX_INLINE_BYTES + 1]),
        ..request("", true)
    };
    assert_eq!(host.open(large), Err(OpenError::TooMuchData));
    assert_eq!(host.open_requests(), 0);
}

#[test]
fn what_a_caller_may_not_send_is_not_sent() {
    let (_, mut plugin) = two_open();
    let illegal = |result: Result<(), SendError>| {
        assert!(matches!(result, Err(SendError::Illegal(_))), "{result:?}");
    };
    illegal(plugin.send(1, &mut Bytes::from_static(b"x"), false).map(drop));
    illegal(plugin.send_trailers(1, Vec::new()));
    illegal(plugin.inform(1, Informational { status: 101, headers: Vec::new() }));
    let large = Bytes::from(vec![b'x'; 64 * 1024 + 1]);
    illegal(
        plugin.respond(1, crate::plugin::v1::ResponseFrame { data: large, ..response("", true) }),
    );
    plugin.respond(1, response("", true)).unwrap();
    illegal(plugin.respond(1, response("", true)));
    illegal(plugin.send(1, &mut Bytes::new(), true).map(drop));
    assert_eq!(plugin.respond(7, response("", true)), Err(SendError::Over));
    assert_eq!(sent(&mut plugin).len(), 1);
}

#[test]
fn a_peer_that_gives_endless_credit_does_not_fill_our_memory() {
    let (mut host, _) = two_open();
    deliver(&mut host, 1, Wire::Credit(Credit { bytes: 1 << 30 }));
    let mut body = Bytes::from(vec![b'x'; 10 * 1024 * 1024]);
    assert_eq!(host.send(1, &mut body, true), Ok(Progress::NeedsRoom));
    let queued = 10 * 1024 * 1024 - body.len();
    assert!((1024 * 1024..=1024 * 1024 + 64 * 1024).contains(&queued), "{queued}");
    while host.take_message().is_some() {}
    assert_eq!(host.send(1, &mut body, true), Ok(Progress::NeedsRoom));
    assert!(body.len() < 9 * 1024 * 1024);
}
