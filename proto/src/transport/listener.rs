//! A socket that waits for the other side, at a name of its own.

use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::Group;
use tokio::net::{TcpListener, UnixListener};

use super::incoming::Incoming;
use super::peer::PeerCheck;
use super::tls::Tls;
use crate::handshake::Address;

/// `sun_path` of Linux holds 108 bytes, one of which is the final NUL.
const LONGEST_PATH: usize = 107;
/// Names are drawn from 2^32; a directory in which this many are taken in a row is something else.
const ATTEMPTS: u32 = 16;
/// Owner and group: whoever connects needs to write.
const GROUP_MODE: u32 = 0o660;

/// A bound socket. The peer can connect from now on, but is served only by [`Listener::incoming`].
///
/// Dropping it, or what became of it, removes the socket file.
pub struct Listener {
    socket: Socket,
    address: Address,
    file: Option<SocketFile>,
}

pub(super) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Removes the file when it goes.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already is as good, and there is nobody to tell of anything else.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// A Unix socket at a fresh name in `dir`: `prefix` and eight hexadecimal digits.
    ///
    /// # Errors
    ///
    /// When the path would be longer than 107 bytes or could not stand in a handshake line, and what
    /// the system says of `dir`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind_unix(dir: &Path, prefix: &str) -> io::Result<Self> {
        for _ in 1..ATTEMPTS {
            match bind_at(dir.join(fresh_name(prefix))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        bind_at(dir.join(fresh_name(prefix)))
    }

    /// A TCP socket at a free port of 127.0.0.1. Anyone on the machine can connect: use TLS.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn bind_tcp_loopback() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = Address::Tcp(listener.local_addr()?.to_string());
        Ok(Self { socket: Socket::Tcp(listener), address, file: None })
    }

    /// Hands the socket file to a group, by number or name, with mode 0660. Does nothing to TCP.
    ///
    /// # Errors
    ///
    /// When there is no such group, or this process may not hand files to it.
    pub fn share_with_group(&self, group: &str) -> io::Result<()> {
        let Some(SocketFile(path)) = &self.file else { return Ok(()) };
        let gid = gid(group)?;
        chown(path, None, Some(gid)).map_err(|error| in_group(group, &error))?;
        fs::set_permissions(path, fs::Permissions::from_mode(GROUP_MODE))
    }

    /// What to tell the other side.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The connections of peers that pass `check` and, where there is TLS, show their certificate.
    pub fn incoming(self, tls: Option<Tls>, check: PeerCheck) -> Incoming {
        Incoming::new(self.socket, self.file, tls, check)
    }
}

fn bind_at(path: PathBuf) -> io::Result<Listener> {
    check_length(&path)?;
    let address = Address::Unix(path.clone());
    if !address.is_printable() {
        return Err(invalid(format!(
            "the socket path {} is not UTF-8, or has a \"|\" or a line end in it, which the \
             handshake can't carry; set TMPDIR to a plain directory",
            path.display()
        )));
    }
    let socket = UnixListener::bind(&path).map_err(|error| {
        let path = path.display();
        io::Error::new(
            error.kind(),
            format!(
                "can't listen on {path}: {error}; check that its directory exists and can be \
                 written to"
            ),
        )
    })?;
    Ok(Listener { socket: Socket::Unix(socket), address, file: Some(SocketFile(path)) })
}

fn check_length(path: &Path) -> io::Result<()> {
    let length = path.as_os_str().as_bytes().len();
    if length <= LONGEST_PATH {
        return Ok(());
    }
    Err(invalid(format!(
        "the socket path {} has {length} bytes, and the limit is {LONGEST_PATH}; set \
         PLUGIN_UNIX_SOCKET_DIR or TMPDIR to a shorter directory",
        path.display()
    )))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Fresh, not secret: the directory and the peer check protect the socket. Each `RandomState` has
/// keys of its own.
fn fresh_name(prefix: &str) -> String {
    let random = RandomState::new().hash_one(prefix);
    format!("{prefix}{:08x}", random & u64::from(u32::MAX))
}

fn gid(group: &str) -> io::Result<u32> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match Group::from_name(group)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "there is no group {group:?} to share the socket with; set \
                 PLUGIN_UNIX_SOCKET_GROUP to a group of this machine, by name or number"
            ),
        )),
    }
}

fn in_group(group: &str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "can't hand the socket to group {group:?}: {error}; make this process's user a member \
             of it"
        ),
    )
}
