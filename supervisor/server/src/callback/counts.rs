//! How often each instance has called what, and how fast it may.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::ending::{CODES, Ending, RESULTS};
use super::methods::{methods, services};
use crate::plugin::Bucket;

/// How a call may end: with one of the codes, or with one of the results of those that went well.
const ENDINGS: usize = CODES + RESULTS;

/// Of all instances. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct CallCounts(Arc<Mutex<Known>>);

/// By plugin and instance.
type Known = BTreeMap<(String, String), Weak<Counts>>;

/// Of one instance, over all its processes. It goes with the last of them.
#[derive(Debug)]
pub struct Counts {
    /// For each method, how often it ended in each way.
    calls: Vec<[AtomicU64; ENDINGS]>,
    /// For each service.
    buckets: Vec<Mutex<Bucket>>,
}

/// One number of the page of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub plugin: String,
    pub instance: String,
    pub service: &'static str,
    pub method: &'static str,
    pub code: &'static str,
    /// Empty where the answer has none.
    pub result: &'static str,
    pub count: u64,
}

impl CallCounts {
    pub(super) fn of(&self, plugin: &str, instance: &str) -> Arc<Counts> {
        let mut known = self.known();
        let key = (plugin.to_owned(), instance.to_owned());
        if let Some(counts) = known.get(&key).and_then(Weak::upgrade) {
            return counts;
        }
        known.retain(|_, counts| counts.strong_count() > 0);
        let counts = Arc::new(Counts::new());
        known.insert(key, Arc::downgrade(&counts));
        counts
    }

    /// All that is not zero.
    pub fn counted(&self) -> Vec<Counted> {
        let known = self.known().clone();
        let alive = known.into_iter().filter_map(|(key, counts)| Some((key, counts.upgrade()?)));
        alive.flat_map(|((plugin, instance), counts)| counts.counted(&plugin, &instance)).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn new() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            calls: methods().iter().map(|_| zeros()).collect(),
            buckets: (0..services()).map(|_| Mutex::new(Bucket::new(0))).collect(),
        }
    }

    pub(super) fn add(&self, method: usize, ending: Ending) {
        let endings = self.calls.get(method);
        if let Some(count) = endings.and_then(|endings| endings.get(ending.number())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether one more call to a service keeps to `rate` calls a second.
    pub(super) fn may_call(&self, service: usize, rate: u32, now: Instant) -> bool {
        let Some(bucket) = self.buckets.get(service) else { return true };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.set_rate(rate);
        bucket.take(now)
    }

    fn counted(&self, plugin: &str, instance: &str) -> Vec<Counted> {
        let mut counted = Vec::new();
        for (method, endings) in methods().iter().zip(&self.calls) {
            for (number, count) in endings.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let ending = Ending::numbered(number);
                    counted.push(Counted {
                        plugin: plugin.to_owned(),
                        instance: instance.to_owned(),
                        service: &method.service,
                        method: &method.name,
                        code: ending.code(),
                        result: ending.result(),
                        count,
                    });
                }
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use outboard_proto::host::v1::ResultCode;
    use tonic::Code;

    use super::*;
    use crate::callback::methods;

    fn method(path: &str) -> usize {
        methods::number(&format!("/outboard.host.v1.{path}")).unwrap()
    }

    #[test]
    fn what_was_called_is_counted_by_code_until_the_instance_is_gone() {
        let all = CallCounts::default();
        let counts = all.of("mock", "one");
        counts.add(method("Host/Info"), Ending::Coded(Code::Ok));
        all.of("mock", "one").add(method("Host/Info"), Ending::Coded(Code::Ok));
        counts.add(method("Users/Get"), Ending::Coded(Code::PermissionDenied));
        counts.add(method("Users/Get"), Ending::Answered(ResultCode::NotFound));
        let lines: Vec<_> = all
            .counted()
            .into_iter()
            .map(|it| {
                format!(
                    "{} {} {}/{} {} {:?} {}",
                    it.plugin, it.instance, it.service, it.method, it.code, it.result, it.count
                )
            })
            .collect();
        let expected = [
            "mock one Host/Info OK \"\" 2",
            "mock one Users/Get PERMISSION_DENIED \"\" 1",
            "mock one Users/Get OK \"NOT_FOUND\" 1",
        ];
        assert_eq!(lines, expected);
        drop(counts);
        assert!(all.counted().is_empty());
    }

    #[test]
    fn each_service_has_a_rate_of_its_own_that_may_change() {
        let counts = Counts::new();
        let now = Instant::now();
        let taken =
            |service, rate, now| (0..100).filter(|_| counts.may_call(service, rate, now)).count();
        assert_eq!(taken(0, 10, now), 10);
        assert_eq!(taken(1, 10, now), 10);
        assert_eq!(taken(0, 10, now + Duration::from_mins(1)), 10);
        assert_eq!(taken(0, 50, now + Duration::from_mins(2)), 50);
        assert_eq!(taken(0, 5, now + Duration::from_mins(3)), 5);
    }
}
