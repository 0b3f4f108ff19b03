//! One call to one instance about people: bounded in time, and believed only when it is whole.

use std::sync::Arc;
use std::time::Duration;

use outboard_proto::plugin::v1::Capability;
use tokio::time::{Instant, timeout_at};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::Failure;
use crate::breakers::{Breakers, Permit};
use crate::plugin::snapshot::{Activation, Entered, Routes};

/// The most that an instance may answer.
pub(super) const ANSWER_BYTES: usize = 1 << 20;

/// Leave to call an instance that runs. While it is held, the activation is not closed.
pub(super) struct Line {
    entered: Entered,
    until: Instant,
    /// Told whether the answer came in time.
    permit: Option<Permit>,
}

impl Line {
    /// A line to the instance, if it runs and its plugin can do that.
    pub(super) fn open(
        routes: &Routes,
        instance: &str,
        capability: Capability,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let entered = routes
            .enter(instance)
            .map_err(|_| Failure::Unavailable(format!("the instance {instance:?} does not run")))?;
        if !entered.activation().can(capability) {
            return Err(Failure::Unavailable(format!(
                "the plugin of the instance {instance:?} does not implement {}",
                capability.as_str_name()
            )));
        }
        Ok(Self { entered, until: Instant::now() + timeout, permit: None })
    }

    /// The same, as far as the breaker of the instance lets it: one that lets callers wait in vain again and again is left
    /// alone for a while.
    pub(super) fn guarded_by(self, breakers: &Arc<Breakers>) -> Result<Self, Failure> {
        let instance = self.entered.activation().instance();
        let permit = breakers.permit(instance).map_err(|_| {
            Failure::Unavailable(format!(
                "the instance {instance:?} has not answered for a while; try again later"
            ))
        })?;
        Ok(Self { permit: Some(permit), ..self })
    }

    /// The activation that answers.
    pub(super) fn activation(&self) -> String {
        self.entered.activation().id().to_owned()
    }

    pub(super) fn channel(&self) -> Channel {
        self.entered.activation().channel()
    }

    /// A request that tells the plugin how long it has.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.until.saturating_duration_since(Instant::now()));
        request
    }

    /// The answer, if it comes in time, and whole: one that breaks off behind its message has no status. Only the
    /// log is told what the plugin says.
    pub(super) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let answer = self.answer_or(call, &[]).await?;
        answer.map_err(|_| self.failure())
    }

    /// The same, where some statuses are answers as well.
    pub(super) async fn answer_or<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
        known: &[Code],
    ) -> Result<Result<T, Status>, Failure> {
        let activation = self.entered.activation();
        let answer = tokio::select! {
            answer = timeout_at(self.until, call) => answer,
            () = activation.is_cut_off() => return Err(away(activation)),
        };
        let problem = match answer {
            Ok(Ok(response)) if response.metadata().contains_key("grpc-status") => {
                self.answered(true);
                return Ok(Ok(response.into_inner()));
            }
            Ok(Ok(_)) => "its answer breaks off before its status".to_owned(),
            // As tonic says that the time which the plugin was told is over.
            Ok(Err(_)) if Instant::now() >= self.until => LATE.to_owned(),
            Ok(Err(status)) if known.contains(&status.code()) => {
                self.answered(true);
                return Ok(Err(status));
            }
            Ok(Err(status)) => format!("{}: {}", status.code(), shortened(status.message())),
            Err(_) => LATE.to_owned(),
        };
        self.answered(problem != LATE);
        complain(activation, &problem);
        Err(self.failure())
    }

    /// Whatever it has said: that of one user is no reason to keep the others out.
    fn answered(&self, is_in_time: bool) {
        match &self.permit {
            Some(permit) if is_in_time => permit.succeeded(),
            Some(permit) => permit.failed(),
            None => {}
        }
    }

    fn failure(&self) -> Failure {
        let instance = self.entered.activation().instance();
        Failure::Unavailable(format!("the instance {instance:?} could not answer"))
    }
}

const LATE: &str = "no answer in time";
/// Most characters of what a plugin says that are logged.
const LONGEST_MESSAGE: usize = 1024;

fn away(activation: &Activation) -> Failure {
    Failure::Unavailable(format!("the instance {:?} is being closed", activation.instance()))
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_MESSAGE).collect()
}

fn complain(activation: &Activation, problem: &str) {
    let Some(held_back) = activation.may_complain() else { return };
    tracing::warn!(
        plugin = activation.plugin(),
        instance = activation.instance(),
        problem,
        held_back,
        "an instance could not answer a question about people"
    );
}
