//! What an author implements to do something later.

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use outboard_proto::plugin::v1::OnScheduleRequest;

use crate::failure::Failure;
use crate::plugin::Plugin;

/// A plugin whose instances set schedules with [`Host::schedules`](crate::Host::schedules). Its `main` calls
/// [`Server::scheduled`](crate::Server::scheduled).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use outboard_sdk::{Due, Endpoints, Failure, Init, Plugin, Problem, Problems, Schedule, Scheduled};
///
/// struct Sweeper;
///
/// impl Plugin for Sweeper {
///     type Parameters = serde_json::Value;
///     type Instance = ();
///
///     async fn init(
///         &self,
///         init: Init<Self::Parameters>,
///         _: &mut Endpoints<()>,
///     ) -> Result<(), Problems> {
///         let daily = Schedule::every("sweep", Duration::from_hours(24));
///         let set = init.host.schedules().set(daily).await;
///         set.map_err(|error| Problem::new("", error.to_string()))?;
///         Ok(())
///     }
/// }
///
/// impl Scheduled for Sweeper {
///     async fn on_schedule(&self, _: Arc<()>, due: Due) -> Result<(), Failure> {
///         tracing::info!(name = due.name, "sweeping");
///         Ok(())
///     }
/// }
/// ```
pub trait Scheduled: Plugin {
    /// Does what is due. One schedule comes once at a time, in whatever process the instance runs; it may come again for
    /// the same [`Due::at`], after an error, or when the process or the host was lost before the answer was on disk.
    ///
    /// The host waits 60 s; then the future is dropped. What takes longer is begun here and goes on by itself.
    ///
    /// # Errors
    ///
    /// When it is to be tried again: after 1 s, then after twice as long each time, up to 5 min. The host keeps the
    /// words and shows them, so no secret may be among them.
    fn on_schedule(
        &self,
        instance: Arc<Self::Instance>,
        due: Due,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Due {
    /// The schedule's name.
    pub name: String,
    /// As it was set.
    pub data: Vec<u8>,
    /// For when it was set. The same at each attempt.
    pub at: SystemTime,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl Due {
    pub(crate) fn from_proto(request: OnScheduleRequest) -> Self {
        let at = request.due_at.and_then(|at| at.try_into().ok());
        Self {
            name: request.name,
            data: request.data.into(),
            at: at.unwrap_or(SystemTime::UNIX_EPOCH),
            attempt: request.attempt,
        }
    }
}
