//! `outboard.host.v1.Schedules`: what an instance is to do later.

use std::time::{Duration, SystemTime};

use outboard_core::grant::Group;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::schedules_server;
use outboard_store::storage::{NewSchedule, Schedule};
use tonic::{Request, Response, Status};

use super::Caller;
use super::stored::{failed, length, text};
use crate::clock::timestamp;

const LONGEST_NAME: usize = 128;
const MOST_DATA: usize = 16 << 10;
/// Of one instance.
const MOST_SCHEDULES: u32 = 1000;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// The end of the year 9999, which is as far as timestamps go.
const LAST_MS: i64 = 253_402_300_799_000;

#[tonic::async_trait]
impl schedules_server::Schedules for Caller {
    async fn set(
        &self,
        request: Request<wire::SetScheduleRequest>,
    ) -> Result<Response<wire::SetScheduleResponse>, Status> {
        let instance = self.permit(&request, Group::Schedules)?.instance;
        let schedule = request.into_inner().schedule;
        let read = read(schedule.ok_or_else(|| Status::invalid_argument("schedule is missing"))?)?;
        let new = NewSchedule {
            name: &read.name,
            every_ms: read.every_ms,
            at_ms: read.at_ms,
            data: &read.data,
        };
        let set = self.store().schedules().set(&instance, new, MOST_SCHEDULES).await;
        let set = set.map_err(failed)?.ok_or_else(|| {
            Status::resource_exhausted(format!(
                "the instance has {MOST_SCHEDULES} schedules; delete some, or set one for several things"
            ))
        })?;
        self.0.services.schedules.ring();
        Ok(Response::new(wire::SetScheduleResponse { schedule: Some(shown(set)) }))
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteScheduleRequest>,
    ) -> Result<Response<wire::DeleteScheduleResponse>, Status> {
        let instance = self.permit(&request, Group::Schedules)?.instance;
        let name = text(request.into_inner().name, "name", 1, LONGEST_NAME)?;
        let deleted = self.store().schedules().delete(&instance, &name).await.map_err(failed)?;
        let result = if deleted { wire::ResultCode::Ok } else { wire::ResultCode::NotFound };
        Ok(Response::new(wire::DeleteScheduleResponse { result: result.into() }))
    }

    async fn list(
        &self,
        request: Request<wire::ListSchedulesRequest>,
    ) -> Result<Response<wire::ListSchedulesResponse>, Status> {
        let instance = self.permit(&request, Group::Schedules)?.instance;
        let schedules = self.store().schedules().list(&instance).await.map_err(failed)?;
        let schedules = schedules.into_iter().map(shown).collect();
        Ok(Response::new(wire::ListSchedulesResponse { schedules }))
    }
}

/// What a plugin wants to be set.
struct Read {
    name: String,
    every_ms: Option<i64>,
    at_ms: Option<i64>,
    data: Vec<u8>,
}

fn read(schedule: wire::Schedule) -> Result<Read, Status> {
    let wire::Schedule { name, every, at, data, .. } = schedule;
    let name = text(name, "schedule.name", 1, LONGEST_NAME)?;
    let every =
        every.map(|every| length(every, "schedule.every", SHORTEST, LONGEST)).transpose()?;
    if every.is_none() && at.is_none() {
        return Err(Status::invalid_argument(
            "schedule.at is missing; without every it is required",
        ));
    }
    if data.len() > MOST_DATA {
        return Err(Status::invalid_argument(format!(
            "schedule.data has {} bytes; at most {MOST_DATA} are kept",
            data.len()
        )));
    }
    let every_ms = every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
    Ok(Read { name, every_ms, at_ms: at.map(millis).transpose()?, data: data.into() })
}

fn millis(at: prost_types::Timestamp) -> Result<i64, Status> {
    let outside = || Status::invalid_argument("schedule.at is no time of the years 1970 to 9999");
    let at = SystemTime::try_from(at).map_err(|_| outside())?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| outside())?;
    let ms = i64::try_from(since.as_millis()).ok().filter(|ms| *ms <= LAST_MS);
    ms.ok_or_else(outside)
}

fn shown(schedule: Schedule) -> wire::Schedule {
    let every = schedule.every_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
    wire::Schedule {
        name: schedule.name,
        every: every.and_then(|every| every.try_into().ok()),
        at: Some(timestamp(schedule.due_ms)),
        data: schedule.data.into(),
        failures: schedule.failures,
        last_error: schedule.last_error.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(seconds: i64) -> wire::Schedule {
        let at = Some(prost_types::Timestamp { seconds, nanos: 0 });
        wire::Schedule { name: "n".to_owned(), at, ..wire::Schedule::default() }
    }

    fn every(seconds: i64, nanos: i32) -> wire::Schedule {
        let every = Some(prost_types::Duration { seconds, nanos });
        wire::Schedule { name: "n".to_owned(), every, ..wire::Schedule::default() }
    }

    #[test]
    fn what_is_at_its_limit_is_set() {
        for (schedule, every_ms, at_ms) in [
            (once(0), None, Some(0)),
            (once(253_402_300_799), None, Some(LAST_MS)),
            (every(1, 0), Some(1000), None),
            (every(1, 500_000_000), Some(1500), None),
            (every(366 * 86_400, 0), Some(366 * 86_400_000), None),
            (wire::Schedule { data: vec![0; MOST_DATA].into(), ..once(1) }, None, Some(1000)),
        ] {
            let read = read(schedule).unwrap();
            assert_eq!((read.every_ms, read.at_ms), (every_ms, at_ms));
        }
    }

    #[test]
    fn what_is_beyond_it_is_refused_with_the_field() {
        let named = |name: &str| wire::Schedule { name: name.to_owned(), ..once(1) };
        for (schedule, field) in [
            (named(""), "name"),
            (named("a\0"), "name"),
            (named(&"n".repeat(LONGEST_NAME + 1)), "name"),
            (once(-1), "at"),
            (once(253_402_300_800), "at"),
            (once(i64::MAX), "at"),
            (every(0, 999_999_999), "every"),
            (every(-1, 0), "every"),
            (every(366 * 86_400 + 1, 0), "every"),
            (wire::Schedule { at: None, ..once(1) }, "at is missing"),
            (wire::Schedule { data: vec![0; MOST_DATA + 1].into(), ..once(1) }, "data"),
        ] {
            let status = read(schedule).err().unwrap_or_else(|| panic!("{field}"));
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().contains(field), "{field}: {}", status.message());
        }
    }
}
