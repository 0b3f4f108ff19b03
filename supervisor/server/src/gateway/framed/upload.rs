//! The body of a request, from the client to the plugin.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as _, Incoming};
use outboard_core::route::hygiene;
use outboard_proto::plugin::v1::{Header, ResetCode};
use outboard_proto::transport::mux::Sending;
use tokio::time::Instant;

use crate::gateway::observe::Meter;

/// How long a client that waits to be told waits for the plugin.
const HOLD: Duration = Duration::from_secs(1);

/// A body on its way. Nothing is taken from the client before the plugin takes what was taken before.
#[derive(Debug)]
pub(super) struct Upload {
    body: Incoming,
    sending: Sending,
    /// Taken from the client, and not by the plugin.
    piece: Bytes,
    /// Nothing follows the piece.
    is_last: bool,
    has_begun: bool,
    meter: Option<Meter>,
    /// How much more the client may send.
    left: u64,
    /// Until then the client is not asked for anything.
    held_until: Option<Instant>,
    moved: Instant,
    /// Whether it is the client that is waited for.
    is_hungry: bool,
    /// Nothing more is sent, for whatever reason.
    is_over: bool,
}

/// Why the rest of a body is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nobody wants it.
    Unwanted,
    TooLarge,
    /// The client broke it off.
    BrokenOff,
}

impl Upload {
    /// Of at most `limit` bytes. With `is_held` it waits for the plugin to ask, for a while.
    pub(super) fn new(
        body: Incoming,
        sending: Sending,
        meter: Option<Meter>,
        limit: u64,
        is_held: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            body,
            sending,
            piece: Bytes::new(),
            is_last: false,
            has_begun: false,
            meter,
            left: limit,
            held_until: is_held.then(|| now + HOLD),
            moved: now,
            // A client that was not told to send is not slow.
            is_hungry: !is_held,
            is_over: false,
        }
    }

    /// Asks the client for its body from now on.
    pub(super) fn release(&mut self) {
        if self.held_until.take().is_some() {
            self.moved = Instant::now();
            self.is_hungry = true;
        }
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// When it got on last.
    pub(super) fn moved(&self) -> Instant {
        self.moved
    }

    /// Whether it is the client that is waited for.
    pub(super) fn is_hungry(&self) -> bool {
        self.is_hungry
    }

    /// Whether nothing more is sent.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends what there is. Ready, once, when all of it is on its way or no more will be.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let polled = self.poll_on(cx);
        self.is_over = polled.is_ready();
        polled
    }

    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        loop {
            if self.is_last || !self.piece.is_empty() {
                match self.poll_send(cx) {
                    Poll::Ready(Ok(())) if !self.is_last => {}
                    sent => return sent,
                }
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.has_begun = true;
                    self.moved = Instant::now();
                    match frame.into_data() {
                        Ok(data) => self.take(data)?,
                        Err(frame) => {
                            let trailers = frame.into_trailers().unwrap_or_default();
                            return Poll::Ready(self.end(&trailers));
                        }
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Stop::BrokenOff)),
                Poll::Ready(None) => self.is_last = true,
                Poll::Pending => {
                    self.is_hungry = true;
                    return self.sending.poll_over(cx).map(|()| Err(Stop::Unwanted));
                }
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let before = self.piece.len();
        let sent = self.sending.poll_send(cx, &mut self.piece, self.is_last);
        if self.piece.len() != before {
            self.moved = Instant::now();
        }
        self.is_hungry = false;
        sent.map_err(|_| Stop::Unwanted)
    }

    fn take(&mut self, data: Bytes) -> Result<(), Stop> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or(Stop::TooLarge)?;
        if let Some(meter) = &self.meter {
            meter.add(data.len());
        }
        self.piece = data;
        self.is_last = self.body.is_end_stream();
        Ok(())
    }

    fn end(&mut self, trailers: &HeaderMap) -> Result<(), Stop> {
        let mut fields = Vec::with_capacity(trailers.len());
        for (name, value) in trailers {
            if hygiene::may_trail(name.as_str()) {
                let value = Bytes::copy_from_slice(value.as_bytes());
                fields.push(Header { name: name.as_str().to_owned(), value });
            }
        }
        self.sending.trailers(fields).map_err(|_| Stop::Unwanted)
    }

    /// Whether the plugin wants no more of it.
    pub(super) fn is_unwanted(&mut self) -> bool {
        self.sending.poll_over(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// The body, if nothing of it was taken, and who counts it.
    pub(super) fn into_untouched(self) -> Option<(Incoming, Option<Meter>)> {
        (!self.has_begun).then_some((self.body, self.meter))
    }

    /// Gives the request up.
    pub(super) fn reset(self, code: ResetCode, message: &str) {
        self.sending.reset(code, message);
    }
}
