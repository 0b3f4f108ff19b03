//! One call for one schedule: within a time limit, and ended with its activation.

use std::time::Duration;

use outboard_proto::plugin::v1::scheduled_client::ScheduledClient;
use outboard_proto::plugin::v1::{Capability, OnScheduleRequest};
use outboard_store::storage::Schedule;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::Common;
use crate::clock::timestamp;
use crate::plugin::snapshot::Entered;

const LIMIT: Duration = Duration::from_mins(1);
/// How long a schedule is claimed: longer than a call and what is written after it can take.
pub(super) const CLAIM: Duration = Duration::from_secs(90);
/// Between two attempts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Of a plugin's word that is kept, in characters.
const LONGEST_MESSAGE: usize = 1024;

impl Common {
    /// Calls for a schedule that was claimed, and writes down what came of it.
    pub(super) async fn call(&self, schedule: Schedule) {
        let schedules = self.store.schedules();
        let settled = match self.try_call(&schedule).await {
            None => schedules.release(&schedule, &self.holder).await,
            Some(Ok(())) => schedules.done(&schedule, &self.holder).await,
            Some(Err(error)) => {
                complain(&schedule, &error);
                let pause = pause(schedule.failures);
                schedules.failed(&schedule, &self.holder, &error, pause).await
            }
        };
        if let Err(error) = settled {
            tracing::warn!(
                instance = schedule.instance,
                schedule = schedule.name,
                %error,
                "what came of a schedule could not be written; it is called once more"
            );
        }
    }

    /// `None`: the instance is away.
    async fn try_call(&self, schedule: &Schedule) -> Option<Result<(), String>> {
        let entered = self.routes.enter(&schedule.instance).ok()?;
        if !entered.activation().can(Capability::Scheduled) {
            return Some(Err(
                "Load does not list CAPABILITY_SCHEDULED; implement Scheduled and list it"
                    .to_owned(),
            ));
        }
        Some(on_schedule(&entered, schedule).await)
    }
}

fn complain(schedule: &Schedule, error: &str) {
    tracing::warn!(
        instance = schedule.instance,
        schedule = schedule.name,
        failures = schedule.failures.saturating_add(1),
        error,
        "a schedule failed; it is tried again"
    );
}

async fn on_schedule(entered: &Entered, schedule: &Schedule) -> Result<(), String> {
    let activation = entered.activation();
    let mut request = Request::new(OnScheduleRequest {
        activation: activation.id().to_owned(),
        name: schedule.name.clone(),
        data: schedule.data.clone().into(),
        due_at: Some(timestamp(schedule.due_ms)),
        attempt: schedule.failures.saturating_add(1),
    });
    request.set_timeout(LIMIT);
    let mut client = ScheduledClient::new(activation.channel());
    tokio::select! {
        answered = timeout(LIMIT, client.on_schedule(request)) => {
            answered.map_or_else(|_| Err(late()), judge)
        }
        () = activation.is_cut_off() => {
            Err("the instance was closed before it had answered".to_owned())
        }
    }
}

/// An answer that breaks off behind its message has no status, and is none.
fn judge<T>(answered: Result<Response<T>, Status>) -> Result<(), String> {
    match answered {
        Ok(response) if response.metadata().contains_key("grpc-status") => Ok(()),
        Ok(_) => Err("the answer breaks off before its status".to_owned()),
        Err(status) => Err(plain(&format!("{:?}: {}", status.code(), status.message()))),
    }
}

fn late() -> String {
    format!("no answer within {}", humantime::format_duration(LIMIT))
}

fn plain(text: &str) -> String {
    let kept = text.chars().take(LONGEST_MESSAGE);
    kept.map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// Twice as long each time.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_five_minutes() {
        let seconds = [0, 1, 2, 8, 9, 40, u32::MAX].map(|failures| pause(failures).as_secs());
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300, 300]);
    }

    #[test]
    fn what_is_kept_of_a_plugins_word_is_short_and_plain() {
        let status = Status::internal(format!("a\0b\n{}", "é".repeat(2000)));
        let error = judge::<()>(Err(status)).unwrap_err();
        assert!(error.starts_with("Internal: a b é"), "{error}");
        assert_eq!(error.chars().count(), LONGEST_MESSAGE);
    }
}
