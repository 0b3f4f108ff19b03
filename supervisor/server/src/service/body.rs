//! The body of a request: it must come in time, and all of them together have an end.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::reply::Refused;

/// Room for the bodies that are being read or worked on.
#[derive(Debug, Clone)]
pub(super) struct Space(Arc<Semaphore>);

/// What one request has taken of it, to be held until it is answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

/// A body within its bounds.
pub(super) struct Bounded {
    inner: Incoming,
    space: Space,
    held: Held,
    late: Pin<Box<Sleep>>,
}

/// Why a body is not read to its end. The status is what gRPC finds there and answers with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the body did not arrive in time")]
    Late(#[source] Status),
    #[error("too many bodies are being read; try again later")]
    Full(#[source] Status),
    #[error("the body broke off")]
    Cut(#[source] hyper::Error),
}

impl Space {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Bounds `inner`, which must have come after `limit`.
    pub(super) fn bound(&self, inner: Incoming, limit: Duration) -> (Bounded, Held) {
        let held = Held::default();
        let late = Box::pin(sleep(limit));
        (Bounded { inner, space: self.clone(), held: held.clone(), late }, held)
    }

    fn take(&self, bytes: usize, held: &Held) -> Result<(), Broken> {
        let bytes = u32::try_from(bytes).map_err(|_| Broken::full())?;
        let more = self.0.clone().try_acquire_many_owned(bytes).map_err(|_| Broken::full())?;
        let mut held = held.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

impl Broken {
    fn late() -> Self {
        Self::Late(Status::deadline_exceeded("the message did not arrive in time"))
    }

    fn full() -> Self {
        Self::Full(Status::resource_exhausted("too many messages are being read; try again later"))
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.late.as_mut().poll(cx));
                return Poll::Ready(Some(Err(Broken::late())));
            }
        };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(Broken::Cut).and_then(|frame| {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.space.take(length, &self.held).map(|()| frame)
        });
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// All of a body of at most `most` bytes. What is called `what` is named if it is larger.
pub(super) async fn whole(
    parts: &Parts,
    mut body: axum::body::Body,
    most: usize,
    what: &str,
) -> Result<Bytes, Refused> {
    let too_large = || {
        Refused::new(
            413,
            format!("{what} is larger than {most} bytes; send less, or raise events.max_event"),
        )
    };
    let said = parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    if said.is_some_and(|said: u64| said > u64::try_from(most).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refused(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.remaining() > most - all.len() {
            return Err(too_large());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

fn refused(error: &axum::Error) -> Refused {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<Broken>() {
            Some(broken @ Broken::Late(_)) => return Refused::new(408, broken.to_string()),
            Some(broken @ Broken::Full(_)) => {
                return Refused::new(503, broken.to_string()).retry_after(Duration::from_secs(1));
            }
            Some(broken @ Broken::Cut(_)) => return Refused::new(400, broken.to_string()),
            None => cause = error.source(),
        }
    }
    Refused::new(400, "the body broke off")
}
