//! One call to one auth plugin: bounded in time, held back while the plugin fails, and believed in nothing that the
//! host can see for itself.

use std::sync::Arc;
use std::time::Duration;

use outboard_core::auth::{Answer, GroupMatch, User, allows, answer};
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::authenticator_client::AuthenticatorClient;
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout_at};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::Failure;
use super::counts::{Call, Counts};
use crate::breakers::{Breakers, Permit};
use crate::plugin::snapshot::{Activation, Entered, Routes};

/// More than a user of all groups takes.
const ANSWER_BYTES: usize = 1 << 20;
/// When to come back about a plugin that is being started.
const RETRY: Duration = Duration::from_secs(1);
/// Most characters of what a plugin says that are logged.
const LONGEST_MESSAGE: usize = 1024;

/// Makes the calls.
pub(super) struct Asker {
    routes: Arc<Routes>,
    breakers: Arc<Breakers>,
    counts: Arc<Counts>,
}

/// A plugin that may be called.
struct Line {
    entered: Entered,
    client: AuthenticatorClient<Channel>,
    permit: Permit,
}

/// How a call came to nothing.
enum Broken {
    Status(Status),
    Late,
    /// The activation is being closed.
    CutOff,
}

impl Asker {
    pub(super) fn new(routes: Arc<Routes>, breakers: Arc<Breakers>, counts: Arc<Counts>) -> Self {
        Self { routes, breakers, counts }
    }

    /// Whose token this is.
    pub(super) async fn authenticate(
        &self,
        instance: &str,
        email: &str,
        token: &str,
        until: Instant,
    ) -> Result<User, Failure> {
        let mut line = self.line(instance)?;
        let request = wire::AuthenticateRequest {
            activation: line.activation().id().to_owned(),
            email: email.to_owned(),
            token: token.to_owned(),
        };
        let called = line.client.authenticate(timed(request, until));
        let response = match bounded(&line.entered, until, called).await {
            Ok(response) => response.into_inner(),
            Err(broken) => return Err(self.broken(line, &broken, token)),
        };
        match answer(response, email) {
            Answer::Accepted(user) => {
                self.answered(&line.permit);
                Ok(user)
            }
            Answer::Refused(refusal, message) => {
                let message = without(&message, token);
                tracing::debug!(instance, email, %refusal, message, "an auth plugin refuses somebody");
                self.answered(&line.permit);
                Err(Failure::Refused(refusal))
            }
            Answer::Broken(problem) => {
                Err(self.broken(line, &Broken::Status(Status::internal(problem)), token))
            }
        }
    }

    /// Whether a user that it named may do what needs these groups.
    pub(super) async fn authorize(
        &self,
        instance: &str,
        user: &User,
        groups: &[String],
        rule: GroupMatch,
        until: Instant,
    ) -> Result<bool, Failure> {
        let mut line = self.line(instance)?;
        let request = wire::AuthorizeRequest {
            activation: line.activation().id().to_owned(),
            user: Some(wire::UserDetail {
                name: user.name.clone(),
                email: user.email.clone(),
                active: true,
                groups: user.groups.clone(),
            }),
            required_groups: groups.to_vec(),
            r#match: match rule {
                GroupMatch::All => wire::GroupMatch::All.into(),
                GroupMatch::Any => wire::GroupMatch::Any.into(),
            },
        };
        let called = line.client.authorize(timed(request, until));
        match bounded(&line.entered, until, called).await {
            Ok(response) => {
                self.answered(&line.permit);
                Ok(response.into_inner().allowed)
            }
            Err(Broken::Status(status)) if status.code() == Code::Unimplemented => {
                self.answered(&line.permit);
                Ok(allows(&user.groups, groups, rule))
            }
            Err(broken) => Err(self.broken(line, &broken, "")),
        }
    }

    fn line(&self, instance: &str) -> Result<Line, Failure> {
        let away = |why: String| {
            self.counts.call(Call::Away);
            Failure::unavailable(why, RETRY)
        };
        let entered = self
            .routes
            .enter(instance)
            .map_err(|_| away(format!("the auth plugin's instance {instance:?} is not there")))?;
        if !entered.activation().can(Capability::Authenticate) {
            return Err(away(format!(
                "instance {instance:?} is not of an auth plugin; correct auth.instances"
            )));
        }
        let permit = self.breakers.permit(instance).map_err(|wait| {
            self.counts.call(Call::HeldBack);
            Failure::unavailable(
                format!("the auth plugin's instance {instance:?} has failed too often"),
                wait,
            )
        })?;
        let client = AuthenticatorClient::new(entered.activation().channel())
            .max_decoding_message_size(ANSWER_BYTES);
        Ok(Line { entered, client, permit })
    }

    fn answered(&self, permit: &Permit) {
        permit.succeeded();
        self.counts.call(Call::Answered);
    }

    /// Tells the breaker, the log and the caller. Only the log is told what the plugin says.
    fn broken(&self, line: Line, broken: &Broken, token: &str) -> Failure {
        let (call, problem) = match broken {
            Broken::Late => (Call::TimedOut, "no answer within auth.timeout".to_owned()),
            Broken::CutOff => (Call::Away, "it is being closed".to_owned()),
            Broken::Status(status) => {
                (Call::Failed, format!("{}: {}", status.code(), without(status.message(), token)))
            }
        };
        self.counts.call(call);
        complain(line.activation(), &problem);
        match broken {
            Broken::Status(status) if !is_sick(status.code()) => line.permit.succeeded(),
            Broken::CutOff => drop(line.permit),
            Broken::Late | Broken::Status(_) => line.permit.failed(),
        }
        let instance = line.entered.activation().instance();
        let why = if call == Call::TimedOut { "did not answer in time" } else { "could not say" };
        Failure::unavailable(format!("the auth plugin's instance {instance:?} {why}"), RETRY)
    }
}

impl Line {
    fn activation(&self) -> &Activation {
        self.entered.activation()
    }
}

/// So that the plugin is told too how long it has.
fn timed<T>(message: T, until: Instant) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(until.saturating_duration_since(Instant::now()));
    request
}

/// The response of a call, if it comes in time, and whole: one that breaks off behind its message has no status.
async fn bounded<T>(
    entered: &Entered,
    until: Instant,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<Response<T>, Broken> {
    let answer = tokio::select! {
        answer = timeout_at(until, call) => answer.map_err(|_| Broken::Late)?,
        () = entered.activation().is_cut_off() => return Err(Broken::CutOff),
    };
    match answer {
        Ok(response) if response.metadata().contains_key("grpc-status") => Ok(response),
        Ok(_) => Err(Broken::Status(Status::internal("it breaks off before its status"))),
        // As tonic says that the time which the plugin was told is over.
        Err(status) if Instant::now() >= until => {
            tracing::trace!(%status, "an auth plugin's call ended with its time");
            Err(Broken::Late)
        }
        Err(status) => Err(Broken::Status(status)),
    }
}

/// Whether a status says that the plugin is not well, rather than that it did not like this question: one client
/// with an odd name must not keep out the others.
fn is_sick(code: Code) -> bool {
    !matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
    )
}

/// A text of a plugin for the log: without the token, should it quote that, and not longer than need be.
fn without(text: &str, token: &str) -> String {
    let quotes = |text: &str| !token.is_empty() && text.contains(token);
    let mut text = text.to_owned();
    if quotes(&text) {
        text = text.replace(token, "***");
    }
    // However much of it is escaped, as in a URL.
    if quotes(&percent_decode_str(&text).decode_utf8_lossy()) {
        "a message that quotes the token, and so is left out".clone_into(&mut text);
    }
    text.chars().take(LONGEST_MESSAGE).collect()
}

fn complain(activation: &Activation, problem: &str) {
    let Some(held_back) = activation.may_complain() else { return };
    tracing::warn!(
        plugin = activation.plugin(),
        instance = activation.instance(),
        problem,
        held_back,
        "an auth plugin could not say who somebody is; nobody is let in"
    );
}
