//! The control socket: `outboard.admin.v1` for processes of the supervisor's own user, and root.
//!
//! The socket's mode keeps others out; the check of the peer at accept does so again, for the moment
//! before the mode is set and for directories that somebody opened up. It also refuses plugins, which
//! may run as the supervisor's own user.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::{events_server, plugins_server};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::BroadcastStream;
use tonic::service::RoutesBuilder;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::ancestry::descends;
use super::events::EventService;
use crate::app::Live;
use crate::events::Events;
use crate::identity::Identity;
use crate::import::Import;
use crate::plugin::{ControlError, LogEntry, Plugins, Wanted};

/// Between tries to accept that fail.
const PAUSE: Duration = Duration::from_millis(50);

/// Bound, and open to operators once it is served. Dropping it removes the socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error(
    "control socket {path}: {source}; choose a directory that the supervisor may write, with runtime_dir"
)]
pub struct BindError {
    path: PathBuf,
    source: io::Error,
}

impl Control {
    /// Binds the socket. The caller has locked its directory, so one that is there already is left
    /// over from a supervisor that was killed.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        bind(path).map_err(|source| BindError { path: path.to_owned(), source })
    }

    /// Answers operators until dropped.
    pub async fn serve(self, plugins: Plugins, events: Events, identity: Identity, live: Live) {
        let mut routes = RoutesBuilder::default();
        routes
            .add_service(plugins_server::PluginsServer::new(Service { plugins: plugins.clone() }))
            .add_service(events_server::EventsServer::new(EventService { events }));
        super::people::add_to(&mut routes, &identity);
        super::access::add_to(&mut routes, &identity);
        super::imports::add_to(&mut routes, Import { identity, live });
        let served = Server::builder()
            .add_routes(routes.routes())
            .serve_with_incoming(self.incoming(plugins))
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the control socket is closed; restart the supervisor to have it back");
        }
    }

    fn incoming(&self, plugins: Plugins) -> impl Stream<Item = io::Result<UnixStream>> {
        stream::unfold((&self.listener, plugins), async |(listener, plugins)| {
            let accepted = accept(listener, |stream| is_plugins(stream, &plugins)).await;
            if accepted.is_err() {
                // Out of descriptors, most likely: the next try would fail just as fast.
                tokio::time::sleep(PAUSE).await;
            }
            Some((accepted, (listener, plugins)))
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> io::Result<Control> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(Control { listener, path: path.to_owned() })
}

/// The next connection of somebody who may connect.
async fn accept(
    listener: &UnixListener,
    is_plugin: impl Fn(&UnixStream) -> bool,
) -> io::Result<UnixStream> {
    loop {
        let (stream, _) = listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        if !is_trusted(uid) {
            tracing::warn!(uid, "refused a connection to the control socket: another user");
        } else if is_plugin(&stream) {
            tracing::warn!("refused a connection to the control socket: a plugin");
        } else {
            return Ok(stream);
        }
    }
}

fn is_plugins(stream: &UnixStream, plugins: &Plugins) -> bool {
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    is_plugin(stream.as_fd(), pid, plugins)
}

/// Whether the process at the other end of a socket is a plugin's. Plugins are below the launcher; those whose
/// launcher was lost are in the tree of a guard.
pub(crate) fn is_plugin(socket: BorrowedFd<'_>, pid: Option<i32>, plugins: &Plugins) -> bool {
    pid.is_none_or(|pid| descends(pid, plugins.launcher_pid())) || plugins.has_process(socket)
}

fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

struct Service {
    plugins: Plugins,
}

type Lines = Pin<Box<dyn Stream<Item = Result<admin::LogsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl plugins_server::Plugins for Service {
    type LogsStream = Lines;

    async fn list(
        &self,
        _: Request<admin::ListRequest>,
    ) -> Result<Response<admin::ListResponse>, Status> {
        let (plugins, containment) = self.plugins.list();
        Ok(Response::new(admin::ListResponse { plugins, containment }))
    }

    async fn start(
        &self,
        request: Request<admin::StartRequest>,
    ) -> Result<Response<admin::StartResponse>, Status> {
        let plugin =
            self.plugins.start(&request.get_ref().name).await.map_err(|error| status(&error))?;
        Ok(Response::new(admin::StartResponse { plugin: Some(plugin) }))
    }

    async fn stop(
        &self,
        request: Request<admin::StopRequest>,
    ) -> Result<Response<admin::StopResponse>, Status> {
        let plugin =
            self.plugins.stop(&request.get_ref().name).await.map_err(|error| status(&error))?;
        Ok(Response::new(admin::StopResponse { plugin: Some(plugin) }))
    }

    async fn restart(
        &self,
        request: Request<admin::RestartRequest>,
    ) -> Result<Response<admin::RestartResponse>, Status> {
        let plugin =
            self.plugins.restart(&request.get_ref().name).await.map_err(|error| status(&error))?;
        Ok(Response::new(admin::RestartResponse { plugin: Some(plugin) }))
    }

    async fn grants(
        &self,
        _: Request<admin::GrantsRequest>,
    ) -> Result<Response<admin::GrantsResponse>, Status> {
        Ok(Response::new(admin::GrantsResponse { plugins: self.plugins.grants() }))
    }

    async fn grant(
        &self,
        request: Request<admin::GrantRequest>,
    ) -> Result<Response<admin::GrantResponse>, Status> {
        let admin::GrantRequest { name, all, callbacks, emit } = request.into_inner();
        let wanted = Wanted::read(all, &callbacks, &emit).map_err(Status::invalid_argument)?;
        let plugin = self.plugins.grant(&name, wanted).await.map_err(|error| status(&error))?;
        Ok(Response::new(admin::GrantResponse { plugin: Some(plugin) }))
    }

    async fn revoke(
        &self,
        request: Request<admin::RevokeRequest>,
    ) -> Result<Response<admin::RevokeResponse>, Status> {
        let admin::RevokeRequest { name, all, callbacks, emit } = request.into_inner();
        let wanted = Wanted::read(all, &callbacks, &emit).map_err(Status::invalid_argument)?;
        let plugin = self.plugins.revoke(&name, &wanted).map_err(|error| status(&error))?;
        Ok(Response::new(admin::RevokeResponse { plugin }))
    }

    async fn logs(&self, request: Request<admin::LogsRequest>) -> Result<Response<Lines>, Status> {
        let admin::LogsRequest { name, tail, follow } = request.into_inner();
        let tail = usize::try_from(tail).unwrap_or(usize::MAX);
        let (old, new) = self.plugins.logs(&name, tail).map_err(|error| status(&error))?;
        let old = stream::iter(old).map(|entry| Ok(line(entry)));
        if !follow {
            return Ok(Response::new(Box::pin(old)));
        }
        let new = BroadcastStream::new(new).map(|entry| match entry {
            Ok(entry) => Ok(line(entry)),
            Err(lagged) => Ok(gap(&lagged.to_string())),
        });
        Ok(Response::new(Box::pin(old.chain(new))))
    }
}

fn status(error: &ControlError) -> Status {
    let message = error.to_string();
    match error {
        ControlError::NotFound { .. } => Status::not_found(message),
        ControlError::Failed { .. } => Status::failed_precondition(message),
    }
}

fn line(entry: LogEntry) -> admin::LogsResponse {
    admin::LogsResponse {
        time: Some(entry.time.into()),
        level: entry.level.as_str().to_ascii_lowercase(),
        message: entry.message,
        fields: entry.fields.into_iter().collect(),
    }
}

/// Instead of lines that came faster than the client read them.
fn gap(reason: &str) -> admin::LogsResponse {
    line(LogEntry {
        time: std::time::SystemTime::now(),
        level: tracing::Level::WARN,
        message: format!("lines are missing here: {reason}"),
        fields: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_the_owners_alone_and_goes_with_its_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        fs::write(&path, "left over").unwrap();
        let control = Control::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(control);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn an_operator_of_the_same_user_is_let_in() {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::bind(&dir.path().join("control.sock")).unwrap();
        let (accepted, connected) =
            tokio::join!(accept(&control.listener, |_| false), UnixStream::connect(&control.path));
        accepted.unwrap();
        connected.unwrap();
    }

    #[test]
    fn other_users_are_not_trusted() {
        let own = nix::unistd::geteuid().as_raw();
        assert!(is_trusted(0) && is_trusted(own));
        assert!(!is_trusted(own + 1));
    }

    #[test]
    fn a_directory_that_can_not_be_written_is_named_with_its_key() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        let error = Control::bind(Path::new("/nonexistent/control.sock")).unwrap_err().to_string();
        assert!(
            error.contains("/nonexistent/control.sock") && error.contains("runtime_dir"),
            "{error}"
        );
    }
}
