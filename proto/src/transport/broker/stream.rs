//! The control stream, opened by the host and served by the plugin.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_stream::Stream;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::Shared;
use crate::goplugin::ConnInfo;
use crate::goplugin::grpc_broker_client::GrpcBrokerClient;
use crate::goplugin::grpc_broker_server::GrpcBroker;

/// The most that one announcement may take, in bytes: a number, a network and a short address take
/// far less.
pub(super) const LONGEST_MESSAGE: usize = 64 * 1024;

/// The host's task on the control stream; dropping it ends the stream.
pub(super) struct Reader(AbortHandle);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    pub(super) fn spawn(channel: Channel, shared: Arc<Shared>) -> Self {
        // Attached before the task runs, so that nothing announced meanwhile counts as unsent.
        let outgoing = shared.attach();
        let task = tokio::spawn(async move {
            let ended = read(channel, outgoing, &shared).await;
            shared.close(why(&ended));
        });
        Self(task.abort_handle())
    }
}

/// Runs until the stream ends. A Go plugin sends its response headers with its first announcement,
/// so the first await here may last as long as the plugin; what this side announces goes out anyway.
async fn read(
    channel: Channel,
    outgoing: mpsc::UnboundedReceiver<ConnInfo>,
    shared: &Shared,
) -> Status {
    let mut client = GrpcBrokerClient::new(channel).max_decoding_message_size(LONGEST_MESSAGE);
    let mut incoming = match client.start_stream(UnboundedReceiverStream::new(outgoing)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match incoming.message().await {
            Ok(Some(info)) => shared.deliver(&info),
            Ok(None) => return Status::ok(""),
            Err(status) => return status,
        }
    }
}

fn why(status: &Status) -> String {
    match status.code() {
        Code::Ok => "the plugin ended the control stream".to_owned(),
        Code::Unimplemented => "the plugin does not serve it".to_owned(),
        _ => format!("the control stream broke: {}", status.message()),
    }
}

/// `plugin.GRPCBroker`, as the plugin serves it.
pub struct BrokerService {
    shared: Arc<Shared>,
}

impl BrokerService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[tonic::async_trait]
impl GrpcBroker for BrokerService {
    type StartStreamStream = Exchange;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Exchange>, Status> {
        Ok(Response::new(Exchange {
            incoming: request.into_inner(),
            outgoing: self.shared.attach(),
            shared: self.shared.clone(),
        }))
    }
}

/// The plugin's half of the control stream: reading it takes in what the host announces, and yields
/// what the plugin does. It ends when the host's half does.
pub struct Exchange {
    incoming: Streaming<ConnInfo>,
    outgoing: mpsc::UnboundedReceiver<ConnInfo>,
    shared: Arc<Shared>,
}

impl Stream for Exchange {
    type Item = Result<ConnInfo, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while let Poll::Ready(received) = Pin::new(&mut self.incoming).poll_next(cx) {
            match received {
                Some(Ok(info)) => self.shared.deliver(&info),
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
        self.outgoing.poll_recv(cx).map(|info| info.map(Ok))
    }
}
