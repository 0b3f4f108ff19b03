//! The body of a response, from the plugin to the client.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::Frame;
use outboard_proto::frame::Failure;
use outboard_proto::plugin::v1::Header;
use outboard_proto::transport::mux::{Part, Receiving};
use tokio::time::Instant;

use crate::gateway::observe::{Observer, Reason, Record};
use crate::gateway::terms;

/// A body on its way. Nothing is taken from the plugin before hyper asks for it, and it asks when the client
/// has taken what there was.
#[derive(Debug)]
pub(in crate::gateway) struct Stream {
    receiving: Receiving,
    /// What has been taken from the plugin too early.
    ahead: Option<Part>,
    /// What is left of the length that the plugin declared.
    left: Option<u64>,
    /// The end has come, and nothing is ahead.
    is_over: bool,
    pulse: Arc<Pulse>,
    record: Option<(Record, Observer)>,
}

/// Why a client does not get the rest of a response. It sees the connection or its stream break off.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the response broke off")]
pub(in crate::gateway) struct BrokenOff;

impl Stream {
    /// With `first`, which came with the head. An error says what is wrong with it: what shows so early, the client
    /// can still be told.
    pub(super) fn new(
        receiving: Receiving,
        first: Bytes,
        length: Option<u64>,
        pulse: Arc<Pulse>,
    ) -> Result<Self, Cow<'static, str>> {
        let mut stream =
            Self { receiving, ahead: None, left: length, is_over: false, pulse, record: None };
        let looked = if first.is_empty() {
            stream.look_ahead()
        } else if length.is_some_and(|length| length < first.len() as u64) {
            Err(TOO_LONG)
        } else {
            stream.ahead = Some(Part::Data(first));
            Ok(())
        };
        match looked {
            Ok(()) => Ok(stream),
            Err(Fault::Plugin(problem)) => Err(problem),
            Err(Fault::Host) => Err("".into()),
        }
    }

    /// Tells `record` what becomes of it.
    pub(in crate::gateway) fn observe(&mut self, record: Record, observer: Observer) {
        self.record = Some((record, observer));
    }

    /// What is left, where the plugin has declared it.
    pub(in crate::gateway) fn length(&self) -> Option<u64> {
        self.left
    }

    pub(in crate::gateway) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(in crate::gateway) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = ready!(self.poll_checked(cx));
        self.pulse.beat();
        let frame = frame.map_err(|fault| {
            if let Fault::Plugin(problem) = fault {
                self.pulse.break_off(Reason::BadGateway);
                self.pulse.note(problem);
            }
            BrokenOff
        });
        Poll::Ready(frame.transpose())
    }

    fn poll_checked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Fault>> {
        loop {
            if self.pulse.broken_off().is_some() {
                return Poll::Ready(Err(Fault::Host));
            }
            let part = match self.ahead.take() {
                Some(part) => part,
                None => match ready!(self.receiving.poll_part(cx)) {
                    Some(Ok(part)) => part,
                    Some(Err(failure)) => return Poll::Ready(Err(failure.into())),
                    None => return Poll::Ready(self.end(None)),
                },
            };
            match part {
                Part::Data(data) => return Poll::Ready(self.data(data).map(Some)),
                Part::Trailers(fields) => return Poll::Ready(self.end(Some(fields))),
                // The stream lets nothing of this through.
                Part::Response(_) | Part::Informational(_) => {}
            }
        }
    }

    fn data(&mut self, data: Bytes) -> Result<Frame<Bytes>, Fault> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(data.len() as u64).ok_or(TOO_LONG)?;
        }
        self.look_ahead()?;
        if let Some((record, _)) = &mut self.record {
            record.sent(data.len());
        }
        Ok(Frame::data(data))
    }

    /// Looks whether this was the last piece, so that the end goes with it where it is known. Nobody is woken for
    /// what comes later: who asks for the next piece is.
    fn look_ahead(&mut self) -> Result<(), Fault> {
        match self.receiving.poll_part(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(part))) => {
                // Hyper does not ask for more than was declared, so this is the last chance to see it.
                if self.left == Some(0) && matches!(part, Part::Data(_)) {
                    return Err(TOO_LONG);
                }
                self.ahead = Some(part);
            }
            Poll::Ready(Some(Err(failure))) => return Err(failure.into()),
            Poll::Ready(None) => {
                self.end(None)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<Vec<Header>>) -> Result<Option<Frame<Bytes>>, Fault> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(Fault::of("the body is shorter than its content-length"));
        }
        self.is_over = true;
        let Some(fields) = trailers else { return Ok(None) };
        let (headers, dropped) =
            terms::beside(fields).map_err(|error| Fault::Plugin(error.to_string().into()))?;
        if dropped > 0 {
            self.pulse.note("its trailers hold fields that belong before the body".into());
        }
        Ok((!headers.is_empty()).then(|| Frame::trailers(headers)))
    }
}

const TOO_LONG: Fault = Fault::of("the body is longer than its content-length");

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some((record, observer)) = &mut self.record {
            match self.pulse.broken_off() {
                Some(reason) => record.refused(observer, reason),
                // Hyper asks for no more than was declared, and so may not have seen the end.
                None if self.is_over || self.left == Some(0) => record.complete(),
                None => {}
            }
        }
        self.pulse.stop();
    }
}

/// Why a response breaks off.
#[derive(Debug, Clone)]
enum Fault {
    /// The [`watch`](super::watch) knows.
    Host,
    Plugin(Cow<'static, str>),
}

impl Fault {
    const fn of(problem: &'static str) -> Self {
        Self::Plugin(Cow::Borrowed(problem))
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Plugin(super::describe(&failure).into())
    }
}

/// What a [`Stream`] and the [`watch`](super::watch) beside it know of each other.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// When something moved last, in microseconds from `began`.
    moved: AtomicU64,
    /// Hyper has no more use for the stream.
    has_stopped: AtomicBool,
    /// Why the rest is not sent.
    broken_off: OnceLock<Reason>,
    watcher: AtomicWaker,
    /// What is to be said about the plugin.
    fault: Mutex<Option<Cow<'static, str>>>,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            moved: AtomicU64::new(0),
            has_stopped: AtomicBool::new(false),
            broken_off: OnceLock::new(),
            watcher: AtomicWaker::new(),
            fault: Mutex::default(),
        })
    }

    /// Of a response that needs no stream.
    pub(super) fn stopped() -> Arc<Self> {
        let pulse = Self::new();
        pulse.stop();
        pulse
    }

    /// Something moved.
    pub(super) fn beat(&self) {
        let moved = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.moved.store(moved, Ordering::Relaxed);
    }

    pub(super) fn moved(&self) -> Instant {
        self.began + Duration::from_micros(self.moved.load(Ordering::Relaxed))
    }

    /// Nobody asks for more.
    pub(super) fn stop(&self) {
        self.has_stopped.store(true, Ordering::Release);
        self.watcher.wake();
    }

    /// Ready when nobody asks for more.
    pub(super) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.watcher.register(cx.waker());
        if self.has_stopped.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Lets the stream break off, at the latest when it is asked next. The first reason counts.
    pub(super) fn break_off(&self, reason: Reason) {
        let _ = self.broken_off.set(reason);
    }

    fn broken_off(&self) -> Option<Reason> {
        self.broken_off.get().copied()
    }

    fn note(&self, problem: Cow<'static, str>) {
        self.fault().get_or_insert(problem);
    }

    /// What is to be said about the plugin.
    pub(super) fn take_fault(&self) -> Option<Cow<'static, str>> {
        self.fault().take()
    }

    fn fault(&self) -> MutexGuard<'_, Option<Cow<'static, str>>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
