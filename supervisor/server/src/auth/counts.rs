//! What is counted about who was let in.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody is who they say, and may do what they want.
    Allowed,
    /// Is who they say, and may not.
    Denied,
    /// Is not let in at all.
    Refused,
    /// Nobody can say at the moment.
    Unavailable,
    /// `auth.enabled` is false: nobody was asked.
    Unchecked,
}

/// How a call to an auth plugin ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Answered,
    Failed,
    TimedOut,
    /// Not made: the instance is not there.
    Away,
    /// Not made: the calls before it failed.
    HeldBack,
}

impl Outcome {
    pub const ALL: [Self; 5] =
        [Self::Allowed, Self::Denied, Self::Refused, Self::Unavailable, Self::Unchecked];

    pub fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unchecked => "unchecked",
        }
    }
}

impl Call {
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::Failed, Self::TimedOut, Self::Away, Self::HeldBack];

    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Away => "away",
            Self::HeldBack => "held_back",
        }
    }
}

/// The numbers since the start of the supervisor.
#[derive(Debug, Default)]
pub struct Counts {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    calls: [AtomicU64; Call::ALL.len()],
    cache_hits: AtomicU64,
    joined: AtomicU64,
}

impl Counts {
    pub(super) fn outcome(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn call(&self, call: Call) {
        self.calls[call as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn cache_hit(&self) {
        self.cache_hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub fn outcome_now(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    pub fn calls_now(&self, call: Call) -> u64 {
        self.calls[call as usize].load(Ordering::Relaxed)
    }

    /// Questions that were answered from memory.
    pub fn cache_hits_now(&self) -> u64 {
        self.cache_hits.load(Ordering::Relaxed)
    }

    /// Questions that waited for the answer to somebody else's.
    pub fn joined_now(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }
}
