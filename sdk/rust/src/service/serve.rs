//! `Http.Serve`: requests as frames, many at once.
//!
//! One task reads a stream, and does nothing but that: it never waits for a handler or for the writing
//! side. Where the runtime has one thread, it polls each handler once on the spot, as most handlers have
//! their answer at once and a task would cost more than they do; those that have not become tasks.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_util::Stream;
use outboard_proto::frame::{Limits, Role};
use outboard_proto::plugin::v1::{Frames, RequestFrame, ResetCode};
use outboard_proto::transport::mux::{Ended, Exchange, Mux, Outgoing, Sending};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use super::Shared;
use super::answer;
use super::chain::{Broken, Chain};
use crate::go_plugin::Stop;
use crate::plugin::Plugin;
use crate::request::Head;

/// What this side sends. Dropping it ends the stream, and with it all its requests.
pub(crate) struct Replies {
    outgoing: Outgoing,
    mux: Mux,
    reader: Option<AbortOnDropHandle<Ended>>,
    stop: Stop,
    _farewell: AbortOnDropHandle<()>,
}

impl Replies {
    /// Serves a stream.
    pub(super) fn start<P: Plugin>(shared: Arc<Shared<P>>, inbound: Streaming<Frames>) -> Self {
        let (mux, outgoing) = Mux::new(Role::Plugin, shared.settings, Limits::default());
        let stop = shared.stop.clone();
        let farewell = say_farewell(stop.requested(), mux.clone());
        let reader = mux.clone();
        let reader = async move {
            let mut door = Door::new(shared, reader.clone());
            reader.read(inbound, |exchange, frame| door.open(exchange, *frame)).await
        };
        Self {
            outgoing,
            mux,
            reader: Some(AbortOnDropHandle::new(tokio::spawn(reader))),
            stop,
            _farewell: AbortOnDropHandle::new(tokio::spawn(farewell)),
        }
    }

    /// The host ends a stream that goes away; but one that does not must not hold up the end.
    fn has_left(&self) -> bool {
        self.stop.is_requested() && self.mux.is_drained()
    }
}

async fn say_farewell(stop: impl Future<Output = ()>, mux: Mux) {
    stop.await;
    mux.go_away("the plugin stops");
}

impl Stream for Replies {
    type Item = Result<Frames, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.outgoing).poll_next(cx) {
            Poll::Ready(Some(frames)) => return Poll::Ready(Some(Ok(frames))),
            Poll::Pending if self.has_left() => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
        }
        // The stream has ended, so its reader has too, or is about to.
        let Some(reader) = &mut self.reader else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(reader).poll(cx));
        self.reader = None;
        Poll::Ready(match ended {
            Ok(Ended::Broken(malformed)) => {
                Some(Err(Status::invalid_argument(malformed.to_string())))
            }
            Ok(Ended::Closed | Ended::Lost(_)) | Err(_) => None,
        })
    }
}

/// Where requests come in.
struct Door<P: Plugin> {
    shared: Arc<Shared<P>>,
    mux: Mux,
    /// The runtime has one thread.
    is_inline: bool,
    /// Most that the host takes with the head of a response; known from the first request on.
    first_bytes: Option<usize>,
}

impl<P: Plugin> Door<P> {
    fn new(shared: Arc<Shared<P>>, mux: Mux) -> Self {
        let is_inline = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        Self { shared, mux, is_inline, first_bytes: None }
    }

    fn open(&mut self, exchange: Exchange, frame: RequestFrame) {
        let (sending, receiving) = exchange.split();
        let Some(activation) = self.shared.activation(&frame.activation) else {
            let broken = Broken::NoActivation(frame.activation);
            return sending.reset(ResetCode::Internal, &broken.to_string());
        };
        let Ok(head) = Head::framed(frame, &sending, receiving) else {
            return sending.reset(ResetCode::Internal, &Broken::Malformed.to_string());
        };
        let theirs = || self.mux.theirs().max_data_bytes as usize;
        let first_bytes = *self.first_bytes.get_or_insert_with(theirs);
        let mut request = Unanswered { chain: Chain::new(activation, head), sending, first_bytes };
        if self.is_inline {
            let now = Pin::new(&mut request.chain).poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(answer) = now {
                if let Some(delivery) = answer::send(request.sending, answer, first_bytes) {
                    tokio::spawn(delivery.run());
                }
                return;
            }
        }
        // Polled at once, so a wake-up that came too early for it is not missed.
        tokio::spawn(request.run());
    }
}

/// A request whose handler has not come to its end.
struct Unanswered<I> {
    chain: Chain<I>,
    sending: Sending,
    first_bytes: usize,
}

impl<I: Send + Sync + 'static> Unanswered<I> {
    /// Drops the handler when the request is over before it has an answer.
    async fn run(self) {
        let Self { mut chain, mut sending, first_bytes } = self;
        let answer = poll_fn(|cx| {
            if sending.poll_over(cx).is_ready() {
                return Poll::Ready(None);
            }
            Pin::new(&mut chain).poll(cx).map(Some)
        });
        let Some(answer) = answer.await else { return };
        drop(chain);
        if let Some(delivery) = answer::send(sending, answer, first_bytes) {
            delivery.run().await;
        }
    }
}
