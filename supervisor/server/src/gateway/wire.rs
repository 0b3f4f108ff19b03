//! A client's connection, below HTTP: what hyper does not see.
//!
//! Hyper waits without end for a client that does not take its response, and it closes a connection at once
//! after a refusal, which makes the kernel throw the refusal away if the client was still sending. It can't
//! send a response before the response either. And it notices that a client has gone only while it reads,
//! which it does not do while a pipelined request waits in its buffer, or while nobody takes the body of one.
//! So the socket is shared with whoever serves the connection, and hyper gets it wrapped up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connection::Line;
use super::sniff::Opening;

/// What a client must take in the time for it, so that one which takes a byte now and then does not keep its
/// place for ever.
const STALL_BYTES: usize = 64 << 10;
/// How long, and how much, is still read from a client that was refused while it was sending.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// A socket that others may look at while one reads and writes.
#[derive(Debug, Clone)]
pub(super) struct Socket(pub(super) Arc<TcpStream>);

impl Socket {
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Reads once. A read that leaves room has emptied the socket, which tokio is told as if there had been
    /// nothing: so the next one does not ask the kernel in vain. Nothing is lost by it, since tokio forgets
    /// neither what came meanwhile nor the end.
    fn try_read(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut is_short = false;
        let read = self.0.try_io(Interest::READABLE, || {
            let room = buffer.remaining();
            let read = self.0.try_read_buf(buffer)?;
            is_short = 0 < read && read < room;
            if is_short { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if is_short { Ok(()) } else { read }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write))
    }
}

/// What hyper holds: a socket, or TLS on one.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    /// What was read before hyper came.
    opening: Opening,
    line: Arc<Line>,
    stall: Duration,
    /// Runs from when the client is behind.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What the client took since then.
    taken: usize,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, opening: Opening, line: Arc<Line>, stall: Duration) -> Self {
        Self { stream, opening, line, stall, stalled: None, taken: 0 }
    }

    /// Passes on what became of an attempt to write, unless the client is behind for too long.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_pending() {
            ready!(self.poll_stalled(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        attempt
    }

    fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= STALL_BYTES {
            self.caught_up();
        }
    }

    fn caught_up(&mut self) {
        self.stalled = None;
        self.taken = 0;
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stalled.is_none() {
            self.taken = 0;
        }
        let stall = self.stall;
        self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall))).as_mut().poll(cx)
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Writes what must come before anything of hyper's.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.line.has_ahead() {
            return Poll::Ready(Ok(()));
        }
        let line = self.line.clone();
        let mut ahead = line.ahead();
        while !ahead.is_empty() {
            let attempt = Pin::new(&mut self.stream).poll_write(cx, &ahead);
            let written = ready!(self.watched(cx, attempt))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            ahead.drain(..written);
        }
        line.is_caught_up();
        Poll::Ready(Ok(()))
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ahead(cx))?;
        self.line.is_written_to();
        let attempt = write(Pin::new(&mut self.stream), cx);
        let written = ready!(self.watched(cx, attempt))?;
        self.took(written);
        Poll::Ready(Ok(written))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if !me.opening.give(buffer) {
            return Pin::new(&mut me.stream).poll_read(cx, buffer);
        }
        // Most of the time the rest of the first request has come, too.
        match Pin::new(&mut me.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// That hyper asks means that it has nothing left to write.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        ready!(me.poll_ahead(cx))?;
        let attempt = Pin::new(&mut me.stream).poll_flush(cx);
        ready!(me.watched(cx, attempt))?;
        me.caught_up();
        me.line.is_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let attempt = Pin::new(&mut me.stream).poll_shutdown(cx);
        me.watched(cx, attempt)
    }
}

/// Waits until the client has closed or reset its side. It looks at nothing that the client sent, so it sees
/// the end behind a pipelined request and behind a body that nobody takes, with TLS and without; and it costs
/// no timer. Only behind more than the kernel keeps for a socket there is no end to be seen, since it waits at
/// the client for room: then the time that a request may stand still is what ends it.
pub(super) async fn gone(stream: &TcpStream) {
    // Who waits for urgent data is told the end, too; and no urgent data, since tokio does not ask the kernel
    // for it. An error means that the worker ends, and the connection with it.
    drop(stream.ready(Interest::PRIORITY).await);
}

/// Ends a connection whose client may still be sending: says that nothing more will come, then reads and
/// forgets, bounded in time and bytes, so that the last response is not lost to a reset. With TLS as well,
/// since what is read need not be understood.
pub(super) async fn linger(stream: &TcpStream) {
    // It fails where the client has gone already, which the first read tells as well.
    let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
    let end = Instant::now() + LINGER;
    let mut left = LINGER_BYTES;
    let mut scratch = vec![0; 16 << 10];
    while left > 0 {
        match tokio::time::timeout_at(end, stream.readable()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
        match stream.try_read(&mut scratch) {
            Ok(0) => return,
            Ok(read) => left = left.saturating_sub(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
