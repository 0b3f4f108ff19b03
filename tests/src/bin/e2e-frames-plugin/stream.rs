//! One call of `Http.Serve`: how it begins, and one task for each request on it.

use outboard_proto::plugin::v1::{Frame, Frames, GoAway, Hello, frame::Kind};
use prost::Message as _;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use crate::{misdeed, wire::Outgoing};

/// Messages that wait for the transport: few, so that what floods waits for its reader.
const WAITING: usize = 8;

/// How a stream begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// As it should.
    Well,
    /// With nothing, not even the headers of the call.
    Deaf,
    /// With an answer to a request that nobody made, and no Hello.
    Rude,
    /// With a Hello, and then nothing for whatever comes.
    Mute,
    /// With two of them.
    Twice,
    /// With limits that are below the least.
    Mean,
    /// With room for one request.
    Narrow,
    /// With a Hello, and at once with the wish to take nothing up.
    Leaving,
    /// With an error.
    Failed,
    /// With its end.
    Ended,
    /// With bytes that are no message.
    Garbage,
}

impl Beginning {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "well" => Self::Well,
            "deaf" => Self::Deaf,
            "rude" => Self::Rude,
            "mute" => Self::Mute,
            "twice" => Self::Twice,
            "mean" => Self::Mean,
            "narrow" => Self::Narrow,
            "leaving" => Self::Leaving,
            "failed" => Self::Failed,
            "ended" => Self::Ended,
            "garbage" => Self::Garbage,
            _ => return None,
        })
    }
}

/// The sending side of a stream.
#[derive(Clone)]
pub(crate) struct Out(Sender<Result<Vec<u8>, Status>>);

impl Out {
    /// Sends frames in one message. What nobody reads any more is lost.
    pub(crate) async fn frames(&self, frames: Vec<Frame>) {
        self.bytes(Frames { frames }.encode_to_vec()).await;
    }

    pub(crate) async fn frame(&self, id: u64, kind: Kind) {
        self.frames(vec![frame(id, kind)]).await;
    }

    pub(crate) async fn bytes(&self, bytes: Vec<u8>) {
        let _ = self.0.send(Ok(bytes)).await;
    }

    /// Ends the stream.
    pub(crate) async fn fail(&self, status: Status) {
        let _ = self.0.send(Err(status)).await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

pub(crate) fn frame(id: u64, kind: Kind) -> Frame {
    Frame { id, kind: Some(kind) }
}

fn hello() -> Hello {
    Hello { version: 1, max_concurrent_requests: 100, ..Hello::default() }
}

/// Begins the stream and goes on with it on tasks of their own.
pub(crate) async fn run(
    beginning: Beginning,
    incoming: Streaming<Frames>,
) -> Result<Outgoing, Status> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let out = Out(sender);
    match beginning {
        Beginning::Well | Beginning::Mute => out.frame(0, Kind::Hello(hello())).await,
        Beginning::Deaf => std::future::pending().await,
        Beginning::Rude => misdeed::answer(&out, 1).await,
        Beginning::Twice => {
            out.frame(0, Kind::Hello(hello())).await;
            out.frame(0, Kind::Hello(hello())).await;
        }
        Beginning::Mean => {
            let mean = Hello { max_data_bytes: 1, initial_credit_bytes: 1, ..hello() };
            out.frame(0, Kind::Hello(mean)).await;
        }
        Beginning::Narrow => {
            let narrow = Hello { max_concurrent_requests: 1, ..hello() };
            out.frame(0, Kind::Hello(narrow)).await;
        }
        Beginning::Leaving => {
            out.frame(0, Kind::Hello(hello())).await;
            out.frame(0, Kind::GoAway(GoAway::default())).await;
        }
        Beginning::Failed => return Err(Status::internal("as asked")),
        Beginning::Ended => return Ok(ReceiverStream::new(receiver)),
        Beginning::Garbage => out.bytes(vec![0xff; 100]).await,
    }
    tokio::spawn(read(beginning, incoming, out));
    Ok(ReceiverStream::new(receiver))
}

async fn read(beginning: Beginning, mut incoming: Streaming<Frames>, out: Out) {
    while let Some(Ok(frames)) = incoming.next().await {
        for frame in frames.frames {
            if let (Some(Kind::Request(request)), true) = (frame.kind, beginning != Beginning::Mute)
            {
                tokio::spawn(misdeed::run(out.clone(), frame.id, *request));
            }
        }
    }
}
