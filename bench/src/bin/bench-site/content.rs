//! What the site has to say, whoever asks.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Of the piece that long bodies are made of, and of a large page.
const PIECE_BYTES: usize = 64 << 10;

static PIECE: [u8; PIECE_BYTES] = [b'x'; PIECE_BYTES];

/// A page of 17 bytes or of 64 KiB.
pub(crate) async fn page(size: &str) -> Option<Bytes> {
    // Most handlers wait for something once; one that answers at its first poll would be a special case.
    tokio::task::yield_now().await;
    match size {
        "small" => Some(Bytes::from_static(b"hello from inside")),
        "large" => Some(Bytes::from_static(&PIECE)),
        _ => None,
    }
}

/// A body of any length that is made while it is read: one piece again and again.
pub(crate) struct Pieces {
    piece: Bytes,
    left: u64,
}

impl Pieces {
    pub(crate) fn of_length(length: u64) -> Self {
        Self { piece: Bytes::from_static(&PIECE), left: length }
    }

    /// These bytes, once.
    pub(crate) fn once(piece: Bytes) -> Self {
        Self { left: piece.len() as u64, piece }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let piece = self.piece.slice(..self.piece.len().min(most));
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
