//! What is to be done later.

use std::time::{Duration, SystemTime};

use outboard_proto::host::v1;
use outboard_proto::host::v1::schedules_client::SchedulesClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::{Host, HostError, HostErrorKind, Stamp};

/// Schedules of this instance: when one is due, the host calls [`Scheduled::on_schedule`](crate::Scheduled::on_schedule)
/// of one of its activations, wherever it runs. They survive restarts, upgrades and `close`, and go when the instance is
/// deleted. Its manifest has `grants.callbacks = ["schedules"]`, and the operator grants it. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Schedules(Host);

/// Something to be done later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Under which it is known: 1 to 128 bytes.
    pub name: String,
    /// From one time to the next, 1 s to 366 d. `None`: it goes off once.
    pub every: Option<Duration>,
    /// When it is due.
    pub at: Option<SystemTime>,
    /// Comes back when it is due. Limit: 16 KiB.
    pub data: Vec<u8>,
    /// How many times in a row it has failed.
    pub failures: u32,
    /// Why it failed the last time.
    pub last_error: Option<String>,
}

impl Schedule {
    /// Again and again, for the first time after `every`. Set again with the same interval, it keeps the time at which
    /// it is due: so set it in `init`.
    pub fn every(name: impl Into<String>, every: Duration) -> Self {
        Self { every: Some(every), ..Self::new(name) }
    }

    /// Once. A time that is past is now.
    pub fn once(name: impl Into<String>, at: SystemTime) -> Self {
        Self { at: Some(at), ..Self::new(name) }
    }

    /// For the first time at `at`, and then as it is.
    #[must_use]
    pub fn starting(mut self, at: SystemTime) -> Self {
        self.at = Some(at);
        self
    }

    /// Comes back when it is due.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    fn new(name: impl Into<String>) -> Self {
        let (name, data) = (name.into(), Vec::new());
        Self { name, every: None, at: None, data, failures: 0, last_error: None }
    }

    fn into_proto(self) -> v1::Schedule {
        v1::Schedule {
            name: self.name,
            every: self.every.and_then(|every| every.try_into().ok()),
            at: self.at.map(Into::into),
            data: self.data.into(),
            ..v1::Schedule::default()
        }
    }

    fn from_proto(schedule: v1::Schedule) -> Self {
        Self {
            name: schedule.name,
            every: schedule.every.and_then(|every| every.try_into().ok()),
            at: schedule.at.and_then(|at| at.try_into().ok()),
            data: schedule.data.into(),
            failures: schedule.failures,
            last_error: Some(schedule.last_error).filter(|error| !error.is_empty()),
        }
    }
}

impl Schedules {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Sets a schedule, in place of the one of that name, and gives it as it is now.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Denied`] without the grant, [`HostErrorKind::Invalid`] for one that can't be,
    /// [`HostErrorKind::Limit`] beyond 1000 of them.
    pub async fn set(&self, schedule: Schedule) -> Result<Schedule, HostError> {
        let request = v1::SetScheduleRequest { schedule: Some(schedule.into_proto()) };
        let answer = self.client()?.set(request).await?.into_inner();
        let schedule = answer.schedule.ok_or_else(|| {
            HostError::new(HostErrorKind::Failed, "the host's answer contradicts itself")
        })?;
        Ok(Schedule::from_proto(schedule))
    }

    /// Ends a schedule, and tells whether there was one. A call that is under way goes on.
    ///
    /// # Errors
    ///
    /// As with [`set`](Self::set).
    pub async fn delete(&self, name: &str) -> Result<bool, HostError> {
        let request = v1::DeleteScheduleRequest { name: name.to_owned() };
        match self.client()?.delete(request).await?.into_inner().result() {
            v1::ResultCode::Ok => Ok(true),
            v1::ResultCode::NotFound => Ok(false),
            other => {
                let message = format!("the host answered {}", other.as_str_name());
                Err(HostError::new(HostErrorKind::Failed, message))
            }
        }
    }

    /// Lists this instance's schedules by name.
    ///
    /// # Errors
    ///
    /// As with [`set`](Self::set).
    pub async fn list(&self) -> Result<Vec<Schedule>, HostError> {
        let answer = self.client()?.list(v1::ListSchedulesRequest {}).await?.into_inner();
        Ok(answer.schedules.into_iter().map(Schedule::from_proto).collect())
    }

    fn client(&self) -> Result<SchedulesClient<InterceptedService<Channel, Stamp>>, HostError> {
        Ok(SchedulesClient::new(self.0.channel()?))
    }
}
