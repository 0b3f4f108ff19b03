//! The socket of the service: a Unix socket with a group, or a TCP port.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, chown};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::gateway;

/// Who may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where callers come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Unix {
        path: PathBuf,
        /// Who may connect besides the supervisor's user and root.
        group: Option<String>,
    },
    Tcp(SocketAddr),
}

/// A bound socket. One of a path is removed with it.
#[derive(Debug)]
pub(super) enum Listener {
    Unix { listener: UnixListener, gid: Option<u32>, path: Removed },
    Tcp(TcpListener),
}

/// A path that goes when this does.
#[derive(Debug)]
pub(super) struct Removed(PathBuf);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("service.listen \"{address}\": {}", gateway::advice(source, address.port()))]
    Tcp { address: SocketAddr, source: io::Error },
    #[error(
        "service.listen \"unix:{}\": {source}; choose a path in a directory that the supervisor may write",
        path.display()
    )]
    Unix { path: PathBuf, source: io::Error },
    #[error(
        "service.listen \"unix:{}\": the path is there, and is no socket; remove it, or choose another",
        .0.display()
    )]
    Taken(PathBuf),
    #[error(
        "service.listen \"unix:{}\": somebody listens there already; stop that process, or choose another path",
        .0.display()
    )]
    InUse(PathBuf),
    #[error("service.group \"{0}\": there is no such group; create it, or name another")]
    NoGroup(String),
    #[error(
        "service.group \"{group}\": {source}; run the supervisor as root or as a member of that group"
    )]
    Group { group: String, source: io::Error },
}

impl Listener {
    /// Takes the address. Needs a tokio runtime to be running.
    pub(super) fn bind(listen: &Listen) -> Result<Self, BindError> {
        match listen {
            Listen::Tcp(address) => {
                let bound = tcp(*address);
                bound.map(Self::Tcp).map_err(|source| BindError::Tcp { address: *address, source })
            }
            Listen::Unix { path, group } => unix(path, group.as_deref()),
        }
    }

    /// With the real port where 0 was asked for.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// As it is written in the configuration.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Unix { path, .. } => format!("unix:{}", path.0.display()),
            Self::Tcp(_) => self.address().map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.0);
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn unix(path: &Path, group: Option<&str>) -> Result<Listener, BindError> {
    let failed = |source| BindError::Unix { path: path.to_owned(), source };
    let gid = group.map(gid).transpose()?;
    make_way(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&SockAddr::unix(path).map_err(failed)?).map_err(failed)?;
    let bound = Removed(path.to_owned());
    // Nobody can connect before it listens, so nobody can before this.
    let mode = if gid.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    if let (Some(gid), Some(group)) = (gid, group) {
        let refused = |source| BindError::Group { group: group.to_owned(), source };
        chown(path, None, Some(gid)).map_err(io::Error::from).map_err(refused)?;
    }
    socket.listen(BACKLOG).map_err(failed)?;
    let listener = UnixListener::from_std(socket.into()).map_err(failed)?;
    Ok(Listener::Unix { listener, gid: gid.map(Gid::as_raw), path: bound })
}

/// By name or by number.
fn gid(group: &str) -> Result<Gid, BindError> {
    if let Ok(gid) = group.parse() {
        return Ok(Gid::from_raw(gid));
    }
    let found = Group::from_name(group).ok().flatten();
    found.map(|group| group.gid).ok_or_else(|| BindError::NoGroup(group.to_owned()))
}

/// Removes a socket that a supervisor has left there which was killed, and nothing else.
fn make_way(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Unix { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(BindError::Taken(path.to_owned())),
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            Err(BindError::InUse(path.to_owned()))
        }
        Ok(_) => fs::remove_file(path).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &Path) -> Listen {
        Listen::Unix { path: path.to_owned(), group: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_the_owners_alone_or_the_groups_and_goes_with_its_listener() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("service.sock");
        let alone = Listener::bind(&at(&path)).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(alone);
        assert!(!path.exists());
        let group = Some(nix::unistd::getegid().to_string());
        let shared = Listener::bind(&Listen::Unix { path: path.clone(), group }).unwrap();
        assert_eq!(mode(&path), 0o660);
        drop(shared);
    }

    #[tokio::test]
    async fn what_a_killed_supervisor_left_makes_way_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("service.sock");
        let left = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Listener::bind(&at(&path)).unwrap_err().to_string();
        assert!(error.contains("somebody listens"), "{error}");
        drop(left);
        drop(Listener::bind(&at(&path)).unwrap());
        fs::write(&path, "somebody's work").unwrap();
        let error = Listener::bind(&at(&path)).unwrap_err().to_string();
        assert!(error.contains("is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's work");
    }

    #[tokio::test]
    async fn a_mistake_is_told_with_its_key() {
        let check = |listen: Listen, parts: [&str; 2]| {
            let error = Listener::bind(&listen).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check(at(Path::new("/nonexistent/x.sock")), ["service.listen", "/nonexistent/x.sock"]);
        let group = Some("no-such-group".to_owned());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        check(Listen::Unix { path, group }, ["service.group \"no-such-group\"", "no such group"]);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        check(Listen::Tcp(address), ["service.listen \"127.0.0.1:", "in use"]);
    }
}
