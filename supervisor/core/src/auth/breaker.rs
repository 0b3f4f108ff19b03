//! Leaves a plugin alone that does not answer, and asks it again by one question after a while.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 5;

/// How long it stays open at first, doubled for each time that the one question fails, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One question is on its way. If its end is not told by then, another one goes.
    HalfOpen {
        until: Instant,
    },
}

/// Whether the plugin may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Ask,
    /// Not before then.
    Refuse {
        until: Instant,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 }, wait: FIRST }
    }
}

impl Breaker {
    /// Whether to ask. Whoever is told to must tell how it went: [`Breaker::succeeded`] or
    /// [`Breaker::failed`].
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Ask,
            State::Open { until } | State::HalfOpen { until } if now < until => {
                Admission::Refuse { until }
            }
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = State::HalfOpen { until: now + LONGEST };
                Admission::Ask
            }
        }
    }

    /// The plugin answered; what it said does not matter.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The plugin did not answer, or with an error.
    pub fn failed(&mut self, now: Instant) {
        match self.state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                self.state = State::Closed { failures: failures + 1 };
            }
            State::Closed { .. } => self.state = State::Open { until: now + self.wait },
            State::HalfOpen { .. } => {
                self.wait = (self.wait * 2).min(LONGEST);
                self.state = State::Open { until: now + self.wait };
            }
            // A question from before it was opened.
            State::Open { .. } => {}
        }
    }

    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests;
