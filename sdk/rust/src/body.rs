//! Bodies, of requests and of responses: whole, or in pieces as they come.

mod channel;
mod error;
mod gathering;
mod incoming;

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::upgrade::Upgrade;

pub use channel::{Gone, Writer};
pub use error::{BodyError, BoxError};
pub(crate) use gathering::Gathering;
pub(crate) use incoming::Incoming;

/// How much of a file is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The body of a request or response.
///
/// It is made from whatever holds bytes ([`From`]), from a stream, a reader, another HTTP body, or a
/// [`Writer`]. It is read with [`Body::next`], or as what it implements: a [`Stream`] of `Bytes`, and the
/// `Body` of `http-body`, which hyper, reqwest and axum know. A body that is not read costs its sender
/// nothing but patience: pieces come only as fast as they are taken.
///
/// ```
/// use outboard_sdk::{Body, BodyError, Bytes};
///
/// async fn longest_piece(mut body: Body) -> Result<usize, BodyError> {
///     let mut longest = 0;
///     while let Some(piece) = body.next().await {
///         longest = longest.max(piece?.len());
///     }
///     Ok(longest)
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pieces = futures_util::stream::iter([Ok::<_, BodyError>("one"), Ok("three")]);
/// assert_eq!(longest_piece(Body::stream(pieces)).await.unwrap(), 5);
/// # });
/// ```
#[derive(Default)]
pub struct Body {
    kind: Kind,
    /// Those that follow, for a response; those that came, once a body was read to its end.
    trailers: Option<Box<HeaderMap>>,
}

enum Kind {
    /// What is left of it.
    Whole(Bytes),
    Source(Exclusive<Source>),
    /// Two handlers of a chain have the same response.
    Shared(Arc<Mutex<Body>>),
    /// No body, but what becomes of the connection.
    Upgrade(Exclusive<Box<Upgrade>>),
    Taken,
}

type Source = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

impl Body {
    /// No bytes at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The pieces of a stream. An error cuts the body off, and is logged.
    pub fn stream<D: Into<Bytes>, E: Into<BoxError>>(
        stream: impl Stream<Item = Result<D, E>> + Send + 'static,
    ) -> Self {
        Self::wrap(StreamBody::new(stream.map(|piece| piece.map(|data| Frame::data(data.into())))))
    }

    /// What a reader gives, such as a file. An error cuts the body off, and is logged.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::stream(ReaderStream::with_capacity(reader, PIECE_BYTES))
    }

    /// A body of another library, with its trailers.
    pub fn wrap<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let source: Source = Box::pin(body.map_err(BodyError::source));
        Self::of(Kind::Source(Exclusive::new(source)))
    }

    /// A body and what writes it.
    pub fn channel() -> (Writer, Self) {
        let (writer, reader) = channel::channel();
        (writer, Self::of(Kind::Source(Exclusive::new(Box::pin(reader)))))
    }

    /// The same, with fields after it. Fields that the source itself ends with are added.
    #[must_use]
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        self.trailers = Some(Box::new(trailers));
        self
    }

    /// The next piece, never empty; `None` after the last one.
    ///
    /// # Errors
    ///
    /// When the body was cut off, or its source failed; nothing follows then.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped has taken nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// All that is left, if it is at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// When there is more, the body was cut off, or its source failed.
    pub async fn bytes_up_to(self, limit: usize) -> Result<Bytes, BodyError> {
        Gathering::new(self).bytes_up_to(limit).await.map(|(data, _)| data)
    }

    /// Fields after the body: known once [`Body::next`] has given `None`, or before that where
    /// [`Body::with_trailers`] has set them. Default: none.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    /// The body, if it is here as a whole, as those of most responses are.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Whole(data) => Some(data),
            Kind::Source(_) | Kind::Shared(_) | Kind::Upgrade(_) | Kind::Taken => None,
        }
    }

    /// The body, if it is here as a whole, of at most that many bytes, and nothing follows it.
    pub(crate) fn into_whole(self, limit: usize) -> Result<Bytes, Self> {
        match self {
            Self { kind: Kind::Whole(data), trailers: None } if data.len() <= limit => Ok(data),
            body => Err(body),
        }
    }

    /// To read it line by line, or with whatever takes a reader.
    pub fn into_reader(self) -> impl AsyncBufRead + Send + Sync + Unpin + 'static {
        StreamReader::new(self)
    }

    pub(crate) fn upgrade(upgrade: Upgrade) -> Self {
        Self::of(Kind::Upgrade(Exclusive::new(Box::new(upgrade))))
    }

    /// One that is gone already, and says so.
    pub(crate) fn taken() -> Self {
        Self::of(Kind::Taken)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, trailers: None }
    }

    /// Another handle to the same body: what one reads, the other does not see. Whole ones are copied.
    pub(crate) fn share(&mut self) -> Self {
        let (kept, given) = match mem::take(&mut self.kind) {
            Kind::Whole(data) => (Kind::Whole(data.clone()), Kind::Whole(data)),
            Kind::Shared(body) => (Kind::Shared(Arc::clone(&body)), Kind::Shared(body)),
            kind @ (Kind::Source(_) | Kind::Upgrade(_) | Kind::Taken) => {
                let body = Arc::new(Mutex::new(Self::of(kind)));
                (Kind::Shared(Arc::clone(&body)), Kind::Shared(body))
            }
        };
        self.kind = kept;
        Self { kind: given, trailers: self.trailers.clone() }
    }

    /// What becomes of the connection, where this is no body.
    pub(crate) fn take_upgrade(&mut self) -> Option<Upgrade> {
        match mem::take(&mut self.kind) {
            Kind::Upgrade(upgrade) => return Some(*upgrade.into_inner()),
            Kind::Shared(body) => {
                let taken = lock(&body).take_upgrade();
                self.kind = Kind::Shared(body);
                return taken;
            }
            kind @ (Kind::Whole(_) | Kind::Source(_) | Kind::Taken) => self.kind = kind,
        }
        None
    }

    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(|trailers| *trailers)
    }

    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let frame = match &mut self.kind {
                Kind::Whole(data) if data.is_empty() => return Poll::Ready(None),
                Kind::Whole(data) => return Poll::Ready(Some(Ok(mem::take(data)))),
                Kind::Source(source) => ready!(source.get_mut().as_mut().poll_frame(cx)),
                Kind::Shared(body) => ready!(Pin::new(&mut *lock(body)).poll_frame(cx)),
                Kind::Upgrade(_) | Kind::Taken => Some(Err(BodyError::taken())),
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if data.is_empty() => {}
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                last => {
                    self.kind = Kind::default();
                    return Poll::Ready(self.end(last));
                }
            }
        }
    }

    /// Nothing more comes: because of an error, or after trailers, or just so.
    fn end(
        &mut self,
        last: Option<Result<Result<Bytes, Frame<Bytes>>, BodyError>>,
    ) -> Option<Result<Bytes, BodyError>> {
        let trailers = match last? {
            Ok(Ok(_)) => None,
            Ok(Err(frame)) => frame.into_trailers().ok(),
            Err(error) => return Some(Err(error)),
        };
        self.trailers.get_or_insert_default().extend(trailers?);
        None
    }
}

fn lock(body: &Mutex<Body>) -> std::sync::MutexGuard<'_, Body> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_data(cx)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match ready!(self.poll_data(cx)) {
            Some(data) => Some(data.map(Frame::data)),
            None => self.take_trailers().map(|trailers| Ok(Frame::trailers(trailers))),
        })
    }

    fn is_end_stream(&self) -> bool {
        let has_data = match &self.kind {
            Kind::Whole(data) => !data.is_empty(),
            Kind::Source(source) => source.with(|source| !source.is_end_stream()),
            Kind::Shared(body) => !lock(body).is_end_stream(),
            Kind::Upgrade(_) | Kind::Taken => true,
        };
        !has_data && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(data) => SizeHint::with_exact(data.len() as u64),
            Kind::Source(source) => source.with(HttpBody::size_hint),
            Kind::Shared(body) => HttpBody::size_hint(&*lock(body)),
            Kind::Upgrade(_) | Kind::Taken => SizeHint::default(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(data: Bytes) -> Self {
        Self::of(Kind::Whole(data))
    }
}

impl From<Vec<u8>> for Body {
    fn from(data: Vec<u8>) -> Self {
        Bytes::from(data).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(data: &'static [u8]) -> Self {
        Bytes::from_static(data).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Whole(data) => write!(f, "Body({} bytes)", data.len()),
            Kind::Source(_) | Kind::Shared(_) => f.write_str("Body(in pieces)"),
            Kind::Upgrade(_) => f.write_str("Body(upgrade)"),
            Kind::Taken => f.write_str("Body(taken)"),
        }
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// What only one place touches at a time. The lock is free whenever it is taken; it makes the contents fit
/// for any thread.
struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
