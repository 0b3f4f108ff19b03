//! Sends what a chain has come to.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use hyper::body::Body as HttpBody;
use outboard_proto::frame::SendError;
use outboard_proto::plugin::v1::{self, Header, ResetCode, ResponseFrame};
use outboard_proto::transport::mux::Sending;

use super::chain::{Answer, Broken};
use crate::body::{Body, BodyError};
use crate::fields;
use crate::outcome::Verdict;
use crate::upgrade::Upgrade;

/// A response that does not fit into one frame.
pub(super) struct Delivery {
    sending: Sending,
    frame: ResponseFrame,
    body: Body,
    /// Most that goes with the head.
    first_bytes: usize,
}

/// Sends it, or gives back what takes a task. Most responses are one frame, and then no task is needed.
pub(super) fn send(
    mut sending: Sending,
    answer: Result<Answer, Broken>,
    first_bytes: usize,
) -> Option<Delivery> {
    let Answer { verdict, response } = match answer {
        Ok(answer) => answer,
        Err(broken) => {
            sending.reset(ResetCode::Internal, &broken.to_string());
            return None;
        }
    };
    let outcome = verdict.into_proto().into();
    let mut frame = ResponseFrame { outcome, ..ResponseFrame::default() };
    let mut body = Body::empty();
    if verdict != Verdict::Fail {
        let mut response = response.unwrap_or_default();
        if verdict == Verdict::Refuse {
            response.status = StatusCode::UNAUTHORIZED;
        }
        let head;
        (head, body) = response.into_proto();
        frame.response = Some(head);
    }
    match body.into_whole(first_bytes) {
        Ok(data) => {
            (frame.data, frame.end) = (data, true);
            ignore_over(sending.respond(frame));
            None
        }
        Err(body) => Some(Delivery { sending, frame, body, first_bytes }),
    }
}

/// A request that is over needs no answer; everything else is a mistake of this file.
fn ignore_over(sent: Result<(), SendError>) {
    if let Err(SendError::Illegal(why)) = sent {
        tracing::error!(why, "a response was not sent");
    }
}

impl Delivery {
    /// Ends when everything is on its way, or nobody wants it any more. Dropping it cuts the response off.
    pub(super) async fn run(mut self) {
        if let Some(upgrade) = self.upgrade() {
            ignore_over(self.sending.respond(self.frame));
            return upgrade.run(self.sending).await;
        }
        let piece = match self.begin().await {
            Ok(piece) => piece,
            Err(error) => return self.fail(&error),
        };
        match self.stream(piece).await {
            Ok(()) | Err(Stopped::Over) => {}
            Err(Stopped::Failed(error)) => self.cut_off(&error),
        }
    }

    /// A connection that another status came over is not handed out.
    fn upgrade(&mut self) -> Option<Upgrade> {
        let status = self.frame.response.as_ref()?.status;
        if status == u32::from(StatusCode::SWITCHING_PROTOCOLS.as_u16()) {
            self.body.take_upgrade()
        } else {
            None
        }
    }

    /// Sends the head, with what there is of the body already. Gives what did not fit.
    async fn begin(&mut self) -> Result<Bytes, BodyError> {
        let first = poll_fn(|cx| Poll::Ready(self.body.poll_data(cx))).await;
        let mut piece = match first {
            Poll::Ready(Some(piece)) => piece?,
            Poll::Ready(None) | Poll::Pending => Bytes::new(),
        };
        self.tell_length(piece.len());
        let mut frame = std::mem::take(&mut self.frame);
        frame.data = piece.split_to(piece.len().min(self.first_bytes));
        ignore_over(self.sending.respond(frame));
        Ok(piece)
    }

    /// So that the host need not send chunks. A body with trailers is sent in chunks.
    fn tell_length(&mut self, first: usize) {
        let (Some(rest), None) = (HttpBody::size_hint(&self.body).exact(), self.body.trailers())
        else {
            return;
        };
        let Some(response) = &mut self.frame.response else { return };
        let is_known = |field: &Header| field.name == CONTENT_LENGTH.as_str();
        if !response.headers.iter().any(is_known) {
            let length = first as u64 + rest;
            let value = length.to_string().into();
            response.headers.push(Header { name: CONTENT_LENGTH.as_str().to_owned(), value });
        }
    }

    async fn stream(&mut self, mut piece: Bytes) -> Result<(), Stopped> {
        loop {
            let is_last = self.body.is_end_stream();
            self.sending.send(piece, is_last).await.map_err(|_| Stopped::Over)?;
            if is_last {
                return Ok(());
            }
            piece = match self.next().await? {
                Some(piece) => piece,
                None => return self.end().await,
            };
        }
    }

    /// The next piece, unless the request ends before there is one.
    async fn next(&mut self) -> Result<Option<Bytes>, Stopped> {
        let Self { sending, body, .. } = self;
        poll_fn(|cx| {
            if sending.poll_over(cx).is_ready() {
                return Poll::Ready(Err(Stopped::Over));
            }
            body.poll_data(cx).map(|piece| piece.transpose().map_err(Stopped::Failed))
        })
        .await
    }

    async fn end(&mut self) -> Result<(), Stopped> {
        let ended = match self.body.take_trailers() {
            Some(trailers) => self.sending.trailers(fields::into_proto(&trailers)),
            None => self.sending.send(Bytes::new(), true).await,
        };
        ended.map_err(|_| Stopped::Over)
    }

    /// Nothing was sent yet, so the client can still learn of it. (Where it is the request that was cut off,
    /// there is nobody to learn, and nothing to log.)
    fn fail(mut self, error: &BodyError) {
        if !error.is_cut_off() {
            tracing::error!(%error, "a response has no beginning");
        }
        let outcome = v1::Outcome::Fail.into();
        let frame = ResponseFrame { outcome, end: true, ..ResponseFrame::default() };
        ignore_over(self.sending.respond(frame));
    }

    fn cut_off(self, error: &BodyError) {
        if !error.is_cut_off() {
            tracing::warn!(%error, "a response is cut off");
        }
        self.sending.reset(ResetCode::Internal, &error.to_string());
    }
}

/// Why a body did not get through.
enum Stopped {
    /// The client is gone, or its time is up.
    Over,
    Failed(BodyError),
}
