//! A client's connection, below HTTP: what hyper does not see.
//!
//! Hyper notices that a client has gone only while it reads, and it does not read while a pipelined request
//! waits in its buffer; it waits without end for a client that does not take its response; and it closes
//! a connection at once after a refusal, which makes the kernel throw the refusal away if the client was
//! still sending. The stream is shared with whoever answers a request so that all three can be mended.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How long a client may take over so much of a response, so that one which takes a byte now and then does
/// not keep its place for ever.
const STALL: Duration = Duration::from_secs(30);
const STALL_BYTES: usize = 64 << 10;
/// How often it is looked whether the client is still there.
const WATCH: Duration = Duration::from_millis(500);
/// How long, and how much, is still read from a client that was refused while it was sending.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// The half that hyper holds.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    stall: Duration,
    /// Runs from when the client is behind.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What the client took since then.
    taken: usize,
}

impl Wire {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream, stall: STALL, stalled: None, taken: 0 }
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    ready!(self.poll_stalled(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.took(*written.as_ref().unwrap_or(&0));
                    return Poll::Ready(written);
                }
            }
        }
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

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket keeps nothing back; but that hyper asks means that it has nothing left to write either.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().caught_up();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}

/// Waits until the client has closed or reset its side. Never looks at what the client sent, so it sees the
/// end behind a pipelined request too, and costs nothing in the first half second.
pub(super) async fn gone(stream: &TcpStream) {
    loop {
        tokio::time::sleep(WATCH).await;
        if is_gone(stream) {
            return;
        }
    }
}

fn is_gone(stream: &TcpStream) -> bool {
    // Hang-up and error are told unasked; nix has no name for the client's own close.
    let asked = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);
    nix::poll::poll(&mut [PollFd::new(stream.as_fd(), asked)], PollTimeout::ZERO)
        .is_ok_and(|count| count > 0)
}

/// Ends a connection whose client may still be sending: says that nothing more will come, then reads and
/// forgets, bounded in time and bytes, so that the last response is not lost to a reset.
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
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    async fn pair(stall: Duration) -> (Wire, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let wire = Wire { stall, ..Wire::new(Arc::new(server)) };
        (wire, client)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_loses_its_connection() {
        let (mut wire, _client) = pair(SHORT).await;
        let error = wire.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_loses_it_too() {
        let (mut wire, mut client) = pair(SHORT).await;
        let trickle = async {
            let mut pause = tokio::time::interval(Duration::from_millis(10));
            let mut byte = [0; 16];
            while client.read_exact(&mut byte).await.is_ok() {
                pause.tick().await;
            }
        };
        let body = vec![0; 64 << 20];
        tokio::select! {
            written = wire.write_all(&body) => assert!(written.is_err()),
            () = trickle => panic!("the server never closes by itself"),
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_its_time_but_takes_it_gets_everything() {
        let (mut wire, mut client) = pair(Duration::from_secs(5)).await;
        let reader = async {
            let mut pause = tokio::time::interval(Duration::from_millis(5));
            let (mut piece, mut read) = (vec![0; 256 << 10], 0);
            while read < 16 << 20 {
                read += client.read(&mut piece).await.unwrap();
                pause.tick().await;
            }
        };
        let body = vec![0; 16 << 20];
        let (written, ()) = tokio::join!(wire.write_all(&body), reader);
        written.unwrap();
    }

    #[tokio::test]
    async fn the_end_of_a_client_shows_behind_what_it_sent() {
        let (wire, mut client) = pair(SHORT).await;
        client.write_all(b"unread").await.unwrap();
        assert!(!is_gone(&wire.stream));
        drop(client);
        tokio::time::timeout(Duration::from_secs(5), gone(&wire.stream)).await.unwrap();
    }
}
