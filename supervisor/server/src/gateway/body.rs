//! The bodies of replies; the whole body of a request, or the reason why there is none; and the room for
//! bodies both ways.
//!
//! All bodies that are held at a time share one bound: a single one may be small, and ten thousand clients
//! may each send one, or each take their time to read one. Those that pass in pieces need no room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::framed::{BrokenOff, Stream};
use super::refusal::Refusal;
use super::times::Times;

/// The body of what a client gets.
#[derive(Debug)]
pub(super) enum Body {
    /// All of it, until it is taken.
    Whole(Bytes),
    /// Comes from a plugin, a piece at a time. Boxed, so that a reply without one is small: it is moved about.
    Stream(Box<Stream>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => {
                stream.length().map_or_else(SizeHint::new, SizeHint::with_exact)
            }
        }
    }
}

/// Room for the bodies of all requests and responses together, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A body and the room it takes, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Whole {
    pub bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// The body of a response, which takes room until the last of it is written.
    pub(super) fn hold(&self, bytes: Bytes) -> Result<Bytes, Refusal> {
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let place = self.take(bytes.len())?;
        Ok(Bytes::from_owner(Held { bytes, _place: place }))
    }

    /// Nobody waits for room: those who have it may be waiting for their clients.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::Busy)?;
        self.0.clone().try_acquire_many_owned(bytes).map_err(|_| Refusal::Busy)
    }
}

/// What the bytes of a response own: hyper lets go of a body when it has queued it, but of its bytes only when
/// they are written.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads `body` to its end, while it comes in time. One that says it is too long is not read at all, so that
/// a client which waits for `100 Continue` sends nothing in vain; one that does not say is counted.
pub(super) async fn collect(
    mut body: Incoming,
    limit: u64,
    times: &Times,
    room: &Room,
) -> Result<Whole, Refusal> {
    if body.size_hint().lower() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let mut whole = Collected::default();
    while let Some(data) = next(&mut body, times).await? {
        if data.len() as u64 > limit - whole.length() as u64 {
            return Err(Refusal::BodyTooLarge { limit });
        }
        let place = room.take(data.len())?;
        whole.add(data, Some(place));
    }
    Ok(whole.freeze())
}

/// Reads a body that is known to be small, while it comes in time. It takes no room: a connection holds more
/// than that anyway.
pub(super) async fn collect_small(mut body: Incoming, times: &Times) -> Result<Bytes, Refusal> {
    let mut whole = Collected::default();
    while let Some(data) = next(&mut body, times).await? {
        whole.add(data, None);
        if body.is_end_stream() {
            break;
        }
    }
    Ok(whole.freeze().bytes)
}

/// Pieces put together. Most bodies are one piece, which is not copied.
#[derive(Default)]
struct Collected {
    first: Bytes,
    all: BytesMut,
    place: Option<OwnedSemaphorePermit>,
}

impl Collected {
    fn length(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn add(&mut self, data: Bytes, place: Option<OwnedSemaphorePermit>) {
        match (&mut self.place, place) {
            (Some(taken), Some(place)) => taken.merge(place),
            (_, place) => self.place = place,
        }
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    fn freeze(self) -> Whole {
        let bytes = if self.all.is_empty() { self.first } else { self.all.freeze() };
        Whole { bytes, _place: self.place }
    }
}

/// What is wrong with a body that breaks off. Hyper ends the connection when the client has gone, and with it
/// the future of whoever answers; so what is left are chunks that are none.
pub(super) const BROKEN: Refusal =
    Refusal::Malformed(std::borrow::Cow::Borrowed("the body is not framed as its headers say"));

/// The next piece that is not empty. Trailers are dropped: there is no place for them.
async fn next(body: &mut Incoming, times: &Times) -> Result<Option<Bytes>, Refusal> {
    let until = times.still(Instant::now());
    while let Some(frame) =
        tokio::time::timeout_at(until, body.frame()).await.map_err(|_| Refusal::SlowBody)?
    {
        if let Ok(data) = frame.map_err(|_| BROKEN)?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
