//! How fast a plugin may log, or call.

use std::time::Instant;

/// A token bucket: `rate` a second, and as many at once.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate: rate.into(), tokens: rate.into(), filled: None }
    }

    /// From now on it is this rate. A bucket that was never taken from is full.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.rate = rate.into();
        if self.filled.is_none() {
            self.tokens = self.rate;
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let since = self.filled.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.filled = Some(now);
        self.tokens = (self.tokens + since * self.rate).min(self.rate);
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_cut_and_time_makes_room_again() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10);
        let taken = (0..25).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 10);
        assert!(bucket.take(start + Duration::from_millis(100)));
        assert!(!bucket.take(start + Duration::from_millis(100)));
    }
}
