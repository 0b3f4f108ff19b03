//! How much of each key is on the shelf. Of a key that has more, the rest is left where it is: else one that is stuck
//! would fill the shelf, and no other key would move.

use std::collections::{BTreeMap, HashMap};

/// Of one key, on the shelf.
const MOST: usize = 64;
const MOST_BYTES: usize = 1 << 20;

/// Keys of which the rest is left at a time; of further ones everything is taken.
const MOST_LONG: usize = 64;

#[derive(Default)]
pub(super) struct Keys {
    held: HashMap<String, Share>,
    /// The keys of which there is more, and up to which number they were read.
    long: BTreeMap<String, i64>,
}

#[derive(Default)]
struct Share {
    count: usize,
    bytes: usize,
    last: i64,
}

impl Keys {
    /// Whether a delivery that was read in the common order is to be taken, too. If not, its key is long from now on.
    pub(super) fn takes(&mut self, key: &str) -> bool {
        if self.long.contains_key(key) {
            return false;
        }
        let Some(share) = self.held.get(key) else { return true };
        let is_long = share.count >= MOST || share.bytes >= MOST_BYTES;
        if !is_long || self.long.len() >= MOST_LONG {
            return true;
        }
        self.long.insert(key.to_owned(), share.last);
        false
    }

    pub(super) fn add(&mut self, key: &str, seq: i64, bytes: usize) {
        let share = self.held.entry(key.to_owned()).or_default();
        share.count += 1;
        share.bytes += bytes;
        share.last = share.last.max(seq);
    }

    pub(super) fn remove(&mut self, key: &str, bytes: usize) {
        let Some(share) = self.held.get_mut(key) else { return };
        share.count -= 1;
        share.bytes -= bytes;
        if share.count == 0 {
            self.held.remove(key);
        }
    }

    /// The long ones: not to be read in the common order.
    pub(super) fn long(&self) -> Vec<String> {
        self.long.keys().cloned().collect()
    }

    /// A long one of which half is gone, and after which number it goes on.
    pub(super) fn hungry(&self) -> Option<(String, i64)> {
        let is_hungry = |key: &str| {
            let share = self.held.get(key);
            share.is_none_or(|it| it.count <= MOST / 2 && it.bytes <= MOST_BYTES / 2)
        };
        let found = self.long.iter().find(|(key, _)| is_hungry(key));
        found.map(|(key, after)| (key.clone(), *after))
    }

    /// A long one was read on, up to `last`; `is_all`: there is nothing behind that. What is taken in later is behind
    /// everything that was read in the common order, so that goes on as if it had never been left out.
    pub(super) fn was_fed(&mut self, key: &str, last: Option<i64>, is_all: bool) {
        if is_all {
            self.long.remove(key);
        } else if let (Some(after), Some(last)) = (self.long.get_mut(key), last) {
            *after = last;
        }
    }
}
