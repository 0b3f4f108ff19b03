//! Whose turn it is at one notifier.
//!
//! Events of a key come strictly one at a time, in the order of their numbers: the next one waits until the one
//! before is settled for good. Events without a key have no order, and those that are replayed stand outside of
//! it. What is held here is a window of what waits; the caller brings more of it as it empties.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An event that waits for the notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number, which says its place in the order.
    pub seq: i64,
    pub key: Option<String>,
    /// Attempts that were made.
    pub attempts: u32,
    /// Not to be tried before then.
    pub not_before_ms: i64,
    pub accepted_ms: i64,
    /// It was given up, and is tried once more outside the order.
    pub replayed: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Delivered, or given up: what is behind it may come.
    Done,
    /// To be tried again, and what is behind it waits.
    Again { at_ms: i64 },
}

/// What waits for one notifier, and what it is being told.
#[derive(Debug)]
pub struct Lanes {
    concurrency: usize,
    held: BTreeMap<i64, Held>,
    /// By key; none is empty.
    keys: HashMap<String, Lane>,
    /// What may be tried: by time as long as that has not come, then by number.
    later: BTreeSet<(i64, i64)>,
    ready: BTreeSet<i64>,
    running: usize,
    highest: Option<i64>,
}

/// What is held of one key.
#[derive(Debug, Default)]
struct Lane {
    queue: BTreeSet<i64>,
    /// The one that may be tried or is running.
    turn: Option<i64>,
}

#[derive(Debug)]
struct Held {
    waiting: Waiting,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Others of its key come first.
    Behind,
    /// In `later` or `ready`.
    Eligible,
    Running,
    /// Running, and not wanted any more.
    Forgotten,
}

impl Lanes {
    /// At most `concurrency` are tried at once.
    pub fn new(concurrency: usize) -> Self {
        Self {
            concurrency,
            held: BTreeMap::new(),
            keys: HashMap::new(),
            later: BTreeSet::new(),
            ready: BTreeSet::new(),
            running: 0,
            highest: None,
        }
    }

    /// Takes up an event. One that is held already is left as it is.
    pub fn offer(&mut self, waiting: Waiting) {
        let seq = waiting.seq;
        if self.held.contains_key(&seq) {
            return;
        }
        self.highest = self.highest.max(Some(seq));
        let key = key(&waiting).map(str::to_owned);
        self.held.insert(seq, Held { waiting, state: State::Behind });
        match key {
            None => self.make_eligible(seq),
            Some(key) => {
                self.keys.entry(key.clone()).or_default().queue.insert(seq);
                self.advance(&key);
            }
        }
    }

    /// The event to try now, which is then running until it is settled.
    pub fn next(&mut self, now_ms: i64) -> Option<Waiting> {
        if self.running >= self.concurrency {
            return None;
        }
        while let Some(&(at_ms, seq)) = self.later.first().filter(|(at_ms, _)| *at_ms <= now_ms) {
            self.later.remove(&(at_ms, seq));
            self.ready.insert(seq);
        }
        let seq = self.ready.pop_first()?;
        let held = self.held.get_mut(&seq)?;
        held.state = State::Running;
        self.running += 1;
        Some(held.waiting.clone())
    }

    /// When [`Lanes::next`] may have something. `None`: not before something is settled or offered.
    pub fn wake_at(&self) -> Option<i64> {
        if self.running >= self.concurrency {
            return None;
        }
        if !self.ready.is_empty() {
            return Some(i64::MIN);
        }
        self.later.first().map(|(at_ms, _)| *at_ms)
    }

    /// Ends an attempt. One that is not running is left as it is.
    pub fn settle(&mut self, seq: i64, settled: Settled) {
        let Some(held) = self.held.get_mut(&seq) else { return };
        let is_forgotten = held.state == State::Forgotten;
        if !is_forgotten && held.state != State::Running {
            return;
        }
        self.running -= 1;
        match settled {
            Settled::Again { at_ms } if !is_forgotten => {
                held.state = State::Behind;
                held.waiting.attempts = held.waiting.attempts.saturating_add(1);
                held.waiting.not_before_ms = at_ms;
                match key(&held.waiting).map(str::to_owned) {
                    None => self.make_eligible(seq),
                    Some(key) => self.yield_turn(&key),
                }
            }
            Settled::Again { .. } | Settled::Done => self.remove(seq),
        }
    }

    /// Drops an event that is not to be tried any more. While it is running, what is behind it still waits for
    /// the end of that.
    pub fn forget(&mut self, seq: i64) {
        match self.held.get_mut(&seq) {
            None => {}
            Some(held) if matches!(held.state, State::Running | State::Forgotten) => {
                held.state = State::Forgotten;
            }
            Some(_) => self.remove(seq),
        }
    }

    /// Drops everything that is not running.
    pub fn clear(&mut self) {
        let idle = self
            .held
            .iter()
            .filter(|(_, held)| matches!(held.state, State::Behind | State::Eligible));
        let idle: Vec<i64> = idle.map(|(seq, _)| *seq).collect();
        for seq in idle {
            self.remove(seq);
        }
    }

    pub fn holds(&self, seq: i64) -> bool {
        self.held.contains_key(&seq)
    }

    /// How many are held, the running ones among them.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub fn running(&self) -> usize {
        self.running
    }

    /// The highest number that was ever offered.
    pub fn highest(&self) -> Option<i64> {
        self.highest
    }

    fn remove(&mut self, seq: i64) {
        self.hold_back(seq);
        let Some(held) = self.held.remove(&seq) else { return };
        let Some(key) = key(&held.waiting) else { return };
        let Some(lane) = self.keys.get_mut(key) else { return };
        lane.queue.remove(&seq);
        if lane.queue.is_empty() {
            self.keys.remove(key);
        } else if lane.turn == Some(seq) {
            self.yield_turn(key);
        }
    }

    /// The one whose turn it was has ended.
    fn yield_turn(&mut self, key: &str) {
        if let Some(lane) = self.keys.get_mut(key) {
            lane.turn = None;
        }
        self.advance(key);
    }

    /// Makes it the turn of a key's first, unless one of that key is running. One that came late goes before
    /// another that has not begun.
    fn advance(&mut self, key: &str) {
        let Some(lane) = self.keys.get(key) else { return };
        let (turn, first) = (lane.turn, lane.queue.first().copied());
        if turn == first || turn.is_some_and(|turn| self.is_running(turn)) {
            return;
        }
        if let Some(turn) = turn {
            self.hold_back(turn);
        }
        if let Some(first) = first {
            self.make_eligible(first);
        }
        if let Some(lane) = self.keys.get_mut(key) {
            lane.turn = first;
        }
    }

    fn make_eligible(&mut self, seq: i64) {
        if let Some(held) = self.held.get_mut(&seq).filter(|held| held.state == State::Behind) {
            held.state = State::Eligible;
            self.later.insert((held.waiting.not_before_ms, seq));
        }
    }

    fn hold_back(&mut self, seq: i64) {
        if let Some(held) = self.held.get_mut(&seq).filter(|held| held.state == State::Eligible) {
            held.state = State::Behind;
            self.later.remove(&(held.waiting.not_before_ms, seq));
            self.ready.remove(&seq);
        }
    }

    fn is_running(&self, seq: i64) -> bool {
        let state = self.held.get(&seq).map(|held| held.state);
        matches!(state, Some(State::Running | State::Forgotten))
    }
}

/// The key whose order an event keeps.
fn key(waiting: &Waiting) -> Option<&str> {
    waiting.key.as_deref().filter(|_| !waiting.replayed)
}

#[cfg(test)]
mod tests;
