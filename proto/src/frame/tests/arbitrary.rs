//! A peer that sends anything at all: no panic, and no more memory than was promised.

use std::collections::HashMap;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;

use crate::frame::{Event, Limits, Role, Settings, Stream};
use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{
    Credit, Data, Frame, Frames, GoAway, Hello, Informational, RequestFrame, Reset, ResponseFrame,
    Trailers,
};

const CONCURRENT: u32 = 3;

fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..3, 16_380_u32..16_390, 65_530_u32..65_540, any::<u32>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let lengths = prop_oneof![4 => 0_usize..3, 1 => 4090_usize..4100, 1 => 65_530_usize..65_537];
    lengths.prop_map(|length| Bytes::from(vec![b'x'; length]))
}

fn kinds() -> impl Strategy<Value = Option<Wire>> {
    let hello = (numbers(), numbers(), numbers(), numbers()).prop_map(|(version, a, b, c)| {
        Wire::Hello(Hello {
            version,
            max_data_bytes: a,
            initial_credit_bytes: b,
            max_concurrent_requests: c,
        })
    });
    let request = (bytes(), any::<bool>()).prop_map(|(data, end)| {
        Wire::Request(Box::new(RequestFrame { data, end, ..Default::default() }))
    });
    let response = (bytes(), any::<bool>()).prop_map(|(data, end)| {
        Wire::Response(Box::new(ResponseFrame { data, end, ..Default::default() }))
    });
    let data = (bytes(), any::<bool>()).prop_map(|(data, end)| Wire::Data(Data { data, end }));
    let informational = (98_u32..202)
        .prop_map(|status| Wire::Informational(Informational { status, headers: Vec::new() }));
    let reset = (any::<i32>(), ".{0,5}")
        .prop_map(|(code, message)| Wire::Reset(Reset { code: code % 10, message }));
    let go_away =
        (0_u64..12).prop_map(|last_id| Wire::GoAway(GoAway { last_id, message: String::new() }));
    prop_oneof![
        1 => Just(None),
        1 => hello.prop_map(Some),
        8 => request.prop_map(Some),
        8 => response.prop_map(Some),
        12 => data.prop_map(Some),
        4 => informational.prop_map(Some),
        3 => Just(Some(Wire::Trailers(Trailers::default()))),
        4 => numbers().prop_map(|bytes| Some(Wire::Credit(Credit { bytes }))),
        3 => reset.prop_map(Some),
        1 => go_away.prop_map(Some),
    ]
}

/// Ids that mostly belong to something, so that the stream lives long enough to matter.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let ids = prop_oneof![20 => 1_u64..8, 1 => Just(0_u64), 1 => any::<u64>()];
    let frame = (ids, kinds()).prop_map(|(id, kind)| {
        let id = if matches!(kind, Some(Wire::Hello(_) | Wire::GoAway(_))) { id % 2 } else { id };
        Frame { id, kind }
    });
    prop::collection::vec(frame, 0..60)
}

fn stream(role: Role) -> Stream {
    let settings = Settings { max_concurrent_requests: CONCURRENT, ..Settings::default() };
    let mut stream = Stream::new(role, settings, Limits::default());
    let hello = Hello { version: 1, max_concurrent_requests: CONCURRENT, ..Hello::default() };
    let mut events = Vec::new();
    stream.receive(
        Frames { frames: vec![Frame { id: 0, kind: Some(Wire::Hello(hello)) }] },
        &mut events,
    );
    assert_eq!(events.len(), 1);
    stream
}

/// Plays `frames` to a stream whose application takes no data. Every request is failed or ended as
/// often as it was opened, and holds no more than its credit and one head.
fn play(role: Role, frames: Vec<Frame>) {
    let mut stream = stream(role);
    let mut held: HashMap<u64, usize> = HashMap::new();
    let mut is_broken = false;
    for frame in frames {
        if role == Role::Host {
            let _ = stream.open(RequestFrame::default());
        }
        let mut events = Vec::new();
        stream.receive(Frames { frames: vec![frame] }, &mut events);
        assert!(events.is_empty() || !is_broken, "{events:?} after the end");
        for event in events {
            match event {
                Event::Data { id, data, .. } => *held.entry(id).or_default() += data.len(),
                Event::Failed { id, .. } => assert!(!stream.is_open(id)),
                Event::Broken(_) => is_broken = true,
                _ => {}
            }
        }
        assert!(stream.open_requests() <= CONCURRENT as usize);
    }
    for (id, bytes) in held {
        assert!(bytes <= 64 * 1024, "request {id} holds {bytes} bytes");
    }
    let said: usize =
        std::iter::from_fn(|| stream.take_message()).map(|message| message.encoded_len()).sum();
    assert!(said <= 60 * 100, "{said} bytes said about 60 frames");
}

proptest! {
    #[test]
    fn a_host_stands_any_frames(frames in frames()) {
        play(Role::Host, frames);
    }

    #[test]
    fn a_plugin_stands_any_frames(mut frames in frames(), ascending in any::<bool>()) {
        if ascending {
            let mut next = 0;
            for frame in &mut frames {
                if matches!(frame.kind, Some(Wire::Request(_))) {
                    next += 1;
                    frame.id = next;
                } else if frame.id != 0 {
                    frame.id = frame.id.min(next);
                }
            }
        }
        play(Role::Plugin, frames);
    }

    #[test]
    fn bytes_that_happen_to_be_frames_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Frames::decode(bytes.as_slice()) {
            for role in [Role::Host, Role::Plugin] {
                let mut events = Vec::new();
                stream(role).receive(message.clone(), &mut events);
            }
        }
    }

    #[test]
    fn frames_with_a_few_bytes_changed_do_no_harm(
        frames in frames(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Frames { frames }.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(message) = Frames::decode(bytes.as_slice()) {
            for role in [Role::Host, Role::Plugin] {
                play(role, message.frames.clone());
            }
        }
    }
}
