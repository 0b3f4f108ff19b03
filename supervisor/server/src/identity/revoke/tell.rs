//! One instance is told of one deletion.

use std::time::Duration;

use outboard_core::identity::kind::InstanceKind;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::plugin::v1::scheme_client::SchemeClient;
use outboard_store::identity::{Missed, Revocation};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// Most characters of what a plugin says that are kept.
const LONGEST_MESSAGE: usize = 1024;

/// What came of it.
#[derive(Debug)]
pub(super) enum Told {
    Answered,
    Failed(String),
}

/// Who is gone.
pub(super) struct Gone<'a> {
    pub(super) account: &'a str,
    /// The name that the user had.
    pub(super) username: &'a str,
    pub(super) deleted_ms: i64,
}

/// The way to an activation.
pub(super) struct Line<'a> {
    pub(super) channel: Channel,
    pub(super) activation: &'a str,
    pub(super) kind: InstanceKind,
    /// For each call.
    pub(super) timeout: Duration,
}

impl Line<'_> {
    /// Tells the activation. A scheme forgets the registration first. What a plugin does not implement it has nothing to
    /// forget by.
    pub(super) async fn tell(&self, gone: &Gone<'_>) -> Told {
        if self.kind == InstanceKind::Scheme {
            let mut scheme = SchemeClient::new(self.channel.clone());
            let request = timed(gone.deregister(self.activation), self.timeout);
            if let Told::Failed(why) = within(self.timeout, scheme.deregister(request)).await {
                return Told::Failed(format!("Deregister: {why}"));
            }
        }
        let mut lifecycle = LifecycleClient::new(self.channel.clone());
        let request = timed(gone.revoke(self.activation), self.timeout);
        within(self.timeout, lifecycle.revoke_user(request)).await
    }
}

impl Gone<'_> {
    fn deregister(&self, activation: &str) -> wire::DeregisterRequest {
        let subject = wire::Subject {
            user_id: self.account.to_owned(),
            username: self.username.to_owned(),
            ..wire::Subject::default()
        };
        wire::DeregisterRequest { activation: activation.to_owned(), subject: Some(subject) }
    }

    fn revoke(&self, activation: &str) -> wire::RevokeUserRequest {
        let ms = self.deleted_ms;
        let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
        wire::RevokeUserRequest {
            activation: activation.to_owned(),
            user_id: self.account.to_owned(),
            user_name: self.username.to_owned(),
            deleted_at: Some(prost_types::Timestamp { seconds: ms.div_euclid(1000), nanos }),
        }
    }
}

impl<'a> From<&'a Revocation> for Gone<'a> {
    fn from(revocation: &'a Revocation) -> Self {
        let Revocation { account, username, deleted_ms, .. } = revocation;
        Self { account, username, deleted_ms: *deleted_ms }
    }
}

impl<'a> From<&'a Missed> for Gone<'a> {
    fn from(missed: &'a Missed) -> Self {
        let Missed { account, username, deleted_ms, .. } = missed;
        Self { account, username, deleted_ms: *deleted_ms }
    }
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

async fn within<T>(
    timeout: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Told {
    match tokio::time::timeout(timeout, call).await {
        // One that breaks off behind its message has no status.
        Ok(Ok(response)) if response.metadata().contains_key("grpc-status") => Told::Answered,
        Ok(Ok(_)) => Told::Failed("its answer breaks off before its status".to_owned()),
        Ok(Err(status)) if status.code() == Code::Unimplemented => Told::Answered,
        Ok(Err(status)) => {
            let message: String = status.message().chars().take(LONGEST_MESSAGE).collect();
            Told::Failed(format!("{:?}: {message}", status.code()))
        }
        Err(_) => Told::Failed("no answer in time".to_owned()),
    }
}
