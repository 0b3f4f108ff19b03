//! The end of a plugin: asked, told, killed, with every step bounded.

use std::time::Duration;

use outboard_jail::{Exit, SIGTERM};
use outboard_proto::goplugin::Empty;
use outboard_proto::goplugin::grpc_controller_client::GrpcControllerClient;
use tokio::time::{Instant, timeout_at};
use tonic::Code;
use tonic::transport::Channel;

use crate::process::Process;
use crate::stdio;

/// The most that a stop waits for output that is still coming, before it asks.
const SETTLE: Duration = Duration::from_millis(200);

/// The most that is kept of the grace for the time after SIGTERM.
const TERM_SHARE: Duration = Duration::from_secs(1);

/// What became of asking.
enum Asked {
    /// It knows, as far as can be told: Go plugins cut the connection under the answer.
    Yes,
    /// It has no controller service.
    CannotBeAsked,
}

/// Ends `process` within `grace` and the moment that killing takes.
pub(crate) async fn stop(process: &Process, grace: Duration) -> Exit {
    let end = Instant::now() + grace;
    let share = grace / 4;
    let terminate_at = end - share.min(TERM_SHARE);
    stdio::settle(process.mirrored.clone(), share.min(SETTLE)).await;
    let ask_until = match ask(&process.channel, terminate_at).await {
        Asked::Yes => terminate_at,
        Asked::CannotBeAsked => Instant::now(),
    };
    if process.child.exit_by(ask_until).await.is_none() {
        process.child.guard().signal(SIGTERM);
        process.child.exit_by(end).await;
    }
    process.child.bury().await
}

async fn ask(channel: &Channel, deadline: Instant) -> Asked {
    let mut controller = GrpcControllerClient::new(channel.clone());
    match timeout_at(deadline, controller.shutdown(Empty {})).await {
        Ok(Err(status)) if status.code() == Code::Unimplemented => Asked::CannotBeAsked,
        Ok(_) | Err(_) => Asked::Yes,
    }
}
