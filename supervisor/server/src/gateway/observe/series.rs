//! The numbers of one instance, in a shard for each worker of the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::reason::{Reason, Reasons};

/// The numbers of one instance.
#[derive(Debug)]
pub struct Series {
    name: Arc<Name>,
    shards: Box<[Arc<Shard>]>,
}

/// Whose numbers they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    pub plugin: String,
    pub instance: String,
}

/// The numbers of one instance in one worker. Two of them share no cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard {
    begun: AtomicU64,
    ended: AtomicU64,
    codes: [AtomicU64; LABELS.len()],
    durations: [AtomicU64; BUCKETS.len() + 1],
    duration_us: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    refused: Reasons,
    name: Arc<Name>,
}

/// What the shards come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    pub in_flight: u64,
    /// By [`LABELS`].
    pub codes: [u64; LABELS.len()],
    /// How many took at most as long as each of [`BUCKETS`], and last how many there are.
    pub durations: [u64; BUCKETS.len() + 1],
    pub duration_us: u64,
    pub received: u64,
    pub sent: u64,
    /// In the order of [`Reason::ALL`].
    pub refused: [u64; Reason::ALL.len()],
}

/// The statuses that are counted one by one, in order.
const CODES: [u16; 32] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409,
    410, 412, 413, 414, 415, 422, 429, 431, 500, 501, 502, 503, 504,
];

/// Every value of the label `code`: a status, the class of a rare one, or that there was no response.
pub const LABELS: [&str; CODES.len() + 5] = [
    "101", "200", "201", "202", "204", "206", "301", "302", "303", "304", "307", "308", "400",
    "401", "403", "404", "405", "408", "409", "410", "412", "413", "414", "415", "422", "429",
    "431", "500", "501", "502", "503", "504", "2xx", "3xx", "4xx", "5xx", "none",
];

/// The upper bounds of the histogram's buckets, in microseconds.
pub const BUCKETS: [u64; 16] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

fn label(status: u16) -> usize {
    match CODES.binary_search(&status) {
        Ok(exact) => exact,
        Err(_) => match status / 100 {
            class @ 2..=5 => CODES.len() + usize::from(class) - 2,
            _ => LABELS.len() - 1,
        },
    }
}

impl Series {
    pub(super) fn new(plugin: &str, instance: &str, workers: usize) -> Self {
        let name = Arc::new(Name { plugin: plugin.to_owned(), instance: instance.to_owned() });
        let shards = (0..workers).map(|_| Arc::new(Shard::new(name.clone()))).collect();
        Self { name, shards }
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn shard(&self, worker: usize) -> Arc<Shard> {
        self.shards[worker % self.shards.len()].clone()
    }

    /// What has been counted up to now.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::NONE;
        for shard in &self.shards {
            shard.add_to(&mut totals);
        }
        let mut sum = 0;
        for bucket in &mut totals.durations {
            sum += *bucket;
            *bucket = sum;
        }
        totals
    }
}

impl Totals {
    const NONE: Self = Self {
        in_flight: 0,
        codes: [0; LABELS.len()],
        durations: [0; BUCKETS.len() + 1],
        duration_us: 0,
        received: 0,
        sent: 0,
        refused: [0; Reason::ALL.len()],
    };
}

impl Shard {
    fn new(name: Arc<Name>) -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            codes: std::array::from_fn(|_| AtomicU64::new(0)),
            durations: std::array::from_fn(|_| AtomicU64::new(0)),
            duration_us: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            refused: Reasons::default(),
            name,
        }
    }

    pub(super) fn instance(&self) -> &Arc<Name> {
        &self.name
    }

    pub(super) fn begin(&self) {
        add(&self.begun, 1);
    }

    pub(super) fn end(&self) {
        add(&self.ended, 1);
    }

    /// Counts what became of a request, which may go on as a tunnel.
    pub(super) fn answered(&self, status: u16, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|most| us <= *most).unwrap_or(BUCKETS.len());
        add(&self.codes[label(status)], 1);
        add(&self.durations[bucket], 1);
        add(&self.duration_us, us);
    }

    pub(super) fn received(&self, bytes: u64) {
        if bytes > 0 {
            add(&self.received, bytes);
        }
    }

    pub(super) fn sent(&self, bytes: u64) {
        if bytes > 0 {
            add(&self.sent, bytes);
        }
    }

    pub(super) fn refuse(&self, reason: Reason) {
        self.refused.add(reason);
    }

    fn add_to(&self, totals: &mut Totals) {
        // First, so that a request which ends meanwhile is not counted as less than none.
        let ended = read(&self.ended);
        totals.in_flight += read(&self.begun).saturating_sub(ended);
        add_all(&mut totals.codes, &self.codes);
        add_all(&mut totals.durations, &self.durations);
        totals.duration_us += read(&self.duration_us);
        totals.received += read(&self.received);
        totals.sent += read(&self.sent);
        for (total, (_, count)) in totals.refused.iter_mut().zip(self.refused.iter()) {
            *total += count;
        }
    }
}

fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add_all(totals: &mut [u64], counters: &[AtomicU64]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += read(counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_label_and_rare_ones_that_of_their_class() {
        assert!(CODES.is_sorted());
        for (code, text) in CODES.iter().zip(LABELS) {
            assert_eq!((LABELS[label(*code)], text), (text, code.to_string().as_str()));
        }
        let check = |status, expected| assert_eq!(LABELS[label(status)], expected, "{status}");
        check(207, "2xx");
        check(300, "3xx");
        check(418, "4xx");
        check(599, "5xx");
        check(0, "none");
    }

    #[test]
    fn a_duration_counts_in_its_bucket_and_all_above() {
        let series = Series::new("p", "i", 2);
        for (worker, us) in [(0, 250), (1, 251), (5, 61_000_000)] {
            series.shard(worker).begin();
            series.shard(worker).answered(200, Duration::from_micros(us));
            series.shard(worker).end();
        }
        let totals = series.totals();
        assert_eq!(totals.durations[..3], [1, 2, 2]);
        assert_eq!(totals.durations[BUCKETS.len() - 1..], [2, 3]);
        assert_eq!(
            (totals.duration_us, totals.codes[label(200)], totals.in_flight),
            (61_000_501, 3, 0)
        );
    }
}
