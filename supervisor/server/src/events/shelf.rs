//! What one dispatcher has read ahead: deliveries in the order that `outboard_core::event` decides on.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use outboard_core::event::lanes::{Lanes, Settled, Waiting};
use outboard_store::outbox::{Line, Pending, Window};

use keys::Keys;

/// At once in memory.
const MOST_HELD: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// Read in one go.
const WINDOW: Window = Window { rows: 256, bytes: 4 << 20 };
/// The same of one key.
const WINDOW_OF_KEY: Window = Window { rows: 32, bytes: 512 << 10 };

/// What to read next.
pub(super) struct Want {
    part: Part,
    pub(super) after: i64,
    pub(super) window: Window,
}

/// Which part of what waits.
enum Part {
    /// What was accepted, in its order, but for these keys.
    Order { except: Vec<String> },
    /// The same of one key.
    Key(String),
    /// What was asked for once more.
    Replays,
}

impl Want {
    /// As the store calls it.
    pub(super) fn line(&self) -> Line<'_> {
        match &self.part {
            Part::Order { except } if except.is_empty() => Line::Order,
            Part::Order { except } => Line::Except(except),
            Part::Key(key) => Line::Key(key),
            Part::Replays => Line::Replayed,
        }
    }
}

/// Deliveries that wait or are under way.
pub(super) struct Shelf {
    concurrency: usize,
    lanes: Lanes,
    held: HashMap<i64, Held>,
    bytes: usize,
    keys: Keys,
    order: Mark,
    replays: Mark,
}

struct Held {
    letter: Arc<Pending>,
    /// So far.
    attempts: u32,
}

/// How far one of the two lines was read.
#[derive(Clone, Copy)]
struct Mark {
    after: i64,
    /// There may be more.
    goes_on: bool,
}

impl Mark {
    const START: Self = Self { after: 0, goes_on: true };
}

impl Shelf {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            concurrency,
            lanes: Lanes::new(concurrency),
            held: HashMap::new(),
            bytes: 0,
            keys: Keys::default(),
            order: Mark::START,
            replays: Mark::START,
        }
    }

    /// Forgets what was read, to read it again from the start.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.concurrency);
    }

    /// What to read on, if there is room for more.
    pub(super) fn wants(&self) -> Option<Want> {
        let rows = usize::try_from(WINDOW.rows).unwrap_or(usize::MAX);
        let has_room = self.held.len() + rows <= MOST_HELD && self.bytes < MOST_BYTES;
        if !has_room {
            None
        } else if self.replays.goes_on {
            Some(Want { part: Part::Replays, after: self.replays.after, window: WINDOW })
        } else if let Some((key, after)) = self.keys.hungry() {
            Some(Want { part: Part::Key(key), after, window: WINDOW_OF_KEY })
        } else if self.order.goes_on {
            let part = Part::Order { except: self.keys.long() };
            Some(Want { part, after: self.order.after, window: WINDOW })
        } else {
            None
        }
    }

    /// Takes what was read.
    pub(super) fn put(&mut self, want: &Want, read: Vec<Pending>) {
        let bytes: u64 = read.iter().map(|letter| length(&letter.body)).sum();
        let goes_on = length(&read) >= u64::from(want.window.rows) || bytes >= want.window.bytes;
        let last = read.last().map(|letter| letter.seq);
        let mark = Mark { after: last.unwrap_or(want.after), goes_on };
        for letter in read {
            let is_left = match (&want.part, &letter.key) {
                (Part::Order { .. }, Some(key)) => !self.keys.takes(key),
                _ => false,
            };
            // What is held already is as it was, or further.
            if !is_left && !self.lanes.holds(letter.seq) {
                self.hold(letter);
            }
        }
        match &want.part {
            Part::Order { .. } => self.order = mark,
            Part::Replays => self.replays = mark,
            Part::Key(key) => self.keys.was_fed(key, last, !goes_on),
        }
    }

    fn hold(&mut self, letter: Pending) {
        self.lanes.offer(Waiting {
            seq: letter.seq,
            key: letter.key.clone(),
            attempts: letter.attempts,
            not_before_ms: letter.not_before_ms,
            accepted_ms: letter.accepted_ms,
            replayed: letter.replayed,
        });
        self.bytes += letter.body.len();
        if let Some(key) = lane(&letter) {
            self.keys.add(key, letter.seq, letter.body.len());
        }
        let attempts = letter.attempts;
        self.held.insert(letter.seq, Held { letter: Arc::new(letter), attempts });
    }

    /// There are new ones behind those that were read.
    pub(super) fn look_on(&mut self) {
        self.order.goes_on = true;
    }

    /// There are others that were asked for again, anywhere.
    pub(super) fn look_for_replays(&mut self) {
        self.replays = Mark::START;
    }

    /// Who is to be delivered now, and how often that was tried.
    pub(super) fn next(&mut self, now_ms: i64) -> Option<(Arc<Pending>, u32)> {
        while let Some(waiting) = self.lanes.next(now_ms) {
            if let Some(held) = self.held.get(&waiting.seq) {
                return Some((held.letter.clone(), held.attempts));
            }
            self.lanes.settle(waiting.seq, Settled::Done);
        }
        None
    }

    /// When [`Self::next`] may give something that it does not give now.
    pub(super) fn wake_at(&self) -> Option<i64> {
        self.lanes.wake_at()
    }

    /// An attempt was the last one.
    pub(super) fn done(&mut self, seq: i64) {
        self.lanes.settle(seq, Settled::Done);
        self.drop_held(seq);
    }

    /// There is to be another attempt; `counts`: this one was one.
    pub(super) fn again(&mut self, seq: i64, at_ms: i64, counts: bool) {
        self.lanes.settle(seq, Settled::Again { at_ms });
        if let Some(held) = self.held.get_mut(&seq) {
            held.attempts += u32::from(counts);
        }
    }

    /// It is no longer to be delivered.
    pub(super) fn forget(&mut self, seq: i64) {
        self.lanes.forget(seq);
        if self.held.contains_key(&seq) {
            self.drop_held(seq);
        }
    }

    fn drop_held(&mut self, seq: i64) {
        match self.held.remove(&seq) {
            Some(held) => {
                let bytes = held.letter.body.len();
                self.bytes -= bytes;
                if let Some(key) = lane(&held.letter) {
                    self.keys.remove(key, bytes);
                }
            }
            // It was given up under way, and may have been asked for again before that was over.
            None => self.look_for_replays(),
        }
    }
}

/// The key whose order a delivery keeps.
fn lane(letter: &Pending) -> Option<&str> {
    letter.key.as_deref().filter(|_| !letter.replayed)
}

fn length<T>(items: impl AsRef<[T]>) -> u64 {
    u64::try_from(items.as_ref().len()).unwrap_or(u64::MAX)
}
