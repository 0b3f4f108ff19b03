//! A gate: so many requests at a time, and a bounded line of others behind them, in the order in which they
//! came, whichever thread they run on.
//!
//! How many are in and how many wait is one word, so that a request which finds a place takes it with one
//! atomic operation and gives it back with another. Only where somebody waits there is a lock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// So many at a time.
#[derive(Debug)]
pub struct Gate {
    places: AtomicU32,
    /// How many are in, and above that in the upper half how many wait. The second only changes under the lock
    /// of `line`.
    state: AtomicU64,
    line: Mutex<Line>,
}

/// Who waits, the first first.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// By ticket, which only grows.
    waiters: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// One of a gate's places, free again when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the place away"]
pub struct Place {
    gate: Arc<Gate>,
}

/// Why there was no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("too many wait already")]
    Queue,
    #[error("none became free in time")]
    Timeout,
}

const ONE_WAITS: u64 = 1 << 32;

/// How many are in.
fn taken(state: u64) -> u64 {
    state & (ONE_WAITS - 1)
}

fn waiting(state: u64) -> u64 {
    state / ONE_WAITS
}

impl Gate {
    pub fn new(places: u32) -> Arc<Self> {
        Arc::new(Self {
            places: AtomicU32::new(places),
            state: AtomicU64::new(0),
            line: Mutex::default(),
        })
    }

    /// Changes how many may be in at a time. If there are more already, they stay.
    pub fn set_places(self: &Arc<Self>, places: u32) {
        if self.places.swap(places, Ordering::Relaxed) < places {
            self.hand_over();
        }
    }

    /// How many are in.
    pub fn taken(&self) -> u64 {
        taken(self.state.load(Ordering::Relaxed))
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        waiting(self.state.load(Ordering::Relaxed))
    }

    /// A place, if there is one and nobody waits for it.
    pub fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let places = self.places();
        let admit = |state| (waiting(state) == 0 && taken(state) < places).then(|| state + 1);
        let is_in = self.state.fetch_update(Ordering::SeqCst, Ordering::Relaxed, admit).is_ok();
        is_in.then(|| Place { gate: self.clone() })
    }

    /// A place, as soon as it is this request's turn; behind at most `queue` others, and not after `until`.
    /// Dropping the future leaves the line.
    pub async fn enter(self: &Arc<Self>, queue: u32, until: Instant) -> Result<Place, Full> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        match self.line_up(queue)? {
            Turn::Now(place) => Ok(place),
            Turn::Later(waiting) => waiting.wait(until).await,
        }
    }

    fn line_up(self: &Arc<Self>, queue: u32) -> Result<Turn, Full> {
        let mut line = self.line();
        let is_full = line.waiters.len() >= usize::try_from(queue).unwrap_or(usize::MAX);
        // Under the lock, so that whoever leaves from here on and sees that somebody waits finds them.
        let places = self.places();
        let may_enter = |state| waiting(state) == 0 && taken(state) < places;
        let step = |state| if may_enter(state) { 1 } else { ONE_WAITS };
        let change = |state| (may_enter(state) || !is_full).then(|| state + step(state));
        match self.state.fetch_update(Ordering::SeqCst, Ordering::Relaxed, change) {
            Ok(before) if may_enter(before) => Ok(Turn::Now(Place { gate: self.clone() })),
            Ok(_) => Ok(Turn::Later(self.wait_in(&mut line))),
            Err(_) => Err(Full::Queue),
        }
    }

    fn wait_in(self: &Arc<Self>, line: &mut Line) -> Waiting {
        let (turn, told) = oneshot::channel();
        let ticket = line.next;
        line.next += 1;
        line.waiters.push_back((ticket, turn));
        Waiting { gate: self.clone(), ticket, told, is_over: false }
    }

    fn leave(self: &Arc<Self>) {
        if waiting(self.state.fetch_sub(1, Ordering::SeqCst)) > 0 {
            self.hand_over();
        }
    }

    /// Lets in as many of those who wait as there are places.
    fn hand_over(&self) {
        let mut line = self.line();
        let places = self.places();
        let admit =
            |state| (waiting(state) > 0 && taken(state) < places).then(|| state - ONE_WAITS + 1);
        while self.state.fetch_update(Ordering::SeqCst, Ordering::Relaxed, admit).is_ok() {
            let (_, turn) = line.waiters.pop_front().expect("as many are in the line as wait");
            // Whoever waits leaves the line before they stop listening.
            let _ = turn.send(());
        }
    }

    /// Takes somebody out of the line. False: its turn has come already.
    fn give_up(&self, ticket: u64) -> bool {
        let mut line = self.line();
        let Ok(at) = line.waiters.binary_search_by_key(&ticket, |(ticket, _)| *ticket) else {
            return false;
        };
        line.waiters.remove(at);
        self.state.fetch_sub(ONE_WAITS, Ordering::SeqCst);
        true
    }

    fn places(&self) -> u64 {
        self.places.load(Ordering::Relaxed).into()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

enum Turn {
    Now(Place),
    Later(Waiting),
}

/// Somebody in the line.
struct Waiting {
    gate: Arc<Gate>,
    ticket: u64,
    told: oneshot::Receiver<()>,
    is_over: bool,
}

impl Waiting {
    async fn wait(mut self, until: Instant) -> Result<Place, Full> {
        match timeout_at(until, &mut self.told).await {
            Ok(_) => {
                self.is_over = true;
                Ok(Place { gate: self.gate.clone() })
            }
            Err(_) => Err(Full::Timeout),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over && !self.gate.give_up(self.ticket) {
            // It was let in and never knew.
            self.gate.leave();
        }
    }
}

#[cfg(test)]
mod tests;
