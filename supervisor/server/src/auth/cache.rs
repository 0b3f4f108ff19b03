//! Answers by key, for as long as they count: bounded in number and in bytes, the oldest goes first.
//!
//! All live equally long, so the order in which they came is also the one in which they end.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Key;

#[derive(Debug)]
pub(super) struct Cache<T> {
    ttl: Duration,
    most_entries: usize,
    most_bytes: usize,
    bytes: usize,
    entries: HashMap<Key, Entry<T>>,
    /// With the serial number of the entry, since a key may have come again.
    order: VecDeque<(Key, u64)>,
    serial: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    weight: usize,
    came: Instant,
    serial: u64,
}

/// What an entry takes besides its value.
const OVERHEAD: usize = 200;

impl<T: Clone> Cache<T> {
    /// Remembers nothing if `ttl` is zero.
    pub(super) fn new(ttl: Duration, most_entries: usize, most_bytes: usize) -> Self {
        Self {
            ttl,
            most_entries,
            most_bytes,
            bytes: 0,
            entries: HashMap::new(),
            order: VecDeque::new(),
            serial: 0,
        }
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<T> {
        let entry = self.entries.get(key)?;
        self.is_young(entry, now).then(|| entry.value.clone())
    }

    /// Remembers `value`, which takes `weight` bytes, instead of what was known before.
    pub(super) fn insert(&mut self, key: Key, value: T, weight: usize, now: Instant) {
        let weight = weight.saturating_add(OVERHEAD);
        if self.ttl.is_zero() || self.most_entries == 0 || weight > self.most_bytes {
            return;
        }
        self.remove(&key);
        self.bytes += weight;
        self.serial += 1;
        let serial = self.serial;
        self.entries.insert(key, Entry { value, weight, came: now, serial });
        self.order.push_back((key, serial));
        self.make_room(now);
    }

    fn make_room(&mut self, now: Instant) {
        while let Some((oldest, serial)) = self.order.front().copied() {
            let entry = self.entries.get(&oldest).filter(|entry| entry.serial == serial);
            let is_full = self.entries.len() > self.most_entries || self.bytes > self.most_bytes;
            match entry {
                Some(entry) if !is_full && self.is_young(entry, now) => break,
                Some(_) => self.remove(&oldest),
                None => {}
            }
            self.order.pop_front();
        }
    }

    fn is_young(&self, entry: &Entry<T>, now: Instant) -> bool {
        now.saturating_duration_since(entry.came) < self.ttl
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_mins(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn key(number: usize) -> Key {
        Key::of([number.to_string().as_str()])
    }

    #[test]
    fn an_answer_counts_until_its_time_is_over_and_coming_again_begins_it_anew() {
        let (start, mut cache) = (Instant::now(), Cache::new(TTL, 10, 1 << 20));
        cache.insert(key(1), 'a', 1, start);
        assert_eq!(cache.get(&key(1), start + SECOND * 59), Some('a'));
        assert_eq!(cache.get(&key(1), start + TTL), None);
        cache.insert(key(1), 'b', 1, start + SECOND);
        assert_eq!(cache.get(&key(1), start + TTL), Some('b'));
        assert_eq!(cache.get(&key(2), start), None);
    }

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let (start, mut cache) = (Instant::now(), Cache::new(TTL, 3, 1 << 20));
        for number in 0..1000 {
            cache.insert(key(number), number, 1, start);
            assert!(cache.entries.len() <= 3 && cache.order.len() <= 3);
        }
        assert_eq!(cache.get(&key(996), start), None);
        assert_eq!(cache.get(&key(997), start), Some(997));
    }

    #[test]
    fn bytes_are_bounded_too_and_what_is_too_large_is_never_kept() {
        let (start, mut cache) = (Instant::now(), Cache::new(TTL, 1000, 10_000));
        for number in 0..100 {
            cache.insert(key(number), number, 3000, start);
            assert!(cache.bytes <= 10_000, "{}", cache.bytes);
        }
        assert_eq!(cache.entries.len(), 3);
        cache.insert(key(1000), 0, 10_000, start);
        assert_eq!((cache.get(&key(1000), start), cache.entries.len()), (None, 3));
    }

    #[test]
    fn what_comes_again_and_again_takes_the_room_of_one() {
        let (start, mut cache) = (Instant::now(), Cache::new(TTL, 10, 1 << 20));
        for number in 0..1000_u32 {
            cache.insert(key(1), number, 1, start + SECOND * number);
            assert!(cache.order.len() <= 1, "{}", cache.order.len());
        }
        assert_eq!((cache.entries.len(), cache.bytes), (1, OVERHEAD + 1));
    }

    #[test]
    fn old_ones_leave_when_another_comes() {
        let (start, mut cache) = (Instant::now(), Cache::new(TTL, 10, 1 << 20));
        cache.insert(key(1), 1, 1, start);
        cache.insert(key(2), 2, 1, start + TTL);
        assert_eq!(cache.entries.len(), 1);
    }
}
