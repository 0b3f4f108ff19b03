//! The two lanes.

use crate::frame::codec;
use crate::frame::queue::{EXPRESS_RUN, Queue};
use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{Credit, Frame, Reset, Trailers};

use super::{data, request, response};

const LARGE: usize = 64 * 1024;

fn queue(frames: impl IntoIterator<Item = (u64, Wire)>) -> Queue {
    let mut queue = Queue::default();
    for (id, kind) in frames {
        queue.push(codec::frame(id, kind));
    }
    queue
}

fn credit() -> Wire {
    Wire::Credit(Credit { bytes: 1 })
}

/// "id kind", in the order in which they leave.
fn order(queue: &mut Queue) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(message) = queue.take(1) {
        assert_eq!(message.frames.len(), 1);
        order.extend(message.frames.iter().map(name));
    }
    assert!(queue.is_empty());
    order
}

fn name(frame: &Frame) -> String {
    let kind = match frame.kind.as_ref().unwrap() {
        Wire::Request(_) => "request",
        Wire::Response(_) => "response",
        Wire::Data(data) if data.data.len() < LARGE => "small",
        Wire::Data(_) => "large",
        Wire::Trailers(_) => "trailers",
        Wire::Credit(_) => "credit",
        Wire::Reset(_) => "reset",
        Wire::Hello(_) | Wire::Informational(_) | Wire::GoAway(_) => "other",
    };
    format!("{} {kind}", frame.id)
}

#[test]
fn heads_credits_and_small_data_overtake_large_data_of_others() {
    let mut queue = queue([
        (1, data(LARGE, false)),
        (2, Wire::Request(request("", false).into())),
        (2, data(4096, false)),
        (3, credit()),
        (4, Wire::Response(response("small", true).into())),
    ]);
    assert_eq!(order(&mut queue), ["2 request", "2 small", "3 credit", "4 response", "1 large"]);
}

#[test]
fn within_a_request_only_credit_overtakes() {
    let mut queue = queue([
        (1, Wire::Request(request("", false).into())),
        (1, data(LARGE, false)),
        (1, data(1, false)),
        (1, credit()),
        (1, Wire::Trailers(Trailers::default())),
        (1, Wire::Reset(Reset::default())),
    ]);
    assert_eq!(
        order(&mut queue),
        ["1 request", "1 credit", "1 large", "1 small", "1 trailers", "1 reset"]
    );
}

#[test]
fn a_large_frame_goes_after_32_express_frames() {
    let run = EXPRESS_RUN as usize;
    let mut queue = queue([(1, data(LARGE, false)), (1, data(LARGE, false))]);
    for id in 0..100 {
        queue.push(codec::frame(100 + id, credit()));
    }
    let order = order(&mut queue);
    assert_eq!(order[run], "1 large");
    assert_eq!(order[2 * run + 1], "1 large");
    assert_eq!(order.iter().filter(|name| name.ends_with("large")).count(), 2);
}

#[test]
fn a_large_frame_never_overtakes_the_head_of_its_own_request() {
    let mut queue = queue((0..40).map(|id| (100 + id, credit())));
    while queue.take(1).is_some() {}
    queue.push(codec::frame(1, Wire::Request(request("", false).into())));
    queue.push(codec::frame(1, data(LARGE, true)));
    assert_eq!(order(&mut queue), ["1 request", "1 large"], "though it is the turn of a large one");
}

#[test]
fn a_message_is_filled_up_to_its_bound_and_holds_at_least_one_frame() {
    let mut queue = queue((0..10).map(|id| (id + 1, data(1000, false))));
    let sizes: Vec<usize> =
        std::iter::from_fn(|| queue.take(3100).map(|message| message.frames.len())).collect();
    assert_eq!(sizes, [3, 3, 3, 1]);
    queue.push(codec::frame(1, data(5000, false)));
    assert_eq!(queue.take(10).unwrap().frames.len(), 1);
    assert_eq!(queue.take(10), None);
}

#[test]
fn what_is_dropped_leaves_no_trace() {
    let mut queue =
        queue([(1, data(LARGE, false)), (2, data(LARGE, false)), (1, data(LARGE, true))]);
    queue.drop_bulk(1);
    assert!(!queue.has_bulk(1));
    assert_eq!(queue.bytes_before(9, LARGE), queue.bytes_before(2, 1));
    queue.push(codec::frame(1, data(1, false)));
    assert_eq!(order(&mut queue), ["1 small", "2 large"]);
    assert_eq!(queue.bytes_before(9, LARGE) + queue.bytes_before(9, 1), 0);
}
