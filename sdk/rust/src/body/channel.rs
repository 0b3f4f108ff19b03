//! A body that is written piece by piece, from wherever the author likes.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use super::{BodyError, BoxError};

/// Writes the body of [`Response::channel`](crate::Response::channel) or
/// [`Body::channel`](crate::Body::channel).
///
/// Dropping it before [`Writer::end`] cuts the body off, so that a task which fails or panics never looks
/// as if it had written everything.
#[derive(Debug)]
pub struct Writer(mpsc::Sender<Piece>);

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End(Option<HeaderMap>),
    Failed(BoxError),
}

/// Nobody reads the body any more: the client is gone, the time is up, or another endpoint of the chain
/// has replaced the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl Writer {
    /// Sends a piece, once the one before it is on its way: a client that reads slowly is waited for.
    ///
    /// # Errors
    ///
    /// When nobody reads it any more.
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<(), Gone> {
        self.put(Piece::Data(data.into())).await
    }

    /// Completes the body.
    ///
    /// # Errors
    ///
    /// When nobody reads it any more.
    pub async fn end(self) -> Result<(), Gone> {
        self.put(Piece::End(None)).await
    }

    /// Completes the body with fields after it; see [`Body::trailers`](crate::Body::trailers).
    ///
    /// # Errors
    ///
    /// When nobody reads it any more.
    pub async fn end_with(self, trailers: HeaderMap) -> Result<(), Gone> {
        self.put(Piece::End(Some(trailers))).await
    }

    /// Cuts the body off, and logs why.
    pub async fn fail(self, error: impl Into<BoxError>) {
        // Nobody left to tell is as good.
        let _ = self.put(Piece::Failed(error.into())).await;
    }

    /// Waits until nobody reads the body any more; for those who wait long between two pieces.
    pub async fn gone(&self) {
        self.0.closed().await;
    }

    async fn put(&self, piece: Piece) -> Result<(), Gone> {
        self.0.send(piece).await.map_err(|_| Gone)
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the body any more")
    }
}

impl Error for Gone {}

/// The other end.
pub(super) struct Reader {
    pieces: mpsc::Receiver<Piece>,
    has_ended: bool,
}

/// One piece may wait while another one is sent.
pub(super) fn channel() -> (Writer, Reader) {
    let (writer, pieces) = mpsc::channel(1);
    (Writer(writer), Reader { pieces, has_ended: false })
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(cx));
        self.has_ended = !matches!(piece, Some(Piece::Data(_)));
        Poll::Ready(match piece {
            Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Piece::End(trailers)) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Some(Piece::Failed(error)) => Some(Err(BodyError::source(error))),
            None => Some(Err(BodyError::source("its writer was dropped before the end"))),
        })
    }
}
