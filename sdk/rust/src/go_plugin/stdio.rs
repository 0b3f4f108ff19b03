//! What the program prints after the handshake, for the host to see.
//!
//! Descriptor 1 becomes a pipe, so that prints of every library and child end up in it. A thread
//! empties the pipe into a buffer and never waits for the host for long, so that a program that prints
//! never blocks the calls that run on the same thread as it.

mod buffer;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use nix::unistd::dup2_stdout;
use outboard_proto::goplugin::StdioData;
use outboard_proto::goplugin::grpc_stdio_server::GrpcStdio;
use outboard_proto::goplugin::stdio_data::Channel;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use self::buffer::{Buffer, Listener};
use super::stop::Stop;

/// How long the end waits for the rest of what was printed. It only takes that long if a child of the
/// program still holds the pipe.
const TAIL_LIMIT: Duration = Duration::from_millis(100);

/// The real stdout, while descriptor 1 is the pipe. Kept open: some hosts watch for its end.
pub(super) struct Redirected {
    stdout: OwnedFd,
    buffer: Arc<Buffer>,
}

/// Takes descriptor 1 over. Whatever must stand on the real stdout was printed before.
pub(super) fn redirect() -> io::Result<Redirected> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let (reader, writer) = io::pipe()?;
    dup2_stdout(writer)?;
    let buffer = Arc::new(Buffer::default());
    let filled = Arc::clone(&buffer);
    let reader = File::from(OwnedFd::from(reader));
    thread::Builder::new()
        .name("outboard-stdio".to_owned())
        .spawn(move || fill(reader, &filled))?;
    Ok(Redirected { stdout, buffer })
}

/// Until no process holds the pipe's other end.
fn fill(mut pipe: File, buffer: &Buffer) {
    let mut piece = [0; 8192];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => buffer.push(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    buffer.close();
}

impl Redirected {
    pub(super) fn service(&self, stop: Stop) -> Stdio {
        Stdio { buffer: Arc::clone(&self.buffer), stop }
    }

    /// Gives descriptor 1 back, so that the pipe ends and its rest can be sent.
    pub(super) fn restore(&self) {
        // Both only fail when nobody reads stdout, and then nobody misses it.
        let _ = io::stdout().flush();
        let _ = dup2_stdout(self.stdout.as_fd());
        let dropped = self.buffer.dropped();
        if dropped > 0 {
            tracing::warn!(
                bytes = dropped,
                "printed more than the host read; the rest was dropped"
            );
        }
    }
}

/// `plugin.GRPCStdio`.
pub(super) struct Stdio {
    buffer: Arc<Buffer>,
    stop: Stop,
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Pin<Box<dyn Stream<Item = Result<StdioData, Status>> + Send>>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        let listener = Listener::new(Arc::clone(&self.buffer));
        let pieces = stream::unfold(listener, |listener| async {
            let data = listener.next().await?;
            Some((Ok(StdioData { channel: Channel::Stdout.into(), data }), listener))
        });
        let stop = self.stop.requested();
        let closed = Arc::clone(&self.buffer);
        let end = async move {
            stop.await;
            // In time the buffer closes and the stream ends by itself.
            let _ = timeout(TAIL_LIMIT, closed.drained()).await;
        };
        Ok(Response::new(pieces.take_until(Box::pin(end)).boxed()))
    }
}
