//! `outboard.host.v1.Log`: log lines without a detour through stderr.

use std::time::SystemTime;

use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::log_server::Log;
use tonic::{Request, Response, Status};
use tracing::Level;

use super::Caller;
use super::room::activation;
use crate::plugin::LogEntry;

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
            if !self.0.log.write(entry(record, &instance)) {
                dropped += 1;
            }
        }
        Ok(Response::new(wire::WriteResponse { dropped }))
    }
}

fn entry(record: wire::Record, instance: &str) -> LogEntry {
    let level = level(record.level());
    let time = record.time.and_then(|time| SystemTime::try_from(time).ok());
    // Which instance speaks is the host's to say.
    let mut fields: Vec<_> =
        record.fields.into_iter().filter(|(name, _)| name != "instance").collect();
    fields.sort();
    fields.insert(0, ("instance".to_owned(), instance.to_owned()));
    LogEntry { time: time.unwrap_or_else(SystemTime::now), level, message: record.message, fields }
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
