//! What a plugin prints and mirrors over `GRPCStdio`.
//!
//! The call is made once, at once and always: a Go plugin whose output nobody takes blocks when it
//! prints. Its response headers come only with the first output, which may never be, so the whole
//! call lives in a task and nothing waits for it.

use std::sync::Arc;
use std::time::Duration;

use outboard_proto::goplugin::grpc_stdio_client::GrpcStdioClient;
use outboard_proto::goplugin::stdio_data::Channel as Stream;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::Channel;

use crate::launch::Output;

/// The most that one piece may take, in bytes. Go plugins send 1 KiB at a time, and what is announced
/// as one piece is reserved before it is there.
const LONGEST_PIECE: usize = 1024 * 1024;

/// Output is taken to have stopped when nothing came for so long.
const QUIET: Duration = Duration::from_millis(10);

/// How much has arrived; its sender lives as long as the call.
pub(crate) type Arrived = watch::Receiver<u64>;

/// Mirrors until the plugin ends the call or is gone. Ends early, with nothing said, where the plugin
/// has no such service.
pub(crate) fn mirror(
    channel: Channel,
    output: Arc<dyn Output>,
) -> (Arrived, impl Future<Output = ()> + Send + 'static) {
    let (sender, arrived) = watch::channel(0);
    let task = async move {
        if let Err(status) = copy(channel, &*output, &sender).await {
            tracing::debug!(%status, "a plugin ended its mirrored output");
        }
    };
    (arrived, task)
}

async fn copy(
    channel: Channel,
    output: &dyn Output,
    arrived: &watch::Sender<u64>,
) -> Result<(), Status> {
    let mut client = GrpcStdioClient::new(channel).max_decoding_message_size(LONGEST_PIECE);
    let mut stream = client.stream_stdio(()).await?.into_inner();
    while let Some(piece) = stream.message().await? {
        match piece.channel() {
            Stream::Stdout => output.stdout(&piece.data),
            Stream::Stderr => output.stderr(&piece.data),
            Stream::Invalid => tracing::warn!(
                channel = piece.channel,
                "a plugin mirrors output of no known stream"
            ),
        }
        arrived.send_modify(|count| *count += 1);
    }
    Ok(())
}

/// Waits until no more output comes, at most for `limit`.
///
/// A Go plugin that is asked to exit cuts its connection with what is still on its way, so what it
/// printed just before is awaited before it is asked.
pub(crate) async fn settle(mut arrived: Arrived, limit: Duration) {
    let quiet = async { while let Ok(Ok(())) = timeout(QUIET, arrived.changed()).await {} };
    let _ = timeout(limit, quiet).await;
}
