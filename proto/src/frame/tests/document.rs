//! The worked exchange of `docs/frames.md`: its bytes are what it says, and both sides agree to it.

use std::fmt::Write as _;

use prost::Message as _;

use crate::frame::{Event, Limits, Role, Settings, Stream};
use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{
    Frame, Frames, Header, Match, Outcome, Request, RequestFrame, Response, ResponseFrame,
};

const DOCUMENT: &str = include_str!("../../../../docs/frames.md");

/// One message as the document shows it.
struct Shown {
    from: Role,
    bytes: Vec<u8>,
    /// One line per frame.
    frames: Vec<&'static str>,
}

fn shown() -> Vec<Shown> {
    let block = DOCUMENT.split("```exchange\n").nth(1).expect("an exchange");
    let block = block.split("```").next().expect("its end");
    let mut messages: Vec<Shown> = Vec::new();
    for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let from = match line {
            "host → plugin" => Some(Role::Host),
            "plugin → host" => Some(Role::Plugin),
            _ => None,
        };
        if let Some(from) = from {
            messages.push(Shown { from, bytes: Vec::new(), frames: Vec::new() });
        } else if let Some(bytes) = hex(line) {
            messages.last_mut().unwrap().bytes.extend(bytes);
        } else {
            messages.last_mut().unwrap().frames.push(line);
        }
    }
    messages
}

fn hex(line: &str) -> Option<Vec<u8>> {
    line.split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2))
        .collect()
}

#[test]
fn the_bytes_of_the_exchange_are_the_frames_beside_them() {
    let messages = shown();
    assert!(10 <= messages.len(), "{} messages", messages.len());
    for message in messages {
        let decoded = Frames::decode(message.bytes.as_slice()).unwrap();
        assert_eq!(decoded.encode_to_vec(), message.bytes, "a shorter way to write it");
        let described: Vec<String> = decoded.frames.iter().map(describe).collect();
        assert_eq!(described, message.frames);
    }
}

/// Host and plugin do what the document says, and send exactly its bytes.
#[test]
fn two_streams_make_the_exchange() {
    let mut host = Stream::new(Role::Host, Settings::default(), Limits::default());
    let mut plugin = Stream::new(Role::Plugin, Settings::default(), Limits::default());
    for message in shown() {
        let (from, to) = match message.from {
            Role::Host => (&mut host, &mut plugin),
            Role::Plugin => (&mut plugin, &mut host),
        };
        let frames = Frames::decode(message.bytes.as_slice()).unwrap().frames;
        for frame in &frames {
            repeat(from, frame);
        }
        // Credit comes from an application that takes data, and more of it than fits in a document.
        let expected: Vec<Frame> = frames
            .iter()
            .filter(|frame| !matches!(frame.kind, Some(Wire::Credit(_))))
            .cloned()
            .collect();
        let sent = from.take_message().map_or(Vec::new(), |message| message.frames);
        assert_eq!(sent, expected);
        let mut events = Vec::new();
        to.receive(Frames { frames: frames.clone() }, &mut events);
        assert_eq!(events.len(), frames.len(), "each frame means something: {events:?}");
        assert!(!events.iter().any(is_violation), "{events:?}");
    }
    assert!(host.is_drained() && plugin.is_drained());
}

fn is_violation(event: &Event) -> bool {
    use crate::frame::Failure::{Lost, Refused, Violation};
    matches!(event, Event::Broken(_) | Event::Failed { failure: Violation(_) | Lost | Refused, .. })
}

fn repeat(from: &mut Stream, frame: &Frame) {
    let id = frame.id;
    match frame.kind.clone().unwrap() {
        Wire::Hello(_) | Wire::Credit(_) => {}
        Wire::Request(request) => assert_eq!(from.open(request), Ok(id)),
        Wire::Response(response) => from.respond(id, response).unwrap(),
        Wire::Informational(informational) => from.inform(id, informational).unwrap(),
        Wire::Data(mut data) => {
            from.send(id, &mut data.data, data.end).unwrap();
        }
        Wire::Trailers(trailers) => from.send_trailers(id, trailers.headers).unwrap(),
        Wire::Reset(reset) => from.reset(id, reset.code(), &reset.message),
        Wire::GoAway(go_away) => from.go_away(&go_away.message),
    }
}

/// One line; fields that have their default are left out.
fn describe(frame: &Frame) -> String {
    let (name, fields) = match frame.kind.as_ref().unwrap() {
        Wire::Hello(hello) => (
            "Hello",
            Fields::default()
                .number("version", hello.version)
                .number("max_data_bytes", hello.max_data_bytes)
                .number("initial_credit_bytes", hello.initial_credit_bytes)
                .number("max_concurrent_requests", hello.max_concurrent_requests),
        ),
        Wire::Request(frame) => ("Request", of_request(frame)),
        Wire::Response(frame) => ("Response", of_response(frame)),
        Wire::Informational(informational) => (
            "Informational",
            Fields::default()
                .number("status", informational.status)
                .headers(&informational.headers),
        ),
        Wire::Data(data) => {
            ("Data", Fields::default().text("data", &data.data).flag("end", data.end))
        }
        Wire::Trailers(trailers) => ("Trailers", Fields::default().headers(&trailers.headers)),
        Wire::Credit(credit) => ("Credit", Fields::default().number("bytes", credit.bytes)),
        Wire::Reset(reset) => (
            "Reset",
            Fields::default()
                .name("code", reset.code().as_str_name(), reset.code != 0)
                .text("message", reset.message.as_bytes()),
        ),
        Wire::GoAway(go_away) => (
            "GoAway",
            Fields::default()
                .number("last_id", go_away.last_id)
                .text("message", go_away.message.as_bytes()),
        ),
    };
    format!("id {}: {name} {fields}", frame.id, fields = fields.0.trim_start())
}

fn of_request(frame: &RequestFrame) -> Fields {
    let mut fields = Fields::default().text("activation", frame.activation.as_bytes());
    for Match { endpoint_id, .. } in &frame.matches {
        fields = fields.number("endpoint_id", *endpoint_id);
    }
    if let Some(Request { method, path, query, headers, .. }) = &frame.request {
        fields = fields.text("method", method.as_bytes()).text("path", path);
        fields = fields.text("query", query.as_deref().unwrap_or_default()).headers(headers);
    }
    fields.text("data", &frame.data).flag("end", frame.end).number("timeout_ms", frame.timeout_ms)
}

fn of_response(frame: &ResponseFrame) -> Fields {
    let mut fields = Fields::default();
    if let Some(Response { status, headers }) = &frame.response {
        fields = fields.number("status", *status).headers(headers);
    }
    let is_set = frame.outcome() != Outcome::Unspecified;
    fields.text("data", &frame.data).flag("end", frame.end).name(
        "outcome",
        frame.outcome().as_str_name(),
        is_set,
    )
}

#[derive(Default)]
struct Fields(String);

impl Fields {
    fn text(self, name: &str, value: &[u8]) -> Self {
        let value = String::from_utf8_lossy(value);
        self.name(name, &format!("{value:?}"), !value.is_empty())
    }

    fn number(self, name: &str, value: impl Into<u64>) -> Self {
        let value = value.into();
        self.name(name, &value.to_string(), value != 0)
    }

    fn flag(self, name: &str, value: bool) -> Self {
        self.name(name, "true", value)
    }

    fn headers(self, headers: &[Header]) -> Self {
        headers.iter().fold(self, |fields, header| fields.text(&header.name, &header.value))
    }

    fn name(mut self, name: &str, value: &str, is_set: bool) -> Self {
        if is_set {
            write!(self.0, " {name}={value}").unwrap();
        }
        self
    }
}
