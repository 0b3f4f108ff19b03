//! The counters that plugins keep, by instance.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_core::metric::{Counters, Labels, MetricError};

/// Instances whose counters are kept; they last as long as the supervisor, and names come and go.
const MOST_INSTANCES: usize = 1000;

/// Of all instances. Clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct AllCounters(Arc<Mutex<BTreeMap<String, Counters>>>);

impl AllCounters {
    pub(super) fn describe(
        &self,
        instance: &str,
        helps: Vec<(String, String)>,
    ) -> Result<(), MetricError> {
        self.change(instance, |counters| counters.describe(helps))
    }

    pub(super) fn raise(
        &self,
        instance: &str,
        raises: Vec<(String, Labels, u64)>,
    ) -> Result<(), MetricError> {
        self.change(instance, |counters| counters.raise(raises))
    }

    /// As they are now, by instance.
    pub fn all(&self) -> BTreeMap<String, Counters> {
        self.known().clone()
    }

    fn change(
        &self,
        instance: &str,
        change: impl FnOnce(&mut Counters) -> Result<(), MetricError>,
    ) -> Result<(), MetricError> {
        let mut known = self.known();
        if let Some(counters) = known.get_mut(instance) {
            return change(counters);
        }
        if known.len() >= MOST_INSTANCES {
            return Err(MetricError::Full);
        }
        change(known.entry(instance.to_owned()).or_default())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Counters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
