//! The wait for a response: the request's body is sent, the time is kept, and what comes before the response
//! is passed on, all in the future of whoever answers the client. For a request that is whole in its first
//! frame that is one look at the exchange, one timer, and nothing else.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::StatusCode;
use outboard_proto::frame::Failure;
use outboard_proto::plugin::v1::{Informational, ResetCode, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Part, Receiving, Sending};
use tokio::time::{Instant, Sleep, sleep_until};

use super::upload::{Stop, Upload};
use crate::gateway::connection::Peer;
use crate::gateway::observe::Reason;
use crate::gateway::terms;
use crate::gateway::times::Times;

/// A request whose response is awaited.
pub(super) struct Asking {
    receiving: Receiving,
    side: Side,
    /// When the request was complete.
    asked: Instant,
}

/// What the host has to say in a request.
pub(super) enum Side {
    /// Nothing more.
    Complete(Sending),
    /// The rest of the body.
    Upload(Box<Upload>),
    /// Whatever the client says once the plugin has accepted an upgrade.
    Open(Sending),
}

/// A response, with all or the beginning of its body.
pub(super) struct Answered {
    pub response: Box<ResponseFrame>,
    pub receiving: Receiving,
    pub side: Side,
}

/// Why there is none.
pub(super) enum Ended {
    /// The plugin did not begin it.
    NotBegun(Side),
    /// It is given up, for any other reason that the stream has.
    Failed(Failure),
    /// The plugin said something that can't be.
    Fault(String),
    /// It is the plugin that was waited for too long.
    Late(Reason),
    /// It is the client.
    SlowBody,
    BodyTooLarge,
    BodyBrokenOff,
}

/// The same, while what there is of the request stays where it is.
enum End {
    Failed(Failure),
    Fault(String),
    Late(Reason),
    Stopped(Stop),
}

impl Asking {
    /// Of what was sent at `asked`.
    pub(super) fn new(
        exchange: Exchange,
        asked: Instant,
        side: impl FnOnce(Sending) -> Side,
    ) -> Self {
        let (sending, receiving) = exchange.split();
        Self { receiving, side: side(sending), asked }
    }

    /// Dropping the future gives the request up.
    pub(super) async fn answer(mut self, peer: &Peer, times: &Times) -> Result<Answered, Ended> {
        let mut sleep = pin!(sleep_until(self.due(times)));
        let end = poll_fn(|cx| self.poll(cx, sleep.as_mut(), peer, times)).await;
        let Self { receiving, side, .. } = self;
        match end {
            Ok(response) => Ok(Answered { response, receiving, side }),
            Err(End::Failed(Failure::Refused)) => Err(Ended::NotBegun(side)),
            Err(End::Failed(failure)) => Err(Ended::Failed(failure)),
            Err(End::Fault(fault)) => Err(Ended::Fault(fault)),
            Err(End::Stopped(Stop::TooLarge)) => Err(Ended::BodyTooLarge),
            Err(End::Stopped(Stop::Unwanted | Stop::BrokenOff)) => Err(Ended::BodyBrokenOff),
            Err(End::Late(reason)) => {
                let is_slow = matches!(&side, Side::Upload(upload) if upload.is_hungry());
                side.reset(ResetCode::Deadline, "no response in time");
                Err(if is_slow { Ended::SlowBody } else { Ended::Late(reason) })
            }
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
        peer: &Peer,
        times: &Times,
    ) -> Poll<Result<Box<ResponseFrame>, End>> {
        loop {
            // First: once it is there, it says what becomes of the rest of the request.
            if let Poll::Ready(response) = self.poll_response(cx, peer) {
                return Poll::Ready(response);
            }
            if let Poll::Ready(stop) = self.poll_upload(cx) {
                return Poll::Ready(Err(End::Stopped(stop)));
            }
            let due = self.due(times);
            // When the request is complete something else is waited for, maybe not as long. Else it is
            // enough to look when the time has come.
            if due < sleep.deadline() {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now < due {
                sleep.as_mut().reset(due);
            } else if now >= times.total {
                return Poll::Ready(Err(End::Late(Reason::RequestTimeout)));
            } else if !self.release() {
                let is_sent = self.side.upload().is_none();
                let reason = if is_sent { Reason::FirstByteTimeout } else { Reason::IdleTimeout };
                return Poll::Ready(Err(End::Late(reason)));
            }
        }
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        peer: &Peer,
    ) -> Poll<Result<Box<ResponseFrame>, End>> {
        loop {
            return Poll::Ready(match self.receiving.poll_part(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(Part::Response(response)))) => Ok(response),
                Poll::Ready(Some(Ok(Part::Informational(informational)))) => {
                    match self.inform(informational, peer) {
                        Ok(()) => continue,
                        Err(fault) => Err(End::Fault(fault)),
                    }
                }
                Poll::Ready(Some(Err(failure))) => Err(End::Failed(failure)),
                // The stream lets nothing of this through.
                Poll::Ready(Some(Ok(Part::Data(_) | Part::Trailers(_))) | None) => {
                    Err(End::Fault("a body without a response".to_owned()))
                }
            });
        }
    }

    fn inform(&mut self, informational: Informational, peer: &Peer) -> Result<(), String> {
        let status = u16::try_from(informational.status).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let Some(status) = status else { return Ok(()) };
        if status == StatusCode::CONTINUE {
            self.release();
            return Ok(());
        }
        let (headers, _) =
            terms::beside(informational.headers).map_err(|error| error.to_string())?;
        peer.inform(status, &headers);
        Ok(())
    }

    /// Ready only if the body can't be sent. A plugin that wants no more of it has something else to say.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        let Some(upload) = self.side.upload() else { return Poll::Pending };
        if upload.held_until().is_some() {
            return Poll::Pending;
        }
        match upload.poll(cx) {
            Poll::Ready(Err(stop @ (Stop::TooLarge | Stop::BrokenOff))) => Poll::Ready(stop),
            Poll::Ready(Ok(()) | Err(Stop::Unwanted)) => {
                self.asked = Instant::now();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Asks the client for the body that it holds back. False: there is none.
    fn release(&mut self) -> bool {
        match self.side.upload() {
            Some(upload) if upload.held_until().is_some() => {
                upload.release();
                true
            }
            Some(_) | None => false,
        }
    }

    fn due(&mut self, times: &Times) -> Instant {
        match self.side.upload() {
            Some(upload) => match upload.held_until() {
                Some(until) => times.total.min(until),
                None => times.still(upload.moved()),
            },
            None => times.head(self.asked),
        }
    }
}

impl Side {
    /// What is still being sent.
    pub(super) fn upload(&mut self) -> Option<&mut Upload> {
        match self {
            Self::Upload(upload) if !upload.is_over() => Some(upload),
            Self::Upload(_) | Self::Complete(_) | Self::Open(_) => None,
        }
    }

    /// Whether nothing more is to be said, or to be heard by the plugin.
    pub(super) fn is_over(&mut self) -> bool {
        self.upload().is_none_or(Upload::is_unwanted)
    }

    /// The plugin has answered, and not with an upgrade: nothing will be said where one was offered.
    pub(super) fn close(&mut self) {
        if let Self::Open(sending) = self {
            let mut cx = Context::from_waker(Waker::noop());
            // The end alone needs no credit, and one that is not wanted any more needs no end.
            let _ = sending.poll_send(&mut cx, &mut Bytes::new(), true);
        }
    }

    /// Gives the request up.
    pub(super) fn reset(self, code: ResetCode, message: &str) {
        match self {
            Self::Complete(sending) | Self::Open(sending) => sending.reset(code, message),
            Self::Upload(upload) => upload.reset(code, message),
        }
    }
}
