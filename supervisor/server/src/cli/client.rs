//! A connection to a running supervisor's control socket.

use std::io;
use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Why a supervisor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(
        "no supervisor listens at {0}; start one with `outboard serve`, or name its runtime directory with --runtime-dir"
    )]
    NobodyThere(PathBuf),
    #[error("{0} is another user's; run this as the user that the supervisor runs as, or as root")]
    NotAllowed(PathBuf),
    #[error("control socket {0}: {1}; see the supervisor's log")]
    Connect(PathBuf, String),
    #[error("the supervisor ended while it was asked ({0}); see its log")]
    Lost(String),
    #[error("{0}")]
    Refused(String),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => {
                Self::Lost(status.message().to_owned())
            }
            _ => Self::Refused(status.message().to_owned()),
        }
    }
}

/// A plugin may have a hundred thousand endpoints, and every answer about it names them all.
pub(super) const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Connects, to ask about plugins.
pub(super) async fn connect(path: &Path) -> Result<PluginsClient<Channel>, ClientError> {
    let channel = channel(path).await?;
    Ok(PluginsClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

/// Connects once. A supervisor that is restarted meanwhile is another one, and is not asked.
pub(super) async fn channel(path: &Path) -> Result<Channel, ClientError> {
    let stream = UnixStream::connect(path).await.map_err(|error| unreachable(path, &error))?;
    let mut stream = Some(stream);
    let connector = tower::service_fn(move |_| {
        let stream = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted));
        async { stream.map(TokioIo::new) }
    });
    // The address is never looked up; HTTP/2 only needs a name.
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector).await;
    channel.map_err(|error| ClientError::Connect(path.to_owned(), error.to_string()))
}

fn unreachable(path: &Path, error: &io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NobodyThere(path.to_owned())
        }
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed(path.to_owned()),
        _ => ClientError::Connect(path.to_owned(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use outboard_proto::admin::v1 as admin;
    use outboard_proto::admin::v1::plugins_server::{Plugins, PluginsServer};
    use tonic::transport::Server;
    use tonic::{Request, Response};

    use super::*;

    /// A supervisor whose only plugin has a long story to tell.
    struct Large;

    impl Large {
        fn plugin() -> admin::Plugin {
            admin::Plugin { name: "x".repeat(5 << 20), ..admin::Plugin::default() }
        }
    }

    #[tonic::async_trait]
    impl Plugins for Large {
        type LogsStream = Pin<Box<tokio_stream::Empty<Result<admin::LogsResponse, Status>>>>;

        async fn list(
            &self,
            _: Request<admin::ListRequest>,
        ) -> Result<Response<admin::ListResponse>, Status> {
            let plugins = vec![Self::plugin()];
            Ok(Response::new(admin::ListResponse { plugins, ..admin::ListResponse::default() }))
        }

        async fn start(
            &self,
            _: Request<admin::StartRequest>,
        ) -> Result<Response<admin::StartResponse>, Status> {
            Ok(Response::new(admin::StartResponse { plugin: Some(Self::plugin()) }))
        }

        async fn stop(
            &self,
            _: Request<admin::StopRequest>,
        ) -> Result<Response<admin::StopResponse>, Status> {
            Ok(Response::new(admin::StopResponse { plugin: Some(Self::plugin()) }))
        }

        async fn restart(
            &self,
            _: Request<admin::RestartRequest>,
        ) -> Result<Response<admin::RestartResponse>, Status> {
            Ok(Response::new(admin::RestartResponse { plugin: Some(Self::plugin()) }))
        }

        async fn grants(
            &self,
            _: Request<admin::GrantsRequest>,
        ) -> Result<Response<admin::GrantsResponse>, Status> {
            Ok(Response::new(admin::GrantsResponse::default()))
        }

        async fn grant(
            &self,
            _: Request<admin::GrantRequest>,
        ) -> Result<Response<admin::GrantResponse>, Status> {
            Ok(Response::new(admin::GrantResponse::default()))
        }

        async fn revoke(
            &self,
            _: Request<admin::RevokeRequest>,
        ) -> Result<Response<admin::RevokeResponse>, Status> {
            Ok(Response::new(admin::RevokeResponse::default()))
        }

        async fn logs(
            &self,
            _: Request<admin::LogsRequest>,
        ) -> Result<Response<Self::LogsStream>, Status> {
            Ok(Response::new(Box::pin(tokio_stream::empty())))
        }
    }

    #[tokio::test]
    async fn an_answer_may_be_larger_than_other_messages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
        let served =
            Server::builder().add_service(PluginsServer::new(Large)).serve_with_incoming(incoming);
        let asked = async {
            let mut client = connect(&path).await.unwrap();
            let listed = client.list(admin::ListRequest {}).await.unwrap().into_inner();
            let request = admin::StartRequest { name: "large".into() };
            let started = client.start(request).await.unwrap().into_inner();
            assert_eq!(started.plugin.as_ref(), listed.plugins.first());
        };
        tokio::select! {
            served = served => panic!("the server ended: {served:?}"),
            () = asked => {}
        }
    }

    #[tokio::test]
    async fn without_a_supervisor_the_next_step_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let missing = connect(&path).await.unwrap_err().to_string();
        drop(tokio::net::UnixListener::bind(&path).unwrap());
        let left_over = connect(&path).await.unwrap_err().to_string();
        for error in [missing, left_over] {
            assert!(error.contains("outboard serve") && error.contains("--runtime-dir"), "{error}");
        }
    }
}
