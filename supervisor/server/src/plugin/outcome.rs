//! What became of an instance that was to begin anew, or to end.

use std::time::Duration;

use outboard_core::lifecycle::State;
use tokio::time::{Instant, timeout_at};

use super::status::Status;
use super::{Plugins, driver};

/// An upgrade exchanges who is asked, and tells nobody: look again after that.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// For `Check`, `Init` and `Close`, whatever else their plugin does meanwhile.
const MARGIN: Duration = Duration::from_secs(5);

/// What became of a turn of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Serving,
    /// The plugin does not want it so, and says why, a line each.
    Refused(Vec<String>),
    /// The plugin can't be asked, and this is why.
    Down(String),
}

impl Plugins {
    /// Waits until a plugin has begun `turn` of an instance that is configured, or can't.
    pub async fn outcome(&self, plugin: &str, instance: &str, turn: u64) -> Outcome {
        let settings = self.context().settings();
        let patience = settings.start_timeout + 2 * settings.call_timeout + MARGIN;
        let before = self.status(plugin).map_or(0, |status| status.failures);
        let found = self.watch(plugin, patience, |status| judge(status, instance, turn, before));
        match found.await {
            Ok(outcome) => outcome,
            Err(NotInTime) if self.status(plugin).is_none() => Outcome::Down(missing(plugin)),
            Err(NotInTime) => Outcome::Down(format!(
                "plugin {plugin:?} did not answer in time; see `outboard plugin logs {plugin}`"
            )),
        }
    }

    /// Waits until an instance that is not configured any more was told so. False: not in time.
    pub async fn has_ended(&self, plugin: &str, instance: &str) -> bool {
        let settings = self.context().settings();
        let patience = settings.policy.drain_timeout + 2 * settings.call_timeout + MARGIN;
        let ended =
            self.watch(plugin, patience, |status| has_ended(status, instance).then_some(()));
        ended.await.is_ok() || self.status(plugin).is_none()
    }

    async fn watch<T>(
        &self,
        plugin: &str,
        patience: Duration,
        judge: impl Fn(&Status) -> Option<T>,
    ) -> Result<T, NotInTime> {
        let end = Instant::now() + patience;
        while let Ok(handle) = self.handle(plugin) {
            let mut changes = handle.changes();
            let found = judge(&changes.borrow_and_update());
            if let Some(found) = found {
                return Ok(found);
            }
            let now = Instant::now();
            if now >= end {
                break;
            }
            // Whatever ends the wait, it is looked at again.
            let _ = timeout_at(end.min(now + LOOK_AGAIN), changes.changed()).await;
        }
        Err(NotInTime)
    }

    fn status(&self, plugin: &str) -> Option<Status> {
        self.handle(plugin).ok().map(|handle| driver::Handle::status(&handle))
    }
}

struct NotInTime;

fn judge(status: &Status, instance: &str, turn: u64, failures_before: u64) -> Option<Outcome> {
    let down = || {
        let error = status.error.clone().unwrap_or_default();
        Some(Outcome::Down(format!("plugin {:?} does not run: {error}", status.name)))
    };
    if status.is_foreign {
        return Some(Outcome::Down(format!(
            "plugin {:?} is made for another host and can have no instances",
            status.name
        )));
    }
    if let Some(found) = status.instances.iter().find(|found| found.name == instance) {
        if found.turn == turn && found.activation.is_some() {
            return Some(Outcome::Serving);
        } else if found.turn == turn {
            return Some(Outcome::Refused(found.problems.clone()));
        } else if let Some((_, problems)) = found.refused.as_ref().filter(|it| it.0 == turn) {
            return Some(Outcome::Refused(problems.clone()));
        }
    }
    match status.state {
        State::Stopped => Some(Outcome::Down(format!(
            "plugin {name:?} is stopped; start it with `outboard plugin start {name}`",
            name = status.name
        ))),
        State::Failed => down(),
        State::Backoff { .. } if status.failures > failures_before => down(),
        State::Backoff { .. }
        | State::Starting
        | State::Loading
        | State::Initialising
        | State::Serving
        | State::Draining { .. }
        | State::Stopping { .. } => None,
    }
}

fn has_ended(status: &Status, instance: &str) -> bool {
    let is_there = status.instances.iter().any(|found| found.name == instance);
    !is_there && !status.closing.iter().any(|closing| closing == instance)
}

fn missing(plugin: &str) -> String {
    format!("plugin {plugin:?} is not in the plugins directory; install it there")
}

#[cfg(test)]
mod tests {
    use super::super::status::InstanceStatus;
    use super::*;

    fn status(state: State, instances: Vec<InstanceStatus>) -> Status {
        Status { state, instances, ..Status::new("mock".to_owned(), String::new()) }
    }

    fn instance(turn: u64, problems: &[&str], refused: Option<(u64, &str)>) -> InstanceStatus {
        InstanceStatus {
            name: "a".to_owned(),
            activation: problems.is_empty().then(|| "1".to_owned()),
            problems: problems.iter().map(ToString::to_string).collect(),
            turn,
            refused: refused.map(|(turn, why)| (turn, vec![why.to_owned()])),
        }
    }

    #[test]
    fn only_the_turn_that_was_asked_for_counts() {
        let check = |found: InstanceStatus, expected: Option<Outcome>| {
            assert_eq!(judge(&status(State::Serving, vec![found]), "a", 2, 0), expected);
        };
        check(instance(2, &[], None), Some(Outcome::Serving));
        check(instance(1, &[], None), None);
        check(instance(1, &["old"], None), None);
        check(instance(2, &["bad"], None), Some(Outcome::Refused(vec!["bad".to_owned()])));
        check(instance(1, &[], Some((2, "new"))), Some(Outcome::Refused(vec!["new".to_owned()])));
        check(instance(1, &[], Some((1, "old"))), None);
    }

    #[test]
    fn a_plugin_that_does_not_run_is_told_from_one_that_starts() {
        let check = |state, failures, is_down: bool| {
            let status = Status { failures, ..status(state, Vec::new()) };
            let found = judge(&status, "a", 0, 3);
            assert_eq!(matches!(found, Some(Outcome::Down(_))), is_down, "{state:?}");
        };
        check(State::Stopped, 3, true);
        check(State::Failed, 3, true);
        check(State::Starting, 3, false);
        check(State::Serving, 3, false);
    }

    #[test]
    fn an_instance_has_ended_when_its_close_was_answered() {
        let there = status(State::Serving, vec![instance(0, &[], None)]);
        assert!(!has_ended(&there, "a") && has_ended(&there, "b"));
        let closing =
            Status { closing: vec!["a".to_owned()], ..status(State::Serving, Vec::new()) };
        assert!(!has_ended(&closing, "a"));
        assert!(has_ended(&status(State::Serving, Vec::new()), "a"));
    }
}
