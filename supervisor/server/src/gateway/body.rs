//! The whole body of a request, or the reason why there is none; and the room for bodies both ways.
//!
//! All bodies that are held at a time share one bound: a single one may be small, and ten thousand clients
//! may each send one, or each take their time to read one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::respond::Refusal;

/// The body of what a client gets.
pub(super) type Body = Full<Bytes>;

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

/// Reads `body` to its end. One that says it is too long is not read at all, so that a client which waits for
/// `100 Continue` sends nothing in vain; one that does not say is counted.
pub(super) async fn collect(
    mut body: Incoming,
    limit: usize,
    room: &Room,
) -> Result<Whole, Refusal> {
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let mut whole = Collected::default();
    while let Some(data) = next(&mut body).await? {
        if data.len() > limit - whole.length() {
            return Err(Refusal::BodyTooLarge { limit });
        }
        let place = room.take(data.len())?;
        whole.add(data, place);
    }
    Ok(whole.freeze())
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

    fn add(&mut self, data: Bytes, place: OwnedSemaphorePermit) {
        match &mut self.place {
            Some(taken) => taken.merge(place),
            None => self.place = Some(place),
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

/// The next piece that is not empty. Trailers are dropped: a plain call has no place for them.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        // Hyper ends the connection when the client has gone, and this future with it; so what is left are
        // chunks that are none.
        let frame = frame
            .map_err(|_| Refusal::Malformed("the body is not framed as its headers say".into()))?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
