//! Which frames can be read at all: the shape of a frame, before any state.

use bytes::Bytes;

use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{
    Data, Frame, GoAway, Hello, Informational, RequestFrame, Reset, ResponseFrame, Trailers,
};

use super::request::Kind;

/// A frame of the right shape.
#[derive(Debug)]
pub(super) enum Parsed {
    Hello(Hello),
    GoAway(GoAway),
    Request {
        id: u64,
        request: Box<RequestFrame>,
    },
    Part {
        id: u64,
        part: Part,
    },
    /// Of a later version; skipped.
    Unknown,
}

/// What belongs to a request that is open already.
#[derive(Debug)]
pub(super) enum Part {
    Response(Box<ResponseFrame>),
    Informational(Informational),
    Data(Data),
    Trailers(Trailers),
    Credit(u32),
    Reset(Reset),
}

impl Part {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Response(response) => Kind::Response { end: response.end },
            Self::Informational(_) => Kind::Informational,
            Self::Data(data) => Kind::Data { end: data.end },
            Self::Trailers(_) => Kind::Trailers,
            Self::Credit(_) => Kind::Credit,
            Self::Reset(_) => Kind::Reset,
        }
    }
}

/// Why a stream ended: the other side sent what can't be understood, so nothing after it can be
/// trusted to be.
#[allow(missing_docs, reason = "the messages say it")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the first frame is not Hello; send Hello first, and at once")]
    FirstIsNotHello,
    #[error("a second Hello; send one only")]
    SecondHello,
    #[error("{field} in Hello is {value}; use at least {least}, or leave it out")]
    Hello { field: &'static str, value: u32, least: u32 },
    #[error("Hello or GoAway with id {0}; leave the id out")]
    IdOnStreamFrame(u64),
    #[error("{0} without an id")]
    NoId(&'static str),
    #[error("request {id} after request {last}; count up")]
    IdGoesBackwards { id: u64, last: u64 },
    #[error("{kind} for request {id}, which was never opened")]
    NeverOpened { kind: &'static str, id: u64 },
    #[error("{length} bytes of data in one frame of request {id}; send at most {limit}")]
    TooMuchData { id: u64, length: usize, limit: usize },
    #[error("request {id} after GoAway with last_id {last}")]
    AfterGoAway { id: u64, last: u64 },
    #[error("requests go on after {0} of them were refused")]
    Flood(u32),
}

pub(super) fn parse(frame: Frame, max_data_bytes: u32) -> Result<Parsed, Malformed> {
    let id = frame.id;
    let (parsed, data) = match frame.kind {
        None => return Ok(Parsed::Unknown),
        Some(Wire::Hello(hello)) => return of_stream(id, Parsed::Hello(hello)),
        Some(Wire::GoAway(go_away)) => return of_stream(id, Parsed::GoAway(go_away)),
        Some(Wire::Request(request)) => {
            let data = request.data.len();
            (Parsed::Request { id, request }, data)
        }
        Some(Wire::Response(response)) => {
            let data = response.data.len();
            (Parsed::Part { id, part: Part::Response(response) }, data)
        }
        Some(Wire::Data(data)) => {
            let length = data.data.len();
            (Parsed::Part { id, part: Part::Data(data) }, length)
        }
        Some(Wire::Informational(informational)) => {
            (Parsed::Part { id, part: Part::Informational(informational) }, 0)
        }
        Some(Wire::Trailers(trailers)) => (Parsed::Part { id, part: Part::Trailers(trailers) }, 0),
        Some(Wire::Credit(credit)) => (Parsed::Part { id, part: Part::Credit(credit.bytes) }, 0),
        Some(Wire::Reset(reset)) => (Parsed::Part { id, part: Part::Reset(reset) }, 0),
    };
    of_request(parsed, data, max_data_bytes as usize)
}

fn of_stream(id: u64, parsed: Parsed) -> Result<Parsed, Malformed> {
    if id == 0 { Ok(parsed) } else { Err(Malformed::IdOnStreamFrame(id)) }
}

fn of_request(parsed: Parsed, data: usize, limit: usize) -> Result<Parsed, Malformed> {
    match &parsed {
        Parsed::Request { id: 0, .. } => Err(Malformed::NoId("a request")),
        Parsed::Part { id: 0, part } => Err(Malformed::NoId(part.kind().name())),
        Parsed::Request { id, .. } | Parsed::Part { id, .. } if limit < data => {
            Err(Malformed::TooMuchData { id: *id, length: data, limit })
        }
        Parsed::Hello(_)
        | Parsed::GoAway(_)
        | Parsed::Request { .. }
        | Parsed::Part { .. }
        | Parsed::Unknown => Ok(parsed),
    }
}

pub(super) fn frame(id: u64, kind: Wire) -> Frame {
    Frame { id, kind: Some(kind) }
}

/// The data that a frame brings.
pub(super) fn data(frame: &Frame) -> Option<&Bytes> {
    match &frame.kind {
        Some(Wire::Request(request)) => Some(&request.data),
        Some(Wire::Response(response)) => Some(&response.data),
        Some(Wire::Data(data)) => Some(&data.data),
        Some(
            Wire::Hello(_)
            | Wire::Informational(_)
            | Wire::Trailers(_)
            | Wire::Credit(_)
            | Wire::Reset(_)
            | Wire::GoAway(_),
        )
        | None => None,
    }
}

/// Texts for logs are short, whoever wrote them.
pub(super) fn clip(text: &str) -> String {
    const MAX_CHARACTERS: usize = 1024;
    text.chars().take(MAX_CHARACTERS).collect()
}
