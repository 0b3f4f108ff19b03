//! What becomes of an event that a notifier was told of: delivered, tried again, or given up.

use std::fmt;
use std::time::Duration;

/// How often and how long an event is tried at one notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub attempts: u32,
    pub max_age: Duration,
    /// The wait after the first attempt; doubled after each further one, up to `most`.
    pub first: Duration,
    pub most: Duration,
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Not now. `after`: the least time until the next attempt, where the notifier knows one.
    Failed {
        after: Option<Duration>,
    },
    /// Never.
    Rejected,
}

/// What to do about it. Times are milliseconds of the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    Again {
        at_ms: i64,
    },
    /// A dead letter.
    Dead {
        why: Why,
    },
}

/// Why an event is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Rejected,
    /// It was tried as often as it may be.
    Attempts(u32),
    /// It has waited as long as it may.
    Age(Duration),
}

impl Policy {
    /// The usual waits.
    pub const fn new(attempts: u32, max_age: Duration) -> Self {
        Self { attempts, max_age, first: Duration::from_secs(1), most: Duration::from_mins(5) }
    }

    /// What to do after attempt number `attempt`, counted from 1. `jitter` is from 0 to 1, and keeps those
    /// that failed together from coming back together.
    pub fn decide(
        &self,
        attempt: u32,
        accepted_ms: i64,
        now_ms: i64,
        outcome: Outcome,
        jitter: f64,
    ) -> Verdict {
        let after = match outcome {
            Outcome::Delivered => return Verdict::Delivered,
            Outcome::Rejected => return Verdict::Dead { why: Why::Rejected },
            Outcome::Failed { after } => after,
        };
        if attempt >= self.attempts {
            return Verdict::Dead { why: Why::Attempts(attempt) };
        }
        if now_ms.saturating_sub(accepted_ms) >= milliseconds(self.max_age) {
            return Verdict::Dead { why: Why::Age(self.max_age) };
        }
        let wait = self.wait(attempt, jitter).max(after.unwrap_or_default());
        Verdict::Again { at_ms: now_ms.saturating_add(milliseconds(wait)) }
    }

    /// From half of the step to all of it. Somebody who asks for a wait gets at least that one; nobody is
    /// asked again at once.
    fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let step = self.first.saturating_mul(doubled).min(self.most);
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
        step.mul_f64(0.5 + jitter / 2.0)
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected => f.write_str("the notifier rejects it"),
            Self::Attempts(1) => f.write_str("given up after 1 attempt"),
            Self::Attempts(attempts) => write!(f, "given up after {attempts} attempts"),
            Self::Age(age) => write!(f, "given up after {}", humantime::format_duration(*age)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy::new(50, Duration::from_hours(72));

    fn failed(attempt: u32, jitter: f64, after: Option<Duration>) -> i64 {
        match POLICY.decide(attempt, 0, 1000, Outcome::Failed { after }, jitter) {
            Verdict::Again { at_ms } => at_ms - 1000,
            verdict => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn waits_double_from_a_second_to_five_minutes() {
        let waits: Vec<i64> = (1..=12).map(|attempt| failed(attempt, 1.0, None)).collect();
        let doubled =
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map(|seconds| seconds * 1000);
        assert_eq!(waits, doubled);
        assert_eq!(failed(49, 1.0, None), 300_000);
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_wait() {
        assert_eq!((failed(1, 0.0, None), failed(3, 0.5, None)), (500, 3000));
        for odd in [f64::NAN, f64::INFINITY, -1.0, 7.0] {
            assert!((500..=1000).contains(&failed(1, odd, None)), "{odd}");
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept() {
        assert_eq!(failed(1, 0.0, Some(Duration::from_secs(90))), 90_000);
        assert_eq!(failed(1, 0.0, Some(Duration::ZERO)), 500);
        assert!(failed(10, 0.0, Some(Duration::from_secs(2))) >= 2000);
    }

    #[test]
    fn an_event_is_given_up_after_its_attempts_or_its_age() {
        let outcome = Outcome::Failed { after: None };
        let dead = |attempt, now_ms| POLICY.decide(attempt, 0, now_ms, outcome, 0.0);
        assert_eq!(dead(50, 0), Verdict::Dead { why: Why::Attempts(50) });
        let age = Duration::from_hours(72);
        assert_eq!(dead(1, 72 * 3_600_000), Verdict::Dead { why: Why::Age(age) });
        assert!(matches!(dead(1, 72 * 3_600_000 - 1), Verdict::Again { .. }));
        assert!(matches!(dead(1, -5), Verdict::Again { .. }), "a clock that was set back");
        let words = [Why::Attempts(1), Why::Attempts(50), Why::Age(age)].map(|why| why.to_string());
        assert_eq!(
            words,
            ["given up after 1 attempt", "given up after 50 attempts", "given up after 3days"]
        );
    }

    #[test]
    fn what_is_delivered_or_rejected_is_over() {
        assert_eq!(POLICY.decide(50, 0, i64::MAX, Outcome::Delivered, 0.0), Verdict::Delivered);
        let rejected = POLICY.decide(1, 0, 0, Outcome::Rejected, 0.0);
        assert_eq!(rejected, Verdict::Dead { why: Why::Rejected });
    }

    proptest! {
        #[test]
        fn no_numbers_do_harm(
            attempt in any::<u32>(),
            accepted in any::<i64>(),
            now in any::<i64>(),
            after in prop::option::of(any::<u64>().prop_map(Duration::from_millis)),
            jitter in any::<f64>(),
        ) {
            if let Verdict::Again { at_ms } = POLICY.decide(attempt, accepted, now, Outcome::Failed { after }, jitter) {
                prop_assert!(at_ms >= now && attempt < 50);
            }
        }
    }
}
