//! What was answered a moment ago, and what is being asked right now: each question is asked once, however many
//! want to know.
//!
//! A question runs in a task of its own, so that nobody who stops waiting takes the answer from the others. Its
//! answer is remembered in the same step in which it stops being under way, so that nobody falls between the two.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::cache::Cache;
use super::counts::Counts;
use super::{Failure, Key};
use crate::task;

/// Questions that are under way at a time. Each may hold a call to a plugin.
const MOST_FLIGHTS: usize = 1024;
/// The longest that a refusal is remembered: enough for whoever tries again at once, too short for somebody
/// who has just been let in.
const REFUSAL_TTL: Duration = Duration::from_secs(2);
/// When to come back if too many ask.
const TOO_MANY_RETRY: Duration = Duration::from_secs(1);

type Answer<T> = Result<T, Failure>;
type Landing<T> = watch::Receiver<Option<Answer<T>>>;

/// Answers of one kind. Clones are of the same memory.
#[derive(Debug)]
pub(super) struct Memory<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    table: Mutex<Table<T>>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Table<T> {
    good: Cache<T>,
    /// Apart, so that guesses can't push out whoever is in.
    bad: Cache<Answer<T>>,
    flights: HashMap<Key, Landing<T>>,
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub ttl: Duration,
    pub entries: usize,
    pub bytes: usize,
}

enum Seat<T> {
    Known(Answer<T>),
    Waiting(Landing<T>),
    /// This one has to ask.
    Pilot(Flight<T>, Landing<T>),
    Full,
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Answered + Clone + Send + Sync + 'static> Memory<T> {
    pub(super) fn new(room: Room, counts: Arc<Counts>) -> Self {
        let table = Table {
            good: Cache::new(room.ttl, room.entries, room.bytes),
            bad: Cache::new(room.ttl.min(REFUSAL_TTL), room.entries, room.bytes),
            flights: HashMap::new(),
        };
        Self(Arc::new(Inner { table: Mutex::new(table), counts }))
    }

    /// The answer to `question`, which must end by itself. It is asked only if nobody knows and nobody asks.
    pub(super) async fn ask<F>(&self, key: Key, question: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let mut landing = match self.seat(key) {
            Seat::Known(answer) => {
                self.0.counts.cache_hit();
                return answer;
            }
            Seat::Waiting(landing) => {
                self.0.counts.joined();
                landing
            }
            Seat::Pilot(flight, landing) => {
                let question = question();
                let asked = async move { flight.land(question.await) };
                task::spawn("question to an auth plugin", asked).detach();
                landing
            }
            Seat::Full => {
                return Err(Failure::unavailable("too many are asked about", TOO_MANY_RETRY));
            }
        };
        match landing.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Err(Failure::broken())),
            Err(_) => Err(Failure::broken()),
        }
    }

    fn seat(&self, key: Key) -> Seat<T> {
        let now = Instant::now();
        let mut table = self.0.table();
        if let Some(good) = table.good.get(&key, now) {
            return Seat::Known(Ok(good));
        }
        if let Some(bad) = table.bad.get(&key, now) {
            return Seat::Known(bad);
        }
        if let Some(landing) = table.flights.get(&key) {
            return Seat::Waiting(landing.clone());
        }
        if table.flights.len() >= MOST_FLIGHTS {
            return Seat::Full;
        }
        let (tell, landing) = watch::channel(None);
        table.flights.insert(key, landing.clone());
        Seat::Pilot(Flight { memory: self.0.clone(), key, tell }, landing)
    }
}

impl<T> Inner<T> {
    fn table(&self) -> MutexGuard<'_, Table<T>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is under way. Dropped before its answer, those who wait are told so.
#[derive(Debug)]
struct Flight<T> {
    memory: Arc<Inner<T>>,
    key: Key,
    tell: watch::Sender<Option<Answer<T>>>,
}

impl<T: Answered + Clone> Flight<T> {
    fn land(self, answer: Answer<T>) {
        let now = Instant::now();
        {
            let mut table = self.memory.table();
            match &answer {
                Ok(it) if it.is_good() => {
                    table.good.insert(self.key, it.clone(), it.weight(), now);
                }
                Ok(_) | Err(Failure::Refused(_)) => {
                    table.bad.insert(self.key, answer.clone(), 0, now);
                }
                Err(Failure::Unavailable(_)) => {}
            }
            table.flights.remove(&self.key);
        }
        // Nobody waits any more if all have gone.
        let _ = self.tell.send(Some(answer));
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.memory.table().flights.remove(&self.key);
    }
}

/// What a plugin may say.
pub(super) trait Answered {
    /// How many bytes it takes, roughly.
    fn weight(&self) -> usize;

    /// Whether it lets somebody in. What doesn't is remembered only briefly.
    fn is_good(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
