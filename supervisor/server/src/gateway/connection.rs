//! One client's connection, as those see it who answer its requests.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::observe::Counted;

/// Who sent a request, and over what.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub address: IpAddr,
    /// The address as plugins get it, written once for all requests of the connection.
    text: Arc<str>,
    /// Whether the client speaks TLS with this gateway; then the scheme is `https`.
    pub is_tls: bool,
    /// Which request of its connection this is for, if the client can take anything before its response.
    turn: Option<u64>,
    line: Arc<Line>,
}

impl Peer {
    pub(super) fn new(address: IpAddr, is_tls: bool, line: Arc<Line>) -> Self {
        let text = address.to_canonical().to_string().into();
        Self { address, text, is_tls, turn: None, line }
    }

    /// A client's address as plugins get it. Most clients come without a proxy.
    pub(super) fn text_of(&self, client: IpAddr) -> String {
        let is_own = client == self.address.to_canonical();
        if is_own { (*self.text).to_owned() } else { client.to_string() }
    }

    /// The same for a request of HTTP/1.1, which others may precede until [`Self::answered`].
    pub(super) fn asking(&self) -> Self {
        let turn = self.line.turn.load(Ordering::Relaxed);
        Self { turn: Some(turn), ..self.clone() }
    }

    /// Says that hyper gets the response now.
    pub(super) fn answered(&self, status: StatusCode) {
        self.line.turn.fetch_add(1, Ordering::Relaxed);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.line.is_tunnel.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the connection speaks HTTP no longer.
    pub(super) fn is_tunnel(&self) -> bool {
        self.line.is_tunnel.load(Ordering::Relaxed)
    }

    /// Sends an informational response, such as 103, before the response of this request. Meant to be called
    /// by what answers the request, within its own future: it is written when that is next pending or done.
    ///
    /// Nothing happens where the client cannot take one: on HTTP/2 (hyper has no way), on HTTP/1.0, when the
    /// request is answered already, while the client is behind with the response before (it pipelines and does
    /// not read), and beyond 64 KiB that it has not taken. 100 and 101 are hyper's, so they are not sent either.
    pub(super) fn inform(&self, status: StatusCode, headers: &HeaderMap) {
        let is_ours = status.is_informational()
            && status != StatusCode::CONTINUE
            && status != StatusCode::SWITCHING_PROTOCOLS;
        if is_ours && let Some(turn) = self.turn {
            self.line.inform(turn, status, headers);
        }
    }
}

/// What a connection's stream and the requests on it share.
#[derive(Debug)]
pub(super) struct Line {
    _place: OwnedSemaphorePermit,
    _counted: Counted,
    open: Arc<AtomicUsize>,
    /// How many requests have been answered.
    turn: AtomicU64,
    is_tunnel: AtomicBool,
    /// Whether all that hyper wrote has gone to the client.
    is_clear: AtomicBool,
    /// Whether `ahead` holds anything, without its lock.
    has_ahead: AtomicBool,
    /// What the client is to get before anything else that hyper writes.
    ahead: Mutex<Vec<u8>>,
}

/// Most that is kept for a client which does not take it.
const MAX_AHEAD: usize = 64 << 10;

impl Line {
    /// The line of a connection that has `place` and counts, also in `open`, for as long as it lives.
    pub(super) fn new(
        place: OwnedSemaphorePermit,
        counted: Counted,
        open: Arc<AtomicUsize>,
    ) -> Arc<Self> {
        open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            _place: place,
            _counted: counted,
            open,
            turn: AtomicU64::new(0),
            is_tunnel: AtomicBool::new(false),
            is_clear: AtomicBool::new(true),
            has_ahead: AtomicBool::new(false),
            ahead: Mutex::default(),
        })
    }

    /// Says that hyper writes, so that what it has not written yet may belong before anything said now.
    pub(super) fn is_written_to(&self) {
        self.is_clear.store(false, Ordering::Relaxed);
    }

    /// Says that all that hyper had has been written.
    pub(super) fn is_flushed(&self) {
        self.is_clear.store(true, Ordering::Relaxed);
    }

    /// Whether there is anything that must be written before anything else.
    pub(super) fn has_ahead(&self) -> bool {
        self.has_ahead.load(Ordering::Relaxed)
    }

    /// What must be written before anything else.
    pub(super) fn ahead(&self) -> MutexGuard<'_, Vec<u8>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that what was ahead is written.
    pub(super) fn is_caught_up(&self) {
        self.has_ahead.store(false, Ordering::Relaxed);
    }

    fn inform(&self, turn: u64, status: StatusCode, headers: &HeaderMap) {
        let is_now = self.turn.load(Ordering::Relaxed) == turn;
        if !is_now || !self.is_clear.load(Ordering::Relaxed) {
            return;
        }
        let head = head(status, headers);
        let mut ahead = self.ahead();
        if ahead.len() + head.len() <= MAX_AHEAD {
            ahead.extend_from_slice(&head);
            self.has_ahead.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut line = String::new();
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing to a string can't fail.
    let _ = write!(line, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    let mut head = line.into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
