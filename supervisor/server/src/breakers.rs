//! A breaker for each instance: one that fails again and again is left alone for a while, and then tried by one
//! question.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use outboard_core::auth::{Admission, Breaker};

/// By instance, whatever processes it has had.
#[derive(Debug)]
pub(crate) struct Breakers {
    /// What the instances are, for operators.
    what: &'static str,
    all: Mutex<BTreeMap<String, Breaker>>,
}

/// Leave to make one call. It should be told how that ended; if it is not, another one is tried some time later.
#[derive(Debug)]
pub(crate) struct Permit {
    breakers: Arc<Breakers>,
    instance: String,
}

impl Breakers {
    /// `what`: what the instances are, for operators.
    pub(crate) fn new(what: &'static str) -> Arc<Self> {
        Arc::new(Self { what, all: Mutex::default() })
    }

    /// Leave for one call, or how long to wait for it.
    pub(crate) fn permit(self: &Arc<Self>, instance: &str) -> Result<Permit, Duration> {
        let now = Instant::now();
        let admission = self.all().entry(instance.to_owned()).or_default().admit(now);
        match admission {
            Admission::Ask => Ok(Permit { breakers: self.clone(), instance: instance.to_owned() }),
            Admission::Refuse { until } => Err(until.saturating_duration_since(now)),
        }
    }

    /// The instances that are left alone, or tried by one question.
    pub(crate) fn open(&self) -> Vec<String> {
        let all = self.all();
        let open = all.iter().filter(|(_, breaker)| breaker.is_open());
        open.map(|(instance, _)| instance.clone()).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Breaker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The plugin answered, whatever it said.
    pub(crate) fn succeeded(&self) {
        let mut all = self.breakers.all();
        let Some(breaker) = all.get_mut(&self.instance) else { return };
        let was_open = breaker.is_open();
        breaker.succeeded();
        if was_open {
            tracing::info!(instance = self.instance, "{} answers again", self.breakers.what);
        }
    }

    /// The plugin did not.
    pub(crate) fn failed(&self) {
        let mut all = self.breakers.all();
        let Some(breaker) = all.get_mut(&self.instance) else { return };
        let was_open = breaker.is_open();
        breaker.failed(Instant::now());
        if breaker.is_open() && !was_open {
            tracing::error!(
                instance = self.instance,
                "{} has failed too often and is left alone for a while; nobody is let in by it meanwhile",
                self.breakers.what
            );
        }
    }
}
