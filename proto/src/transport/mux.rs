//! Runs a [`frame::Stream`](crate::frame::Stream) over a gRPC call: the same for host and plugin.
//!
//! The rules are the state machine's; here is what it leaves out: who waits for what, and who wakes
//! whom. A [`Mux`] is fed by [`Mux::read`] and emptied by [`Outgoing`], which the transport polls; the two
//! never wait for each other, so neither side can block the other. Each request is an [`Exchange`] with a
//! half that sends and one that receives.
//!
//! All state is behind one lock, which is held for a few steps of the state machine and never while
//! somebody is woken. On a runtime of one thread it is never contended.

mod exchange;
mod outgoing;
mod state;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use crate::frame::{self, Limits, Malformed, OpenError, Role, Settings};
use crate::plugin::v1::{Frames, RequestFrame};

pub use self::exchange::{Exchange, Informer, Receiving, Sending};
pub use self::outgoing::Outgoing;
pub use self::state::Part;

use self::state::{State, Wakers};

/// One side of one stream of `Http.Serve`. Cloning it is cheap.
#[derive(Clone)]
pub struct Mux(Arc<Shared>);

struct Shared {
    role: Role,
    state: Mutex<State>,
    /// Whether requests can be opened at all has changed.
    changed: Notify,
    /// There is room for a request that waits for it.
    freed: Notify,
}

/// Why [`Mux::read`] returned.
#[derive(Debug, Error)]
pub enum Ended {
    /// The other side ended the stream.
    #[error("the stream was closed")]
    Closed,
    /// The transport failed, or the other side ended the call with an error.
    #[error("the stream was lost: {}", .0.message())]
    Lost(Status),
    /// The other side sent what can't be understood. A plugin ends the call with `INVALID_ARGUMENT` and
    /// this sentence.
    #[error("{0}")]
    Broken(Malformed),
}

impl Mux {
    /// A side that has its Hello to send. Give `Outgoing` to the transport, and what arrives to
    /// [`Mux::read`].
    pub fn new(role: Role, settings: Settings, limits: Limits) -> (Self, Outgoing) {
        let mux = Self(Arc::new(Shared {
            role,
            state: Mutex::new(State::new(frame::Stream::new(role, settings, limits))),
            changed: Notify::new(),
            freed: Notify::new(),
        }));
        let outgoing = Outgoing::new(Arc::clone(&mux.0));
        (mux, outgoing)
    }

    /// Takes in what arrives, until the stream ends; by then all requests have ended. It waits for
    /// nothing but `inbound`. At a plugin `opened` gets each request and must not block.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the stream.
    pub async fn read<S>(
        &self,
        inbound: S,
        mut opened: impl FnMut(Exchange, Box<RequestFrame>),
    ) -> Ended
    where
        S: Stream<Item = Result<Frames, Status>>,
    {
        let _end = EndOnDrop(self);
        let mut inbound = pin!(inbound);
        let (mut events, mut wakers, mut arrived) = (Vec::new(), Wakers::default(), Vec::new());
        loop {
            let message = match inbound.next().await {
                Some(Ok(message)) => message,
                Some(Err(status)) => return Ended::Lost(status),
                None => return Ended::Closed,
            };
            let outcome =
                self.0.with(|state| state.receive(message, &mut events, &mut wakers, &mut arrived));
            wakers.wake();
            if outcome.has_changed {
                self.0.announce_change();
            }
            for (id, request) in arrived.drain(..) {
                opened(Exchange::new(Arc::clone(&self.0), id), request);
            }
            if let Some(malformed) = outcome.broken {
                return Ended::Broken(malformed);
            }
        }
    }

    /// Waits for the other side's Hello.
    ///
    /// # Errors
    ///
    /// When the stream ended, or is going away, first.
    pub async fn ready(&self) -> Result<(), OpenError> {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            match self.may_open() {
                Ok(()) | Err(OpenError::Full) => return Ok(()),
                Err(OpenError::NotReady) => changed.await,
                Err(error) => return Err(error),
            }
        }
    }

    /// At the host: opens a request, with its body or the beginning of it; see
    /// [`frame::Stream::open`](crate::frame::Stream::open).
    ///
    /// # Errors
    ///
    /// Gives the request back, for another stream or a later time: after [`Mux::room`] where it is
    /// [`OpenError::Full`].
    pub fn open(
        &self,
        request: Box<RequestFrame>,
    ) -> Result<Exchange, (OpenError, Box<RequestFrame>)> {
        let opened = self.0.with(|state| state.open(request));
        opened.map(|id| Exchange::new(Arc::clone(&self.0), id))
    }

    /// At the host: waits until a request may be opened, or never can be again. Those who wait are served
    /// in their order.
    pub async fn room(&self) {
        let _waiting = Waiting::new(&self.0);
        loop {
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            match self.may_open() {
                Err(OpenError::Full | OpenError::NotReady) => freed.await,
                Ok(()) | Err(_) => return,
            }
        }
    }

    /// Takes up, or opens, no more requests. Those that are open go on; at the host the stream ends after
    /// the last one.
    pub fn go_away(&self, message: &str) {
        self.0.with(|state| state.stream.go_away(message));
        self.0.announce_change();
    }

    /// Ends the stream: all requests fail.
    pub fn end(&self) {
        self.0.end();
    }

    /// What the other side can take; the defaults until its Hello has come.
    pub fn theirs(&self) -> Settings {
        self.0.lock().stream.theirs()
    }

    /// Requests that are open.
    pub fn open_requests(&self) -> usize {
        self.0.lock().stream.open_requests()
    }

    /// Whether a side went away, no request is open and everything is sent.
    pub fn is_drained(&self) -> bool {
        self.0.lock().stream.is_drained()
    }

    /// At the host: whether requests may be opened now or later.
    pub fn is_usable(&self) -> bool {
        !matches!(self.may_open(), Err(OpenError::GoingAway | OpenError::Ended))
    }

    fn may_open(&self) -> Result<(), OpenError> {
        self.0.lock().may_open()
    }
}

impl fmt::Debug for Mux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mux")
            .field("role", &self.0.role)
            .field("open_requests", &self.open_requests())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the state, and tells whoever is concerned that there is something to write or room
    /// for a request.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = act(&mut state);
        let (writer, has_room) = (state.writer_to_wake(), state.has_room_for_who_waits());
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        if has_room {
            self.freed.notify_one();
        }
        result
    }

    fn end(&self) {
        let mut wakers = Wakers::default();
        self.with(|state| state.end(&mut wakers));
        wakers.wake();
        self.announce_change();
    }

    fn announce_change(&self) {
        self.changed.notify_waiters();
        self.freed.notify_waiters();
    }
}

struct EndOnDrop<'a>(&'a Mux);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Somebody waits for room, so it is worth looking whether there is some.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.lock().waiting += 1;
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests;
