//! Both sides against each other, against the documentation, and against nonsense.

mod arbitrary;
mod document;
mod pair;
mod queue;
mod rules;
mod table;

use bytes::Bytes;

use super::{Event, Limits, Role, Settings, Stream};
use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{Data, Frame, Frames, RequestFrame, ResponseFrame};

/// Host and plugin after their Hellos. `concurrent` is what the plugin takes at once.
fn greeted(concurrent: u32) -> (Stream, Stream) {
    let settings = Settings { max_concurrent_requests: concurrent, ..Settings::default() };
    let mut host = Stream::new(Role::Host, Settings::default(), Limits::default());
    let mut plugin = Stream::new(Role::Plugin, settings, Limits::default());
    assert_eq!(carry(&mut host, &mut plugin), [Event::Ready(Settings::default())]);
    assert_eq!(carry(&mut plugin, &mut host), [Event::Ready(settings)]);
    (host, plugin)
}

/// Delivers all that waits at `from`.
fn carry(from: &mut Stream, to: &mut Stream) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(message) = from.take_message() {
        to.receive(message, &mut events);
    }
    events
}

/// Delivers one frame that no stream has made.
fn deliver(to: &mut Stream, id: u64, kind: Wire) -> Vec<Event> {
    let mut events = Vec::new();
    to.receive(Frames { frames: vec![Frame { id, kind: Some(kind) }] }, &mut events);
    events
}

/// What waits to be sent, as (id, frame).
fn sent(stream: &mut Stream) -> Vec<(u64, Wire)> {
    let mut sent = Vec::new();
    while let Some(message) = stream.take_message() {
        sent.extend(message.frames.into_iter().map(|frame| (frame.id, frame.kind.unwrap())));
    }
    sent
}

fn request(data: &'static str, end: bool) -> RequestFrame {
    RequestFrame { data: Bytes::from_static(data.as_bytes()), end, ..RequestFrame::default() }
}

fn response(data: &'static str, end: bool) -> ResponseFrame {
    ResponseFrame { data: Bytes::from_static(data.as_bytes()), end, ..ResponseFrame::default() }
}

fn data(length: usize, end: bool) -> Wire {
    Wire::Data(Data { data: Bytes::from(vec![b'x'; length]), end })
}
