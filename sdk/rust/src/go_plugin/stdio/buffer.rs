//! The bounded store between a program's prints and the host's stream.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

/// go-plugin's own chunk.
const LONGEST_PIECE: usize = 1024;
/// Kept for a host that has not asked yet; as much as the pipe of a Go plugin holds.
const MOST_UNHEARD: usize = 64 * 1024;
/// Kept while a host listens: whoever prints this much at once need not wait for it.
const MOST_HEARD: usize = 4 * 1024 * 1024;
/// How long a print may wait for a listening host that is slow. Bounded, because on a runtime of one
/// thread it may be the very print that keeps the stream from being sent.
const PATIENCE: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Buffer {
    state: Mutex<State>,
    /// Something was taken out.
    room: Condvar,
    /// Something came in, or the end.
    news: Notify,
    listeners: AtomicUsize,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    dropped: u64,
    is_closed: bool,
    /// The last wait for room was in vain; until there is some, nobody waits again.
    is_stuck: bool,
}

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what fits; the rest is dropped and counted.
    pub(super) fn push(&self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let mut state = self.state();
            let room = self.most().saturating_sub(state.bytes.len());
            let (kept, rest) = piece.split_at(room.min(piece.len()));
            state.bytes.extend(kept);
            piece = rest;
            if !kept.is_empty() {
                state.is_stuck = false;
            } else if state.is_stuck || self.listeners.load(Ordering::SeqCst) == 0 {
                return self.drop_piece(state, piece.len());
            } else {
                let waited = self.room.wait_timeout(state, PATIENCE);
                let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                state.is_stuck = waited.timed_out();
            }
            self.news.notify_waiters();
        }
    }

    fn drop_piece(&self, mut state: MutexGuard<'_, State>, length: usize) {
        let is_first = state.dropped == 0;
        state.dropped += length as u64;
        drop(state);
        if is_first {
            let listeners = self.listeners.load(Ordering::SeqCst);
            tracing::warn!(listeners, "prints come faster than the host reads them; dropping some");
        }
    }

    fn most(&self) -> usize {
        if self.listeners.load(Ordering::SeqCst) == 0 { MOST_UNHEARD } else { MOST_HEARD }
    }

    /// Nothing more will be pushed.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_waiters();
    }

    /// How many bytes were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Waits until it is closed and empty.
    pub(super) async fn drained(&self) {
        loop {
            let news = self.news.notified();
            let is_drained = {
                let state = self.state();
                state.is_closed && state.bytes.is_empty()
            };
            if is_drained {
                return;
            }
            news.await;
        }
    }

    fn take(&self) -> Taken {
        let mut state = self.state();
        let length = state.bytes.len().min(LONGEST_PIECE);
        if length > 0 {
            let piece: Bytes = state.bytes.drain(..length).collect();
            self.room.notify_all();
            return Taken::Piece(piece);
        }
        // A burst must not cost its memory for good.
        state.bytes.shrink_to(MOST_UNHEARD);
        if state.is_closed { Taken::End } else { Taken::Nothing }
    }
}

enum Taken {
    Piece(Bytes),
    Nothing,
    End,
}

/// One host's stream. Two of them share what is printed, as in go-plugin.
pub(super) struct Listener(Arc<Buffer>);

impl Listener {
    pub(super) fn new(buffer: Arc<Buffer>) -> Self {
        buffer.listeners.fetch_add(1, Ordering::SeqCst);
        Self(buffer)
    }

    /// The next piece, at most 1024 bytes and never empty. `None`: nothing more will come.
    pub(super) async fn next(&self) -> Option<Bytes> {
        loop {
            // Registered before the look, so that nothing is missed in between.
            let news = self.0.news.notified();
            match self.0.take() {
                Taken::Piece(piece) => return Some(piece),
                Taken::End => {
                    self.0.news.notify_waiters();
                    return None;
                }
                Taken::Nothing => news.await,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::SeqCst);
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_keep_their_order_and_are_at_most_1024_bytes() {
        let buffer = Arc::new(Buffer::default());
        let printed: Vec<u8> = (0..5000_u32).map(|number| (number % 251) as u8).collect();
        buffer.push(&printed);
        buffer.close();
        let listener = Listener::new(Arc::clone(&buffer));
        let mut pieces = Vec::new();
        while let Some(piece) = listener.next().await {
            pieces.push(piece);
        }
        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [1024, 1024, 1024, 1024, 904]);
        assert_eq!(pieces.concat(), printed);
    }

    #[test]
    fn what_nobody_reads_is_dropped_beyond_64_kib_without_waiting() {
        let buffer = Buffer::default();
        buffer.push(&vec![b'x'; 100_000]);
        assert_eq!(buffer.dropped(), 100_000 - MOST_UNHEARD as u64);
    }

    #[test]
    fn a_listener_that_does_not_read_holds_a_print_up_only_once() {
        let buffer = Arc::new(Buffer::default());
        let _listener = Listener::new(Arc::clone(&buffer));
        let begun = std::time::Instant::now();
        for _ in 0..64 {
            buffer.push(&vec![b'x'; 128 * 1024]);
        }
        assert_eq!(buffer.dropped(), 8 * 1024 * 1024 - MOST_HEARD as u64);
        assert!(begun.elapsed() < 3 * PATIENCE, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_piece_that_comes_later_wakes_the_listener() {
        let buffer = Arc::new(Buffer::default());
        let listener = Listener::new(Arc::clone(&buffer));
        let (piece, ()) = tokio::join!(listener.next(), async { buffer.push(b"late") });
        assert_eq!(piece.as_deref(), Some(&b"late"[..]));
    }
}
