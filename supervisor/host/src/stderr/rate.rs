//! How much of a plugin's stderr is worth parsing: a token bucket that is told the time.
//!
//! Pure. Kept as one moment, the time until which everything let through so far is paid for, so
//! there is nothing to refill and nothing to round.

use std::time::Duration;

/// Lets `burst` bytes through at once and `per_second` bytes in the long run.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_byte: Duration,
    burst: Duration,
    paid_until: Duration,
}

impl Bucket {
    /// `per_second` is at most 1,000,000,000.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let per_byte = Duration::from_secs(1) / per_second;
        Self { per_byte, burst: per_byte * burst, paid_until: Duration::ZERO }
    }

    /// Whether something of `cost` bytes may pass at `now`, a time since any fixed moment.
    pub(crate) fn take(&mut self, cost: usize, now: Duration) -> bool {
        let cost = self.per_byte * u32::try_from(cost).unwrap_or(u32::MAX);
        let paid_until = self.paid_until.max(now) + cost;
        let is_allowed = paid_until <= now + self.burst;
        if is_allowed {
            self.paid_until = paid_until;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(bucket: &mut Bucket, now: Duration) -> usize {
        (0..10_000).take_while(|_| bucket.take(10, now)).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let mut bucket = Bucket::new(1000, 500);
        assert_eq!(passed(&mut bucket, Duration::from_secs(5)), 50);
        assert_eq!(passed(&mut bucket, Duration::from_secs(5)), 0);
        assert_eq!(passed(&mut bucket, Duration::from_millis(5_100)), 10);
    }

    #[test]
    fn a_quiet_hour_saves_up_no_more_than_one_burst() {
        let mut bucket = Bucket::new(1000, 500);
        assert_eq!(passed(&mut bucket, Duration::from_hours(1)), 50);
    }

    #[test]
    fn what_is_larger_than_the_burst_never_passes_and_costs_nothing() {
        let mut bucket = Bucket::new(1000, 500);
        assert!(!bucket.take(501, Duration::from_secs(1)));
        assert!(bucket.take(500, Duration::from_secs(1)));
    }
}
