//! How often somebody may try a password: a bucket of tries for each name and for each place that tries come from.
//!
//! A try takes a token before the password is looked at, so that a thousand at once are no more than ten, and gets it back
//! when the password was right.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// In this time a bucket that is empty fills up.
pub const FILLS_IN: Duration = Duration::from_mins(1);

/// The buckets of many keys. Time is counted from any moment that stays the same.
#[derive(Debug)]
pub struct Attempts<K> {
    buckets: HashMap<K, Bucket>,
    /// Tokens of a full one.
    size: f64,
    /// Keys that are remembered. A full bucket says nothing, so those are forgotten first.
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
}

impl<K: Clone + Eq + Hash> Attempts<K> {
    /// Each key may have `size` tries at once, and as many in [`FILLS_IN`]. At most `most` keys are remembered.
    pub fn new(size: u32, most: usize) -> Self {
        Self { buckets: HashMap::new(), size: size.max(1).into(), most: most.max(1) }
    }

    /// Takes a try of `key`, or says how long to wait for one.
    ///
    /// # Errors
    /// If there is none left.
    pub fn take(&mut self, key: &K, now: Duration) -> Result<(), Duration> {
        let size = self.size;
        if !self.buckets.contains_key(key) {
            self.make_room(now);
            self.buckets.insert(key.clone(), Bucket { tokens: size, filled: now });
        }
        let Some(bucket) = self.buckets.get_mut(key) else { return Ok(()) };
        bucket.fill(size, now);
        if bucket.tokens < 1.0 {
            return Err(FILLS_IN.mul_f64((1.0 - bucket.tokens) / size));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Gives a try back: it was a good one.
    pub fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.tokens = (bucket.tokens + 1.0).min(self.size);
        }
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    fn make_room(&mut self, now: Duration) {
        if self.buckets.len() < self.most {
            return;
        }
        let size = self.size;
        self.buckets.retain(|_, bucket| {
            bucket.fill(size, now);
            bucket.tokens < size
        });
        // Still full: whoever has most tries left loses least by being forgotten.
        while self.buckets.len() >= self.most {
            let freest = self.buckets.iter().max_by(|(_, a), (_, b)| a.tokens.total_cmp(&b.tokens));
            let Some(key) = freest.map(|(key, _)| key.clone()) else { return };
            self.buckets.remove(&key);
        }
    }
}

impl Bucket {
    fn fill(&mut self, size: f64, now: Duration) {
        let since = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * size / FILLS_IN.as_secs_f64()).min(size);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn ten_thousand_wrong_passwords_are_ten() {
        let mut attempts = Attempts::new(10, 100);
        let taken = (0..10_000).filter(|_| attempts.take(&"ada", START).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = attempts.take(&"ada", START).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(6), "{wait:?}");
        assert!(attempts.take(&"bob", START).is_ok(), "each has its own");
    }

    #[test]
    fn time_gives_tries_back_and_so_does_a_good_one() {
        let mut attempts = Attempts::new(10, 100);
        for _ in 0..10 {
            attempts.take(&"ada", START).unwrap();
        }
        attempts.give_back(&"ada");
        attempts.take(&"ada", START).unwrap();
        attempts.take(&"ada", START + Duration::from_secs(5)).unwrap_err();
        attempts.take(&"ada", START + Duration::from_secs(7)).unwrap();
        let later = START + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| attempts.take(&"ada", later).is_ok()).count(), 10);
    }

    #[test]
    fn a_good_one_never_makes_more_than_there_were() {
        let mut attempts = Attempts::new(2, 100);
        attempts.take(&"ada", START).unwrap();
        for _ in 0..10 {
            attempts.give_back(&"ada");
        }
        attempts.give_back(&"nobody");
        assert_eq!((0..10).filter(|_| attempts.take(&"ada", START).is_ok()).count(), 2);
    }

    #[test]
    fn many_keys_push_out_those_who_tried_least() {
        let mut attempts = Attempts::new(10, 100);
        for _ in 0..10 {
            attempts.take(&0, START).unwrap();
        }
        for key in 1..1000 {
            attempts.take(&key, START).unwrap();
        }
        assert!(attempts.len() <= 100);
        attempts.take(&0, START).unwrap_err();
        attempts.take(&1000, START + FILLS_IN).unwrap();
        assert_eq!(attempts.len(), 1, "all others are full again");
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let mut attempts = Attempts::new(1, 10);
        attempts.take(&"ada", START).unwrap();
        attempts.take(&"ada", START.saturating_sub(Duration::from_secs(100))).unwrap_err();
    }
}
