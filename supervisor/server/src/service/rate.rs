//! How many requests a caller may make: each has a bucket of its own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::caller::Caller;

/// Callers that are remembered. A full bucket says nothing, so those are forgotten first.
const MOST_CALLERS: usize = 10_000;

/// The buckets of all callers. Each holds a second's worth of requests.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Caller, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    /// Takes one request of `caller`, or says when there is room for one.
    pub(super) fn take(&self, caller: &Caller, rate: u32, now: Instant) -> Result<(), Duration> {
        let rate = f64::from(rate);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(caller) {
            return bucket.take(rate, now);
        }
        if buckets.len() >= MOST_CALLERS {
            buckets.retain(|_, bucket| bucket.now(rate, now) < rate);
        }
        let mut bucket = Bucket { tokens: rate, filled: now };
        let taken = bucket.take(rate, now);
        buckets.insert(caller.clone(), bucket);
        taken
    }
}

impl Bucket {
    fn now(&self, rate: f64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + since * rate).min(rate)
    }

    fn take(&mut self, rate: f64, now: Instant) -> Result<(), Duration> {
        self.tokens = self.now(rate, now);
        self.filled = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / rate));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_its_own_and_time_fills_it() {
        let (rates, start) = (Rates::default(), Instant::now());
        let (one, other) = (Caller::Uid(1), Caller::Uid(2));
        let taken = (0..25).filter(|_| rates.take(&one, 10, start).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = rates.take(&one, 10, start).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        rates.take(&other, 10, start).unwrap();
        rates.take(&one, 10, start + Duration::from_millis(101)).unwrap();
        rates.take(&one, 10, start + Duration::from_millis(101)).unwrap_err();
    }

    #[test]
    fn callers_that_were_quiet_are_forgotten_when_there_are_many() {
        let (rates, start) = (Rates::default(), Instant::now());
        for uid in 0..MOST_CALLERS {
            let caller = Caller::Uid(u32::try_from(uid).unwrap());
            rates.take(&caller, 10, start).unwrap();
        }
        rates.take(&Caller::Uid(u32::MAX), 10, start + Duration::from_secs(1)).unwrap();
        assert_eq!(rates.0.lock().unwrap().len(), 1);
    }
}
