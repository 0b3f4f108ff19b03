//! What to start, and where its output goes.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use outboard_jail::{Containment, Program, Spec, User};
use outboard_proto::env::{HostEnv, WIRE_VARS};
use outboard_proto::transport::AddressRule;

use crate::stderr::LogLine;

/// go-plugin's own range. Nothing but Go plugins on Windows looks at it.
const PORTS: (u16, u16) = (10_000, 25_000);

/// One plugin process to start.
///
/// Nothing is taken from the environment of this process: what is not written here, the plugin does
/// not get.
pub struct Launch {
    /// The plugin's name, for errors and logs.
    pub name: String,
    /// The program, by path or by descriptor.
    pub program: Program,
    /// Its whole argument vector: the first is the name it is called by. Empty: [`Launch::name`] alone.
    pub args: Vec<OsString>,
    /// Its environment besides the wire's variables, which win over entries of the same name.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory. Absolute; must exist.
    pub work_dir: PathBuf,
    /// Where it makes its sockets. Absolute; at most 90 bytes (a socket's path has at
    /// most 107, and go-plugin's names take 17), fresh for this start, mode 0700 and the plugin's user's. Removing it is the caller's.
    pub socket_dir: PathBuf,
    /// Where this side makes its broker's sockets. As `socket_dir`, and the same where [`Launch::user`] is
    /// `None`; else one that the user may enter but not write, or it could exchange the sockets.
    pub broker_dir: PathBuf,
    /// Name and value of the cookie by which the plugin knows its host. Neither may be empty.
    pub cookie: (String, String),
    /// The application protocol versions that the caller speaks. At least one.
    pub versions: Vec<u32>,
    /// Whether the connection is mutually authenticated and encrypted.
    pub tls: TlsMode,
    /// How its process tree is held together.
    pub containment: Containment,
    /// The user to run as. `None`: the one that this process runs as.
    pub user: Option<User>,
    /// From the call of [`Process::start`](crate::Process::start) to the handshake line. It also bounds
    /// the connect after it, which has at most 5 seconds.
    pub start_timeout: Duration,
    /// Accept a TCP address that is not loopback or, with [`TlsMode::Off`], one in clear text. Default
    /// of careful callers: false.
    pub allow_remote_tcp: bool,
}

/// Without arguments and environment, which may hold secrets.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, program, tls, containment, .. } = self;
        f.debug_struct("Launch")
            .field("name", name)
            .field("program", program)
            .field("tls", tls)
            .field("containment", containment)
            .finish_non_exhaustive()
    }
}

/// What protects the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// No TLS: on a Unix socket the private directory and the check of the peer stand instead, and TCP
    /// is refused.
    #[default]
    Auto,
    /// go-plugin's `AutoMTLS`: both sides pin the other's fresh certificate.
    Required,
    /// No TLS; TCP only where [`Launch::allow_remote_tcp`] says so.
    Off,
}

/// Where what a plugin prints goes.
///
/// Called from the plugin's own tasks, in the order of each stream. A call that blocks holds up that
/// stream of that plugin, and a worker of the runtime: hand over and return. After one that panics,
/// that stream is no longer read.
pub trait Output: Send + Sync {
    /// A line of stderr, parsed. Their rate is bounded: see [`Output::dropped`].
    fn line(&self, line: LogLine);

    /// So many lines of stderr were left out since the last call, because they came too fast.
    fn dropped(&self, count: u64) {
        let _ = count;
    }

    /// Bytes of what the plugin prints on its standard output after the handshake, mirrored by the
    /// plugin or read from the pipe. Not aligned to lines or characters. Default: discarded.
    fn stdout(&self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// Bytes of what the plugin prints on its standard error and mirrors to its host, as Go plugins do
    /// with all but their logs. Default: as [`Output::stderr_raw`].
    fn stderr(&self, bytes: &[u8]) {
        self.stderr_raw(bytes);
    }

    /// The exact bytes of stderr, all of them, of which [`Output::line`] gets the parsed form; a newline
    /// is added at the end if it is missing. Default: discarded.
    fn stderr_raw(&self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// Discards everything.
impl Output for () {
    fn line(&self, _: LogLine) {}
}

/// What a [`Launch`] says about the time after the spawn.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) versions: Vec<u32>,
    pub(crate) work_dir: PathBuf,
    pub(crate) socket_dir: PathBuf,
    pub(crate) broker_dir: PathBuf,
    pub(crate) socket_group: Option<String>,
    pub(crate) tcp: AddressRule,
    pub(crate) start_timeout: Duration,
}

impl Launch {
    /// What the launcher is asked for, and the rest; `client_cert_pem` only under
    /// [`TlsMode::Required`].
    pub(crate) fn split(self, client_cert_pem: Option<String>) -> (Spec, Terms) {
        let env = self.environment(client_cert_pem);
        let tcp = self.tcp();
        let args = if self.args.is_empty() { vec![self.name.clone().into()] } else { self.args };
        let terms = Terms {
            name: self.name,
            versions: self.versions,
            work_dir: self.work_dir.clone(),
            socket_dir: self.socket_dir,
            broker_dir: self.broker_dir,
            // A plugin of another user can write to its host's sockets, as connecting needs, only
            // through its group.
            socket_group: self.user.map(|user| user.gid.to_string()),
            tcp,
            start_timeout: self.start_timeout,
        };
        let (program, dir) = (self.program, self.work_dir);
        let (containment, user) = (self.containment, self.user);
        (Spec { program, args, env, dir, containment, user }, terms)
    }

    fn tcp(&self) -> AddressRule {
        match (self.tls, self.allow_remote_tcp) {
            (TlsMode::Required | TlsMode::Off, true) => AddressRule::Anywhere,
            (TlsMode::Required, false) => AddressRule::Loopback,
            (TlsMode::Off, false) | (TlsMode::Auto, _) => AddressRule::UnixOnly,
        }
    }

    /// The caller's variables without those that speak for the wire, then the wire's.
    ///
    /// A host that is itself a plugin, or that passes its own environment on, must not hand on what its
    /// own host said.
    fn environment(&self, client_cert_pem: Option<String>) -> Vec<(OsString, OsString)> {
        let wire = HostEnv {
            cookie: self.cookie.clone(),
            versions: self.versions.clone(),
            client_cert_pem,
            unix_socket_dir: Some(self.socket_dir.clone()),
            unix_socket_group: None,
            multiplex: false,
            ports: PORTS,
        };
        let is_wire = |name: &OsString| {
            name == self.cookie.0.as_str() || WIRE_VARS.iter().any(|wire| name == wire)
        };
        let own = self.env.iter().filter(|(name, _)| !is_wire(name)).cloned();
        own.chain(wire.vars().into_iter().map(|(name, value)| (name.into(), value))).collect()
    }
}
