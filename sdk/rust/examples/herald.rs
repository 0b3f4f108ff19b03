//! A plugin that is told of events, knows people, and announces: what the tests of the wire need.

use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use outboard_sdk::{
    AuthError, Authenticator, Credentials, Delivery, Endpoints, Event, GroupMatch, Host, Init,
    Needed, Notifier, NotifyError, Permission, Plugin, Problems, RefusalReason, Server, User,
};
use serde_json::{Value, json};

struct Herald;

impl Plugin for Herald {
    type Parameters = Value;
    type Instance = Host;

    async fn init(&self, init: Init<Value>, _: &mut Endpoints<Host>) -> Result<Host, Problems> {
        Ok(init.host)
    }
}

impl Notifier for Herald {
    async fn on_notify(&self, host: Arc<Host>, delivery: Delivery) -> Result<(), NotifyError> {
        match delivery.event.kind.as_str() {
            "retry" => Err(NotifyError::retry("not now").after(Duration::from_millis(2500))),
            "retry.long" => Err(NotifyError::retry("x".repeat(5000))),
            "reject" => Err(NotifyError::reject("never").after(Duration::from_secs(1))),
            "reject.silent" => Err(NotifyError::reject("")),
            "panic" => panic!("panicking, as asked"),
            "hang" => pending().await,
            "echo" => echo(&host, delivery).await,
            _ => Ok(()),
        }
    }
}

/// Announces what it was told, and what the host said of it.
async fn echo(host: &Host, delivery: Delivery) -> Result<(), NotifyError> {
    let told = json!({
        "delivery": delivery.id,
        "attempt": delivery.attempt,
        "replayed": delivery.replayed,
        "event": delivery.event.to_cloud_event(),
    });
    let event = Event::new("echoed").about(delivery.event.subject).json(&told);
    let receipts = host.emit([event]).await.map_err(|error| NotifyError::retry(error.message()))?;
    let receipt = receipts.first().ok_or_else(|| NotifyError::reject("no receipt"))?;
    Err(NotifyError::reject(format!("{} {}", receipt.event_id, receipt.repeated)))
}

impl Authenticator for Herald {
    async fn authenticate(
        &self,
        _: Arc<Host>,
        credentials: Credentials,
    ) -> Result<User, AuthError> {
        let refuse = |reason| Err(AuthError::refuse(reason, format!("{credentials:?}")));
        match credentials.token.as_str() {
            "good" => Ok(User {
                name: "Ann".to_owned(),
                email: credentials.email,
                active: true,
                groups: vec!["a".to_owned(), "b".to_owned()],
            }),
            "unknown" => refuse(RefusalReason::User),
            "stolen" => refuse(RefusalReason::Owner),
            "inactive" => refuse(RefusalReason::Inactive),
            "down" => Err(AuthError::unavailable("the directory does not answer")),
            "panic" => panic!("panicking, as asked"),
            _ => refuse(RefusalReason::Token),
        }
    }

    async fn authorize(
        &self,
        _: Arc<Host>,
        user: User,
        needed: Needed,
    ) -> Result<Permission, AuthError> {
        match needed.groups.first().map_or("", String::as_str) {
            "allow" => Ok(Permission::Allowed),
            "deny" => Ok(Permission::Denied(format!("{} of {:?}", user.name, user.groups))),
            "any" if needed.matched == GroupMatch::Any => Ok(Permission::Allowed),
            "any" => Err(AuthError::refuse(RefusalReason::Inactive, "not any but all")),
            "down" => Err(AuthError::unavailable("the directory does not answer")),
            _ => Ok(Permission::ByGroups),
        }
    }
}

fn main() -> ExitCode {
    // Each said once too often, which must not matter.
    Server::new("herald", Herald).notifier().notifier().authenticator().authenticator().serve()
}
