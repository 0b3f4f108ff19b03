//! The framed path: a host on the same mux that the supervisor uses, and one that writes frames by hand.

mod bodies;
mod endings;
mod messages;

use bytes::Bytes;
use outboard_proto::frame::{Failure, Limits, Role, Settings};
use outboard_proto::plugin::v1::frame::Kind;
use outboard_proto::plugin::v1::http_client::HttpClient;
use outboard_proto::plugin::v1::{
    Frame, Frames, Header, Hello, Informational, Outcome, Request, RequestFrame, Response,
};
use outboard_proto::transport::mux::{Ended, Mux, Part, Receiving, Sending};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming};

use crate::host::{SOON, Start};
use crate::outboard::Fixture;

/// A plugin and one stream to it.
struct Host {
    fixture: Fixture,
    mux: Mux,
    reader: JoinHandle<Ended>,
}

impl Host {
    async fn start() -> Self {
        Self::of(Start::example("streams")).await
    }

    async fn of(start: Start) -> Self {
        let fixture = Fixture::of(start).await;
        let (mux, outgoing) = Mux::new(Role::Host, Settings::default(), Limits::default());
        let inbound = HttpClient::new(fixture.channel()).serve(outgoing).await.unwrap();
        let side = mux.clone();
        let reader = tokio::spawn(async move {
            side.read(inbound.into_inner(), |_, _| unreachable!("plugins open no requests")).await
        });
        soon(mux.ready()).await.unwrap();
        Self { fixture, mux, reader }
    }

    /// A request without a body. The path may have a query.
    fn get(&self, path: &str) -> Box<RequestFrame> {
        request(&self.fixture, path)
    }

    /// A request whose body follows.
    fn post(&self, path: &str) -> Box<RequestFrame> {
        let mut frame = self.get(path);
        "POST".clone_into(&mut frame.request.as_mut().unwrap().method);
        frame.end = false;
        frame
    }

    fn open(&self, frame: Box<RequestFrame>) -> (Sending, Receiving) {
        self.mux.open(frame).unwrap().split()
    }

    async fn ask(&self, frame: Box<RequestFrame>) -> Reply {
        let (_sending, receiving) = self.open(frame);
        Reply::of(receiving).await
    }

    /// Sends a body, whatever comes meanwhile.
    async fn send(&self, path: &str, body: Bytes) -> Reply {
        let (mut sending, receiving) = self.open(self.post(path));
        let sent = tokio::spawn(async move { sending.send(body, true).await });
        let reply = Reply::of(receiving).await;
        // A plugin need not want all of it.
        let _ = sent.await.unwrap();
        reply
    }

    /// Waits for a line of the plugin's log.
    async fn logged(&mut self, text: &str) {
        self.fixture.plugin.logged(text).await;
    }
}

fn request(fixture: &Fixture, path: &str) -> Box<RequestFrame> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let head = Request {
        method: "GET".to_owned(),
        path: Bytes::copy_from_slice(path.as_bytes()),
        query: Some(Bytes::copy_from_slice(query.as_bytes())),
        ..Request::default()
    };
    Box::new(RequestFrame {
        activation: "a-1".to_owned(),
        matches: fixture.matches(path),
        request: Some(head),
        end: true,
        ..RequestFrame::default()
    })
}

/// All that comes back for a request.
#[derive(Debug, Default)]
struct Reply {
    informational: Vec<Informational>,
    response: Option<Response>,
    outcome: Option<Outcome>,
    body: Vec<u8>,
    trailers: Vec<Header>,
    failure: Option<Failure>,
}

impl Reply {
    async fn of(mut receiving: Receiving) -> Self {
        let mut reply = Self::default();
        while let Some(part) = soon(receiving.part()).await {
            match part {
                Ok(Part::Informational(informational)) => reply.informational.push(informational),
                Ok(Part::Response(frame)) => {
                    reply.outcome = Some(frame.outcome());
                    reply.body.extend_from_slice(&frame.data);
                    reply.response = frame.response;
                }
                Ok(Part::Data(data)) => reply.body.extend_from_slice(&data),
                Ok(Part::Trailers(trailers)) => reply.trailers = trailers,
                Err(failure) => reply.failure = Some(failure),
            }
        }
        reply
    }

    fn status(&self) -> u32 {
        assert_eq!(self.failure, None, "{self:?}");
        self.response.as_ref().unwrap().status
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.response.as_ref()?.headers.iter();
        let value = &headers.find(|header| header.name == name)?.value;
        Some(std::str::from_utf8(value).unwrap())
    }

    /// The body of a response that came through.
    fn text(&self) -> &str {
        assert_eq!(self.failure, None, "{self:?}");
        assert_eq!(self.outcome, Some(Outcome::Complete));
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A host that writes its own frames, and sees those of the plugin as they are.
struct ByHand {
    frames: mpsc::UnboundedSender<Frames>,
    inbound: Streaming<Frames>,
    waiting: Vec<Frame>,
}

impl ByHand {
    async fn start(fixture: &Fixture) -> Self {
        let (frames, outgoing) = mpsc::unbounded_channel();
        let outgoing = UnboundedReceiverStream::new(outgoing);
        let inbound = HttpClient::new(fixture.channel()).serve(outgoing).await.unwrap();
        Self { frames, inbound: inbound.into_inner(), waiting: Vec::new() }
    }

    /// All in one message.
    fn send(&self, frames: impl IntoIterator<Item = (u64, Kind)>) {
        let frames = frames.into_iter().map(|(id, kind)| Frame { id, kind: Some(kind) });
        self.frames.send(Frames { frames: frames.collect() }).unwrap();
    }

    fn greet(&self) {
        self.send([(0, Kind::Hello(Hello { version: 1, ..Hello::default() }))]);
    }

    async fn next(&mut self) -> Result<Option<(u64, Kind)>, Status> {
        while self.waiting.is_empty() {
            match soon(self.inbound.message()).await? {
                Some(message) => self.waiting = message.frames,
                None => return Ok(None),
            }
        }
        let Frame { id, kind } = self.waiting.remove(0);
        Ok(Some((id, kind.unwrap())))
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(SOON, future).await.expect("it hangs")
}
