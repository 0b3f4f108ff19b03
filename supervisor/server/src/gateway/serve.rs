//! One connection from its first byte to its last: what it speaks is found out, spoken, and ended in order.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::connection::{Line, Peer};
use super::handle::Door;
use super::http1::Ended;
use super::http2::Spawner;
use super::observe::Reason;
use super::sniff::{Opening, Version};
use super::tls::{Accepted, Tls};
use super::wire::{self, Socket, Wire};
use super::{Settings, http1 as one, http2 as two};

/// How long a client may take for the last words to it, which fit into any buffer that is not full already.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a connection, or the last of a response, to the end of the next request's head.
    pub head: Duration,
    /// For a little of what there is for it.
    pub stall: Duration,
}

/// What the connections of a worker have in common.
pub(super) struct Server {
    pub door: Door,
    pub http1: http1::Builder,
    pub http2: http2::Builder<Spawner>,
    pub max_headers: usize,
    pub patience: Patience,
    pub closing: CancellationToken,
    tls: Option<Arc<Tls>>,
}

impl Server {
    pub(super) fn new(settings: &Settings, patience: Patience, door: Door) -> Self {
        Self {
            http1: one::builder(settings, patience.head),
            http2: two::builder(settings, patience, door.tasks.clone()),
            max_headers: settings.max_headers,
            patience,
            closing: door.tasks.closing().clone(),
            tls: settings.tls.clone(),
            door,
        }
    }

    pub(super) async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        address: IpAddr,
        line: Arc<Line>,
    ) {
        let stream = Arc::new(stream);
        let peer = Peer::new(address, self.tls.is_some(), line.clone());
        let is_sending = match &self.tls {
            None => self.plain(&stream, &peer, line.clone()).await,
            // Boxed, so that a connection without TLS does not take the room of one with.
            Some(tls) => Box::pin(self.secure(tls, &stream, &peer, line.clone())).await,
        };
        if is_sending {
            tokio::select! {
                () = self.closing.cancelled() => {}
                () = wire::linger(&stream) => {}
            }
        }
    }

    /// True if the client may still be sending, as in what follows.
    async fn plain(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        peer: &Peer,
        line: Arc<Line>,
    ) -> bool {
        let mut socket = Socket(stream.clone());
        let mut opening = Opening::default();
        let version = tokio::select! {
            biased;
            version = opening.sniff(&mut socket) => version,
            () = tokio::time::sleep(self.patience.head) => {
                return !opening.is_empty() && self.late(&mut socket).await;
            }
            () = self.closing.cancelled() => return false,
        };
        let Ok(Some(version)) = version else { return false };
        let wire = Wire::new(socket, opening, line, self.patience.stall);
        match version {
            Version::One => self.http1(wire, peer, stream).await,
            Version::Two => {
                Box::pin(two::speak(self, wire, peer, stream)).await;
                true
            }
        }
    }

    async fn secure(
        self: &Arc<Self>,
        tls: &Tls,
        stream: &Arc<TcpStream>,
        peer: &Peer,
        line: Arc<Line>,
    ) -> bool {
        let mut socket = Socket(stream.clone());
        let accepted = tokio::select! {
            biased;
            accepted = tls.accept(&socket) => accepted,
            () = tokio::time::sleep(self.patience.head) => return false,
            () = self.closing.cancelled() => return false,
        };
        match accepted {
            Ok(Accepted::Secured { stream: secured, version }) => {
                let wire = Wire::new(secured, Opening::default(), line, self.patience.stall);
                match version {
                    Version::One => self.http1(wire, peer, stream).await,
                    Version::Two => {
                        two::speak(self, wire, peer, stream).await;
                        true
                    }
                }
            }
            Ok(Accepted::NoTls) => refuse(&mut socket, NO_TLS).await,
            Err(error) => {
                tracing::debug!(peer = %peer.address, %error, "a TLS handshake failed");
                // So that the client gets the alert.
                true
            }
        }
    }

    async fn http1<S: one::Io>(&self, wire: Wire<S>, peer: &Peer, stream: &TcpStream) -> bool {
        match one::speak(self, wire, peer, stream).await {
            Ended::Away => false,
            Ended::Over => true,
            Ended::HalfRead(mut wire) => self.late(&mut *wire).await,
        }
    }

    /// Refuses a client that sent half a head.
    async fn late(&self, stream: &mut (impl AsyncWrite + Unpin)) -> bool {
        self.door.observer.unrouted(Reason::SlowHead);
        refuse(stream, LATE).await
    }
}

/// Says `text` if the client takes it, and that nothing more comes.
async fn refuse(stream: &mut (impl AsyncWrite + Unpin), text: &[u8]) -> bool {
    let farewell = async {
        stream.write_all(text).await?;
        stream.shutdown().await
    };
    // A client that has gone, or takes nothing, misses it.
    matches!(tokio::time::timeout(FAREWELL, farewell).await, Ok(Ok(())))
}

const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/json\r\n\
    content-length: 81\r\n\
    connection: close\r\n\
    \r\n\
    {\"error\":\"request timeout\",\"message\":\"the request's head did not arrive in time\"}";

const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/json\r\n\
    content-length: 68\r\n\
    connection: close\r\n\
    \r\n\
    {\"error\":\"bad request\",\"message\":\"this port speaks HTTPS, not HTTP\"}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_without_hyper_has_the_length_that_it_says() {
        for text in [LATE, NO_TLS] {
            let text = std::str::from_utf8(text).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{text}");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }
}
