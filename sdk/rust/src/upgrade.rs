//! What becomes of a connection that leaves HTTP.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::thread;

use bytes::{Buf as _, Bytes};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use outboard_proto::frame::SendError;
use outboard_proto::transport::mux::Sending;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::Body;

/// Larger ones are written in several steps.
const WRITE_BYTES: usize = 64 * 1024;

type Then = Box<dyn FnOnce(Upgraded) -> BoxFuture<'static, ()> + Send>;

/// What an author wants to do with a connection.
pub(crate) struct Upgrade {
    incoming: Body,
    then: Then,
}

/// A connection after [`Response::upgrade`](crate::Response::upgrade): bytes both ways, and no HTTP.
///
/// `shutdown` ends what is written, as with a socket, and so does dropping it; the other side may still be
/// read after the first. Writing waits for a client that does not read. Nothing is buffered, so `flush` does
/// nothing.
pub struct Upgraded {
    incoming: Body,
    /// What came in and did not fit.
    piece: Bytes,
    writing: Arc<Mutex<Writing>>,
}

/// The author's future writes, and whoever runs it looks whether the client is gone.
struct Writing {
    sending: Sending,
    has_ended: bool,
}

impl Upgrade {
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        incoming: Body,
        then: impl FnOnce(Upgraded) -> F + Send + 'static,
    ) -> Self {
        Self { incoming, then: Box::new(|upgraded| then(upgraded).boxed()) }
    }

    /// Runs the author's future until it ends or the client is gone.
    pub(crate) fn run(self, sending: Sending) -> impl Future<Output = ()> + Send {
        let writing = Arc::new(Mutex::new(Writing { sending, has_ended: false }));
        let (incoming, piece) = (self.incoming, Bytes::new());
        let mut then = (self.then)(Upgraded { incoming, piece, writing: Arc::clone(&writing) });
        std::future::poll_fn(move |cx| {
            if lock(&writing).poll_gone(cx).is_ready() {
                return Poll::Ready(());
            }
            then.as_mut().poll(cx)
        })
    }
}

impl Writing {
    /// A request is over also when both sides have ended, but not before this one has.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended { Poll::Pending } else { self.sending.poll_over(cx) }
    }

    /// How much of it is on its way.
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let data = &data[..data.len().min(WRITE_BYTES)];
        let mut left = Bytes::copy_from_slice(data);
        match self.sending.poll_send(cx, &mut left, false) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error))),
            Poll::Pending if left.len() == data.len() => Poll::Pending,
            Poll::Pending | Poll::Ready(Ok(())) => Poll::Ready(Ok(data.len() - left.len())),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_ended {
            ready!(self.sending.poll_send(cx, &mut Bytes::new(), true)).map_err(broken)?;
            self.has_ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

fn broken(error: SendError) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error)
}

fn lock(writing: &Mutex<Writing>) -> MutexGuard<'_, Writing> {
    writing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.piece.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(piece) => self.piece = piece?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.piece.len().min(buffer.remaining());
        buffer.put_slice(&self.piece[..length]);
        self.piece.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        lock(&self.writing).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.writing).poll_end(cx)
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        // After a panic the other side shall not take it for an orderly end.
        if !thread::panicking() {
            // An end without data needs neither credit nor room, so it is never pending.
            let _ = lock(&self.writing).poll_end(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}
