//! `outboard.host.v1.Log`: log lines without a detour through stderr.

use std::sync::PoisonError;
use std::time::{Instant, SystemTime};

use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::log_server::Log;
use tonic::{Request, Response, Status};
use tracing::Level;

use super::room::activation;
use super::{Caller, Room};
use crate::plugin::LogEntry;

/// Longest message and longest value of a field, in bytes.
const LONGEST: usize = 8192;
/// Longest name of a field, in bytes.
const LONGEST_NAME: usize = 256;
const MOST_FIELDS: usize = 64;
const MOST_RECORDS: usize = 1000;

#[tonic::async_trait]
impl Log for Caller {
    async fn write(
        &self,
        request: Request<wire::WriteRequest>,
    ) -> Result<Response<wire::WriteResponse>, Status> {
        let instance = self.0.instance(&activation(&request)?)?;
        let records = request.into_inner().records;
        if records.len() > MOST_RECORDS {
            return Err(Status::resource_exhausted(format!(
                "{} records in one call, more than {MOST_RECORDS}; split it",
                records.len()
            )));
        }
        let mut dropped = 0;
        for record in records {
            if self.0.may_log() {
                self.0.log.write(entry(record, &instance));
            } else {
                dropped += 1;
            }
        }
        Ok(Response::new(wire::WriteResponse { dropped }))
    }
}

impl Room {
    fn may_log(&self) -> bool {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

fn entry(record: wire::Record, instance: &str) -> LogEntry {
    let level = level(record.level());
    let time = record.time.and_then(|time| SystemTime::try_from(time).ok());
    let mut fields: Vec<_> = record
        .fields
        .into_iter()
        .take(MOST_FIELDS)
        .map(|(name, value)| (cut(name, LONGEST_NAME), cut(value, LONGEST)))
        .collect();
    fields.sort();
    fields.insert(0, ("instance".to_owned(), instance.to_owned()));
    LogEntry {
        time: time.unwrap_or_else(SystemTime::now),
        level,
        message: cut(record.message, LONGEST),
        fields,
    }
}

fn level(level: wire::Level) -> Level {
    match level {
        wire::Level::Trace => Level::TRACE,
        wire::Level::Debug => Level::DEBUG,
        wire::Level::Unspecified | wire::Level::Info => Level::INFO,
        wire::Level::Warn => Level::WARN,
        wire::Level::Error => Level::ERROR,
    }
}

fn cut(mut text: String, longest: usize) -> String {
    text.truncate(text.floor_char_boundary(longest));
    text
}

/// A token bucket: `rate` lines a second, and as many at once.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate: rate.into(), tokens: rate.into(), filled: None }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
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

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("aé".to_owned(), 2), "a");
    }
}
