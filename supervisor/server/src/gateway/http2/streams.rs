//! The streams of one HTTP/2 connection: who takes nothing, who takes back what it asked for, and whether
//! anybody is left.
//!
//! With HTTP/1.1 a client that takes nothing shows in its socket. With HTTP/2 it may read all the time and still
//! take no response, by never opening the window of a stream; then h2 keeps what it was given, and hyper asks
//! for no more. So what h2 is given is counted until it is written.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a stream must take from one check to the next while there is something for it. Little, since many may
/// share a slow line.
const LEAST: usize = 4 << 10;
/// So many checks in a row without that, and it is stalled. The first may come right after it was given something.
const CHECKS: usize = 3;
/// From so many requests on it counts how many of them a client gave up: more than half are too many.
const SUSPICIOUS: u32 = 512;
/// Who gives up a request later than this may just have lost patience.
const HASTY: Duration = Duration::from_secs(1);
/// At so many requests half of them are forgotten, so that a long past does not excuse the present.
const MEMORY: u32 = 4096;
/// How many streams there may be before it is looked which of them have ended.
const CROWD: usize = 256;

/// All streams of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    state: Mutex<State>,
    abused: Notify,
}

#[derive(Debug)]
struct State {
    open: Vec<Weak<Stream>>,
    /// The length of `open` at which those that have ended are looked for.
    crowd: usize,
    last_used: Instant,
    begun: u32,
    given_up: u32,
}

/// One stream, from its request to the last byte of its response.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Arc<Streams>,
    begun: Instant,
    /// What h2 was given and has not written.
    unsent: AtomicUsize,
    /// What was written since the last check.
    taken: AtomicUsize,
    /// How many checks in a row found that to be too little.
    wanting: AtomicUsize,
}

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// There is no stream, since when.
    Idle(Instant),
    /// Some streams take nothing, and others do.
    Stalled,
    /// All streams take nothing.
    Stuck,
}

impl Streams {
    pub(super) fn new(now: Instant) -> Arc<Self> {
        let state = State { open: Vec::new(), crowd: CROWD, last_used: now, begun: 0, given_up: 0 };
        Arc::new(Self { state: Mutex::new(state), abused: Notify::new() })
    }

    /// A stream for a request that has just come.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<Stream> {
        let stream = Arc::new(Stream {
            streams: self.clone(),
            begun: Instant::now(),
            unsent: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            wanting: AtomicUsize::new(0),
        });
        self.state().begin(&stream);
        stream
    }

    /// To be asked now and then, always after about the same time.
    pub(super) fn check(&self) -> Verdict {
        let mut state = self.state();
        state.forget_ended();
        let stalled = state.open.iter().filter_map(Weak::upgrade).filter(|it| it.is_stalled());
        match (stalled.count(), state.open.len()) {
            (0, 0) => Verdict::Idle(state.last_used),
            (0, _) => Verdict::Fine,
            (stalled, open) if stalled < open => Verdict::Stalled,
            _ => Verdict::Stuck,
        }
    }

    /// Waits until the client has given up more requests, as soon as it made them, than can be meant well (rapid
    /// reset): each was some work, and none was for anything.
    pub(super) async fn abused(&self) {
        self.abused.notified().await;
    }

    fn give_up(&self) {
        let mut state = self.state();
        state.given_up += 1;
        if state.begun >= SUSPICIOUS && state.given_up > state.begun / 2 {
            self.abused.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, stream: &Arc<Stream>) {
        self.begun += 1;
        if self.begun >= MEMORY {
            self.begun /= 2;
            self.given_up /= 2;
        }
        if self.open.len() >= self.crowd {
            self.forget_ended();
            self.crowd = (self.open.len() * 2).max(CROWD);
        }
        self.open.push(Arc::downgrade(stream));
    }

    fn forget_ended(&mut self) {
        self.open.retain(|stream| stream.strong_count() > 0);
    }
}

impl Stream {
    /// To be held while a response is made; see [`Answering::done`].
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        Answering { stream: self.clone(), is_done: false }
    }

    fn is_stalled(&self) -> bool {
        let taken = self.taken.swap(0, Ordering::Relaxed);
        if taken >= LEAST || self.unsent.load(Ordering::Relaxed) == 0 {
            self.wanting.store(0, Ordering::Relaxed);
            return false;
        }
        self.wanting.fetch_add(1, Ordering::Relaxed) + 1 >= CHECKS
    }

    fn give(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes, Ordering::Relaxed);
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.state().last_used = Instant::now();
    }
}

/// A response that is being made.
#[derive(Debug)]
pub(super) struct Answering {
    stream: Arc<Stream>,
    is_done: bool,
}

impl Answering {
    /// It is made, so that the client can't have given it up in haste.
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.is_done && self.stream.begun.elapsed() < HASTY {
            self.stream.streams.give_up();
        }
    }
}

pin_project! {
    /// The body of a response, or none, watched on its way.
    pub(super) struct Watched<B> {
        #[pin]
        body: Option<B>,
        stream: Arc<Stream>,
    }
}

impl<B> Watched<B> {
    pub(super) fn new(body: Option<B>, stream: Arc<Stream>) -> Self {
        Self { body, stream }
    }
}

impl<B: Body<Data = Bytes>> Body for Watched<B> {
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let me = self.project();
        let Some(body) = me.body.as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(body.poll_frame(cx));
        let stream = me.stream;
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| frame.map_data(|bytes| Piece::new(bytes, stream.clone())))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

/// A part of a body that h2 has to write.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    stream: Arc<Stream>,
}

impl Piece {
    fn new(bytes: Bytes, stream: Arc<Stream>) -> Self {
        stream.give(bytes.len());
        Self { bytes, stream }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.stream.take(count);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.stream.take(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn streams() -> Arc<Streams> {
        Streams::new(Instant::now())
    }

    async fn piece(stream: &Arc<Stream>, length: usize) -> Piece {
        let body = Full::new(Bytes::from(vec![7; length]));
        let mut body = Watched::new(Some(body), stream.clone());
        assert!(!body.is_end_stream() && body.size_hint().exact() == Some(length as u64));
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test]
    async fn a_stream_that_takes_nothing_is_told_from_one_that_has_nothing_to_take() {
        let streams = streams();
        let (idle, stalled) = (streams.begin(), streams.begin());
        let piece = piece(&stalled, 100 << 10).await;
        assert_eq!(
            [(); 4].map(|()| streams.check()),
            [Verdict::Fine, Verdict::Fine, Verdict::Stalled, Verdict::Stalled]
        );
        drop(idle);
        assert_eq!(streams.check(), Verdict::Stuck);
        drop((stalled, piece));
        assert!(matches!(streams.check(), Verdict::Idle(_)));
    }

    #[tokio::test]
    async fn a_stream_that_takes_a_little_now_and_then_is_stalled_too() {
        let streams = streams();
        let stream = streams.begin();
        let mut piece = piece(&stream, 100 << 10).await;
        let mut found = Vec::new();
        for taken in [LEAST, LEAST, LEAST - 1, LEAST - 1, LEAST - 1, LEAST] {
            piece.advance(taken);
            found.push(streams.check());
        }
        assert_eq!(found[4], Verdict::Stuck);
        found.remove(4);
        assert_eq!(found, [Verdict::Fine; 5]);
    }

    #[tokio::test]
    async fn a_stream_lives_until_its_last_byte_is_written() {
        let streams = streams();
        let stream = streams.begin();
        let mut piece = piece(&stream, 10).await;
        drop(stream);
        assert_eq!(streams.check(), Verdict::Fine);
        piece.advance(10);
        drop(piece);
        assert!(matches!(streams.check(), Verdict::Idle(_)));
    }

    #[tokio::test]
    async fn streams_that_have_ended_take_no_room() {
        let streams = streams();
        let kept = streams.begin();
        for _ in 0..100_000 {
            streams.begin().answering().done();
        }
        assert!(streams.state().open.len() <= CROWD);
        drop(kept);
    }

    /// Whether that many requests, of which one in `every` is answered, are an abuse.
    fn is_abuse(requests: u32, every: u32) -> bool {
        let streams = streams();
        for number in 0..requests {
            let stream = streams.begin();
            let answering = stream.answering();
            if number % every == 0 {
                answering.done();
            }
        }
        let mut abused = std::pin::pin!(streams.abused());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        abused.as_mut().poll(&mut cx).is_ready()
    }

    #[tokio::test]
    async fn a_client_that_gives_up_most_of_its_requests_at_once_is_found_out() {
        assert!(!is_abuse(SUSPICIOUS - 1, 100), "a page that is left in the middle");
        assert!(is_abuse(SUSPICIOUS * 2, 100));
        assert!(is_abuse(MEMORY * 4, 3));
        assert!(!is_abuse(MEMORY * 4, 1));
        assert!(!is_abuse(MEMORY * 4, 2));
    }
}
