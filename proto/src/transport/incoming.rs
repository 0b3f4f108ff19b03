//! The connections that arrive at a listener, each judged before it is handed on.

use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{future::Future as _, io};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{self, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;

use super::io::Io;
use super::listener::{Socket, SocketFile};
use super::peer::PeerCheck;
use super::tls::{ALPN, Tls};

/// A peer that has not finished its TLS handshake by then never will.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Beyond this many unfinished handshakes new connections wait in the system's queue.
const MOST_HANDSHAKES: usize = 256;
/// Out of descriptors: accepting again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A stream of connections that have passed all checks, for `serve_with_incoming`.
///
/// It never ends and never fails: a peer that is refused, or a moment without descriptors, is logged
/// and does not disturb the others. TLS handshakes run beside each other, so that a silent peer holds
/// up nobody. Dropping it closes the listener and removes its socket file.
pub struct Incoming {
    socket: Socket,
    tls: Option<TlsAcceptor>,
    check: PeerCheck,
    handshakes: JoinSet<io::Result<Io>>,
    pause: Option<Pin<Box<Sleep>>>,
    _file: Option<SocketFile>,
}

enum Accepted {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

impl Incoming {
    pub(super) fn new(
        socket: Socket,
        file: Option<SocketFile>,
        tls: Option<Tls>,
        check: PeerCheck,
    ) -> Self {
        let tls = tls.map(|tls| TlsAcceptor::from(tls.into_server()));
        Self { socket, tls, check, handshakes: JoinSet::new(), pause: None, _file: file }
    }

    /// The next finished handshake. With none under way there is nothing to wait for.
    fn poll_handshakes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Io>> {
        while let Some(finished) = ready!(self.handshakes.poll_join_next(cx)) {
            match finished {
                Ok(Ok(io)) => return Poll::Ready(Some(io)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "refused a connection in its TLS handshake");
                }
                Err(error) => tracing::error!(%error, "a TLS handshake panicked"),
            }
        }
        Poll::Ready(None)
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| Accepted::Unix(socket))
            }
            Socket::Tcp(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| Accepted::Tcp(socket))
            }
        }
    }

    /// The next connection, unjudged; after a failure it waits before it tries again.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Accepted> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.poll_socket(cx)) {
                Ok(accepted) => return Poll::Ready(accepted),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection; trying again");
                    self.pause = Some(Box::pin(time::sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }

    /// Gives a plain connection, or begins its TLS handshake, or refuses it.
    fn admit(&mut self, accepted: Accepted) -> Option<Io> {
        match accepted {
            Accepted::Unix(socket) => match self.check.judge(socket.as_fd()) {
                Ok(()) => self.secure(socket),
                Err(error) => {
                    tracing::warn!(%error, "refused a connection of a process that is not the peer");
                    None
                }
            },
            Accepted::Tcp(socket) => match socket.set_nodelay(true) {
                Ok(()) => self.secure(socket),
                // Only a connection that is already gone can't be set up.
                Err(_) => None,
            },
        }
    }

    fn secure<S>(&mut self, socket: S) -> Option<Io>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Some(acceptor) = self.tls.clone() else { return Some(Io::new(socket)) };
        self.handshakes.spawn(handshake(acceptor, socket));
        None
    }
}

async fn handshake<S>(acceptor: TlsAcceptor, socket: S) -> io::Result<Io>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = time::timeout(HANDSHAKE_LIMIT, acceptor.accept(socket)).await??;
    if stream.get_ref().1.alpn_protocol() == Some(ALPN) {
        return Ok(Io::new(stream));
    }
    Err(io::Error::other("the client did not agree on HTTP/2; set ALPN \"h2\" in its TLS"))
}

impl Stream for Incoming {
    type Item = io::Result<Io>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(Some(io)) = self.poll_handshakes(cx) {
                return Poll::Ready(Some(Ok(io)));
            }
            if self.handshakes.len() >= MOST_HANDSHAKES {
                return Poll::Pending;
            }
            let accepted = ready!(self.poll_accept(cx));
            if let Some(io) = self.admit(accepted) {
                return Poll::Ready(Some(Ok(io)));
            }
        }
    }
}
