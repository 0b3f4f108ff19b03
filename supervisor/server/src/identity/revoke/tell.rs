//! One instance is told of one deletion.

use std::time::Duration;

use outboard_core::identity::kind::InstanceKind;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::plugin::v1::scheme_client::SchemeClient;
use outboard_store::identity::Revocation;
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

/// Tells the activation behind `channel`. A scheme forgets the registration first. What a plugin does not implement it has
/// nothing to forget by.
pub(super) async fn tell(
    channel: Channel,
    activation: &str,
    kind: InstanceKind,
    revocation: &Revocation,
    timeout: Duration,
) -> Told {
    if kind == InstanceKind::Scheme {
        let mut scheme = SchemeClient::new(channel.clone());
        let request = timed(deregister(activation, revocation), timeout);
        if let Told::Failed(why) = within(timeout, scheme.deregister(request)).await {
            return Told::Failed(format!("Deregister: {why}"));
        }
    }
    let mut lifecycle = LifecycleClient::new(channel);
    let request = timed(revoke(activation, revocation), timeout);
    within(timeout, lifecycle.revoke_user(request)).await
}

fn deregister(activation: &str, revocation: &Revocation) -> wire::DeregisterRequest {
    let subject = wire::Subject {
        user_id: revocation.account.clone(),
        username: revocation.username.clone(),
        ..wire::Subject::default()
    };
    wire::DeregisterRequest { activation: activation.to_owned(), subject: Some(subject) }
}

fn revoke(activation: &str, revocation: &Revocation) -> wire::RevokeUserRequest {
    let ms = revocation.deleted_ms;
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    wire::RevokeUserRequest {
        activation: activation.to_owned(),
        user_id: revocation.account.clone(),
        user_name: revocation.username.clone(),
        deleted_at: Some(prost_types::Timestamp { seconds: ms.div_euclid(1000), nanos }),
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
