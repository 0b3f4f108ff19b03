//! A server that says its name, and what the tests do to reach it.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use outboard_proto::goplugin::Empty;
use outboard_proto::goplugin::grpc_controller_client::GrpcControllerClient;
use outboard_proto::goplugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use outboard_proto::handshake::Address;
use outboard_proto::transport::{
    ConnectError, Identity, Incoming, Listener, PeerCheck, Tls, connect,
};
use tokio::task::AbortHandle;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A task that ends with the test.
pub(crate) struct Task(AbortHandle);

impl Task {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers with its name, by the one call that every plugin has.
struct Named(&'static str);

#[tonic::async_trait]
impl GrpcController for Named {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::aborted(self.0))
    }
}

pub(crate) fn named(name: &'static str) -> GrpcControllerServer<impl GrpcController> {
    GrpcControllerServer::new(Named(name))
}

pub(crate) fn serve(incoming: Incoming, name: &'static str) -> Task {
    let server = Server::builder().add_service(named(name)).serve_with_incoming(incoming);
    Task::spawn(async move { server.await.unwrap() })
}

/// The name of the server behind a channel, or why it can't be had.
pub(crate) async fn who(channel: Channel) -> Result<String, Status> {
    match GrpcControllerClient::new(channel).shutdown(Empty {}).await {
        Err(status) if status.code() == tonic::Code::Aborted => Ok(status.message().to_owned()),
        Err(status) => Err(status),
        Ok(_) => Err(Status::internal("a stranger answered")),
    }
}

pub(crate) fn listen(dir: &Path, tls: Option<Tls>) -> (Address, Incoming) {
    let listener = Listener::bind_unix(dir, "plugin").unwrap();
    (listener.address().clone(), listener.incoming(tls, PeerCheck::any()))
}

pub(crate) async fn dial(address: &Address, tls: Option<&Tls>) -> Result<Channel, ConnectError> {
    connect(address, tls, &PeerCheck::any(), PATIENCE).await
}

/// TLS of both sides, each pinned to the other.
pub(crate) fn pair() -> (Tls, Tls) {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    (Tls::new(&host, plugin.cert_der()).unwrap(), Tls::new(&plugin, host.cert_der()).unwrap())
}

pub(crate) fn path(address: &Address) -> &Path {
    match address {
        Address::Unix(path) => path,
        other => panic!("{other} is no path"),
    }
}
