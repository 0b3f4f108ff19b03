//! What one dispatcher has read ahead: deliveries in the order that `outboard_core::event` decides on.

use std::collections::HashMap;
use std::sync::Arc;

use outboard_core::event::lanes::{Lanes, Settled, Waiting};
use outboard_store::outbox::{Pending, Window};

/// At once in memory.
const MOST_HELD: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// Read in one go.
pub(super) const WINDOW: Window = Window { rows: 256, bytes: 4 << 20 };

/// Which part of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What was accepted, in its order.
    Order,
    /// What was asked for once more.
    Replays,
}

/// Deliveries that wait or are under way.
pub(super) struct Shelf {
    concurrency: usize,
    lanes: Lanes,
    held: HashMap<i64, Held>,
    bytes: usize,
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
            order: Mark::START,
            replays: Mark::START,
        }
    }

    /// Forgets what was read, to read it again from the start.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.concurrency);
    }

    /// Which part to read on, and after which number, if there is room for more.
    pub(super) fn wants(&self) -> Option<(Part, i64)> {
        let rows = usize::try_from(WINDOW.rows).unwrap_or(usize::MAX);
        let has_room = self.held.len() + rows <= MOST_HELD && self.bytes < MOST_BYTES;
        if !has_room {
            None
        } else if self.replays.goes_on {
            Some((Part::Replays, self.replays.after))
        } else {
            self.order.goes_on.then_some((Part::Order, self.order.after))
        }
    }

    /// Takes what was read.
    pub(super) fn put(&mut self, part: Part, read: Vec<Pending>) {
        let mark = match part {
            Part::Order => &mut self.order,
            Part::Replays => &mut self.replays,
        };
        let bytes: u64 = read.iter().map(|letter| length(&letter.body)).sum();
        mark.goes_on = length(&read) >= u64::from(WINDOW.rows) || bytes >= WINDOW.bytes;
        mark.after = read.last().map_or(mark.after, |letter| letter.seq);
        for letter in read {
            // What is held already is as it was, or further.
            if !self.lanes.holds(letter.seq) {
                self.lanes.offer(Waiting {
                    seq: letter.seq,
                    key: letter.key.clone(),
                    attempts: letter.attempts,
                    not_before_ms: letter.not_before_ms,
                    accepted_ms: letter.accepted_ms,
                    replayed: letter.replayed,
                });
                self.bytes += letter.body.len();
                let attempts = letter.attempts;
                self.held.insert(letter.seq, Held { letter: Arc::new(letter), attempts });
            }
        }
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
            Some(held) => self.bytes -= held.letter.body.len(),
            // It was given up under way, and may have been asked for again before that was over.
            None => self.look_for_replays(),
        }
    }
}

fn length<T>(items: impl AsRef<[T]>) -> u64 {
    u64::try_from(items.as_ref().len()).unwrap_or(u64::MAX)
}
