//! What became of events since the start, for whoever measures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All of it.
#[derive(Debug, Default)]
pub struct Numbers {
    accepted: AtomicU64,
    repeated: AtomicU64,
    /// By the reason for which they were refused.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    notifiers: Mutex<BTreeMap<Arc<str>, NotifierCounts>>,
}

/// What became of the deliveries of one notifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifierCounts {
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Why an attempt failed last. Empty: none did.
    pub last_error: String,
}

/// Events that were announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub accepted: u64,
    pub repeated: u64,
    pub refused: BTreeMap<&'static str, u64>,
}

impl Numbers {
    pub fn counted(&self) -> Counted {
        Counted {
            accepted: self.accepted.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            refused: lock(&self.refused).clone(),
        }
    }

    /// By instance, those that are told of events now or have been.
    pub fn notifiers(&self) -> BTreeMap<Arc<str>, NotifierCounts> {
        lock(&self.notifiers).clone()
    }

    pub(super) fn accept(&self, accepted: u64, repeated: u64) {
        self.accepted.fetch_add(accepted, Ordering::Relaxed);
        self.repeated.fetch_add(repeated, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, reason: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        *lock(&self.refused).entry(reason).or_default() += count;
    }

    /// Begins to count for a notifier, so that it is seen before its first event.
    pub(super) fn begin(&self, notifier: &Arc<str>) {
        self.count(notifier, |_| {});
    }

    /// Forgets what was counted for a notifier that is gone.
    pub(super) fn end(&self, notifier: &str) {
        lock(&self.notifiers).remove(notifier);
    }

    pub(super) fn delivered(&self, notifier: &Arc<str>) {
        self.count(notifier, |counts| counts.delivered += 1);
    }

    pub(super) fn failed(&self, notifier: &Arc<str>, error: &str) {
        self.count(notifier, |counts| {
            counts.failed += 1;
            error.clone_into(&mut counts.last_error);
        });
    }

    pub(super) fn died(&self, notifier: &Arc<str>) {
        self.count(notifier, |counts| counts.dead += 1);
    }

    fn count(&self, notifier: &Arc<str>, count: impl FnOnce(&mut NotifierCounts)) {
        let mut notifiers = lock(&self.notifiers);
        if let Some(counts) = notifiers.get_mut(notifier) {
            count(counts);
        } else {
            count(notifiers.entry(notifier.clone()).or_default());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
