//! One call of a notifier: within a time limit, and ended with its activation.

use std::time::Duration;

use outboard_core::event::{Event, wire};
use outboard_proto::plugin::v1::notifier_client::NotifierClient;
use outboard_proto::plugin::v1::{Capability, NotifyOutcome, OnNotifyRequest, OnNotifyResponse};
use outboard_store::outbox::Pending;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::Common;

/// Of an answer; a message of the longest kind has a tenth of it.
const MOST_ANSWERED: usize = 64 << 10;

/// Of a message, in characters; what is longer is cut.
const LONGEST_MESSAGE: usize = 1024;

/// The longest wait that a notifier may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What a notifier said of an event.
#[derive(Debug)]
pub(super) enum Answer {
    Delivered,
    Retry { error: String, after: Option<Duration> },
    Rejected { error: String },
}

/// The instance is away.
#[derive(Debug)]
pub(super) struct Away;

/// Calls an instance with one delivery. The activation waits for it, as for requests of clients.
pub(super) async fn on_notify(
    common: &Common,
    instance: &str,
    letter: &Pending,
    attempt: u32,
) -> Result<Answer, Away> {
    let entered = common.routes.enter(instance).map_err(|_| Away)?;
    let activation = entered.activation();
    if !activation.can(Capability::Notify) {
        return Err(Away);
    }
    let event = match Event::from_json(&letter.body) {
        Ok(event) => event,
        Err(error) => {
            return Ok(Answer::Rejected { error: format!("the event can't be read: {error}") });
        }
    };
    let message = OnNotifyRequest {
        activation: activation.id().to_owned(),
        delivery_id: letter.delivery_id.clone(),
        event: Some(wire::to_proto(&event)),
        attempt,
        replayed: letter.replayed,
    };
    let (timeout, began) = (common.settings.timeout, Instant::now());
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    let mut client =
        NotifierClient::new(activation.channel()).max_decoding_message_size(MOST_ANSWERED);
    tokio::select! {
        answered = tokio::time::timeout(timeout, client.on_notify(request)) => {
            let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("")));
            let is_late = began.elapsed() >= timeout;
            Ok(judge(answered.map(tonic::Response::into_inner), is_late.then_some(timeout)))
        }
        () = activation.is_cut_off() => {
            Ok(retry("the instance was closed before it had answered".to_owned()))
        }
    }
}

/// `late`: the time limit, if it was reached.
fn judge(answered: Result<OnNotifyResponse, Status>, late: Option<Duration>) -> Answer {
    let answer = match answered {
        Ok(answer) => answer,
        Err(status) => return failed(&status, late),
    };
    let error = match plain(&answer.message) {
        message if message.is_empty() => "the plugin gave no reason; see its log".to_owned(),
        message => message,
    };
    // One that this host does not know is none that it could count as delivered.
    match NotifyOutcome::try_from(answer.outcome) {
        Ok(NotifyOutcome::Unspecified | NotifyOutcome::Delivered) => Answer::Delivered,
        Ok(NotifyOutcome::Rejected) => Answer::Rejected { error },
        Ok(NotifyOutcome::Retry) | Err(_) => {
            let after = answer.retry_after.and_then(|after| Duration::try_from(after).ok());
            Answer::Retry { error, after: after.map(|after| after.min(LONGEST_WAIT)) }
        }
    }
}

fn failed(status: &Status, late: Option<Duration>) -> Answer {
    match (status.code(), late) {
        (Code::Unimplemented, _) => {
            let error = "the plugin does not implement Notifier.OnNotify".to_owned();
            Answer::Rejected { error }
        }
        // Cancelled is what our own client says, whether it looked at the clock or lost the connection.
        (Code::DeadlineExceeded | Code::Cancelled, Some(limit)) => {
            retry(format!("no answer within {}", humantime::format_duration(limit)))
        }
        (Code::Cancelled, None) => {
            retry("the plugin went away before it had answered; see its log".to_owned())
        }
        (code, _) => retry(plain(&format!("{code:?}: {}", status.message()))),
    }
}

fn retry(error: String) -> Answer {
    Answer::Retry { error, after: None }
}

/// Text of a plugin's making, as it may be kept.
fn plain(text: &str) -> String {
    let kept = text.chars().take(LONGEST_MESSAGE);
    kept.map(|char| if char.is_control() { ' ' } else { char })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outcome: i32, message: &str, after: Option<(i64, i32)>) -> Answer {
        let retry_after = after.map(|(seconds, nanos)| prost_types::Duration { seconds, nanos });
        judge(Ok(OnNotifyResponse { outcome, message: message.to_owned(), retry_after }), None)
    }

    #[test]
    fn an_outcome_that_nobody_knows_is_tried_again() {
        assert!(matches!(answer(0, "", None), Answer::Delivered));
        assert!(matches!(answer(1, "ignored", None), Answer::Delivered));
        for unknown in [7, -1] {
            let Answer::Retry { error, after: None } = answer(unknown, "", None) else {
                panic!("{unknown} is no retry")
            };
            assert!(error.contains("see its log"), "{error}");
        }
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_none_and_a_long_one_is_a_day() {
        let wait = |after| match answer(2, "full", Some(after)) {
            Answer::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait((2, 500_000_000)), Some(Duration::from_millis(2500)));
        assert_eq!(wait((-1, 0)), None);
        assert_eq!(wait((i64::MAX, 0)), Some(LONGEST_WAIT));
    }

    #[test]
    fn what_is_kept_of_a_message_is_short_and_plain() {
        let Answer::Rejected { error } = answer(3, &format!("a\0b\n{}", "é".repeat(2000)), None)
        else {
            panic!("not rejected")
        };
        assert!(error.starts_with("a b é") && error.chars().count() == LONGEST_MESSAGE, "{error}");
    }

    #[test]
    fn an_error_is_tried_again_and_a_missing_call_is_not() {
        let late = Some(Duration::from_secs(30));
        let check = |status: Status, late, words: &str, is_final: bool| match failed(&status, late)
        {
            Answer::Retry { error, .. } => assert!(!is_final && error.contains(words), "{error}"),
            Answer::Rejected { error } => assert!(is_final && error.contains(words), "{error}"),
            Answer::Delivered => panic!("delivered"),
        };
        check(Status::unimplemented(""), None, "OnNotify", true);
        check(Status::deadline_exceeded(""), late, "within 30s", false);
        check(Status::cancelled(""), late, "within 30s", false);
        check(Status::cancelled(""), None, "went away", false);
        check(Status::deadline_exceeded("of its own"), None, "of its own", false);
        check(Status::internal("broken"), None, "Internal: broken", false);
        check(Status::unavailable("gone"), None, "gone", false);
    }
}
