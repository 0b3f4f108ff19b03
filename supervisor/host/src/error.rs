//! Why a plugin did not start: each cause with what to do about it, and whether trying again can help.

use std::path::PathBuf;
use std::time::Duration;

use outboard_jail::{Exit, SpawnError, Step};
use outboard_proto::handshake::{Address, HandshakeError};
use outboard_proto::transport::{ConnectError, TlsError};
use thiserror::Error;

/// A start that failed. The plugin's process tree is gone by the time this is returned.
///
/// Displays as plugin, cause and next step on one line.
#[derive(Debug, Error)]
#[error("plugin {plugin:?}: {cause}")]
pub struct StartError {
    /// [`Launch::name`](crate::Launch::name).
    pub plugin: String,
    /// What went wrong. Not the error's `source`, as its words are in the error's own already.
    pub cause: Box<Cause>,
}

impl StartError {
    /// Whether the same program will fail the same way each time, so that trying again is idle.
    pub fn is_permanent(&self) -> bool {
        self.cause.is_permanent()
    }
}

/// What went wrong in a start, in the order in which it can.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum Cause {
    /// Whoever started it no longer wants it.
    #[error("the start was aborted")]
    Aborted,
    /// The key or certificate for mutual TLS could not be made or used.
    #[error("mutual TLS could not be set up: {0}")]
    Tls(#[from] TlsError),
    /// The socket directory's path leaves no room for a socket's name.
    #[error(
        "its socket directory {path:?} has a path of more than {limit} bytes, which leaves no room \
         for a socket's name; choose a shorter one"
    )]
    SocketDir {
        /// [`Launch::socket_dir`](crate::Launch::socket_dir).
        path: PathBuf,
        /// In bytes.
        limit: usize,
    },
    /// The socket directory can't be opened.
    #[error(
        "its socket directory {path:?} can't be opened: {error}; make it before the start, as a \
         directory and not as a link to one"
    )]
    NoSocketDir {
        /// [`Launch::socket_dir`](crate::Launch::socket_dir).
        path: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// The launcher could not start anything.
    #[error("the launcher could not start it: {0}")]
    Spawn(SpawnError),
    /// The pipes, or the guard, could not be watched.
    #[error("its pipes and guard could not be watched: {0}; raise the limit on open files")]
    Resources(std::io::Error),
    /// There is no such file.
    #[error("there is no file {path:?}; check the path, or install the plugin again")]
    Missing {
        /// The program.
        path: PathBuf,
    },
    /// The program is a directory.
    #[error("{path:?} is a directory; name the program inside it")]
    Directory {
        /// The program.
        path: PathBuf,
    },
    /// A device, a socket, a pipe.
    #[error("{path:?} is not a regular file; name a program")]
    NotAFile {
        /// The program.
        path: PathBuf,
    },
    /// No execute bit is set.
    #[error("{path:?} is not executable (mode {mode:04o}); run chmod +x on it")]
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// An execute bit is set, and still the kernel said no.
    #[error(
        "the kernel refuses to run {path:?} (mode {mode:04o}): {error}; check that the plugin's \
         user may execute it and search the directories above it, and that its file system is not \
         mounted noexec"
    )]
    NotAllowed {
        /// The program.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// A script that may be executed and whose interpreter is there, and still the kernel said no.
    #[error(
        "the kernel refuses to run the script {path:?} (mode {mode:04o}) with {interpreter:?}: \
         {error}; check that the plugin's user may execute both and search the directories above \
         them, and that neither is on a file system mounted noexec"
    )]
    ScriptNotAllowed {
        /// The program.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What its first line names.
        interpreter: String,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// Text without `#!`.
    #[error(
        "{path:?} is a text file without a #! line; begin it with one, such as #!/usr/bin/env \
         python3, or name its interpreter in the plugin's command"
    )]
    NoInterpreter {
        /// The program.
        path: PathBuf,
    },
    /// The `#!` line, or the program's header, names a file that is not there.
    #[error(
        "{path:?} needs {interpreter:?} to run, which is not there or not executable; install it, \
         or correct the first line (it must end in LF, not CRLF)"
    )]
    InterpreterMissing {
        /// The program.
        path: PathBuf,
        /// What it needs.
        interpreter: String,
    },
    /// A program for another machine or system.
    #[error(
        "{path:?} is a program for {theirs}, this machine is {ours}; install the plugin's build \
         for {ours}"
    )]
    WrongArchitecture {
        /// The program.
        path: PathBuf,
        /// What it was built for.
        theirs: String,
        /// What this machine is.
        ours: String,
    },
    /// Empty, damaged, or no program at all.
    #[error(
        "{path:?} is not a program that this machine can run ({what}); install the plugin again"
    )]
    NotAProgram {
        /// The program.
        path: PathBuf,
        /// What its first bytes say.
        what: &'static str,
    },
    /// The working directory can't be entered.
    #[error(
        "its working directory {path:?} can't be entered: {error}; create it, and let the plugin's \
         user search it and the directories above it"
    )]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// A step between the launcher and the program.
    #[error("could not {step}: {error}; check the host's privileges and limits")]
    Confine {
        /// The step.
        step: Step,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// Another error of `exec`.
    #[error("the kernel could not run {path:?}: {error}; {advice}")]
    Exec {
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing came back from the guard.
    #[error(
        "its guard was lost before the program ran; try again, and look for an out-of-memory kill"
    )]
    GuardLost,
    /// It ended before the handshake.
    #[error("{exit} before its handshake{stderr}; run it by hand in its environment to see why")]
    Exited {
        /// How.
        exit: Exit,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// It ended with 0 before the handshake, as Go plugins do whose listener could not be made.
    #[error(
        "{exit}, as if all were well, before its handshake{stderr}; Go plugins do so when they \
         can't listen, so check that the plugin may write to its socket directory"
    )]
    Ended {
        /// How.
        exit: Exit,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// It wants another application's cookie.
    #[error(
        "refuses this host's cookie{stderr}; it is a plugin of another application: give its cookie \
         in [go_plugin] of the manifest"
    )]
    Cookie {
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// The dynamic loader found no library.
    #[error("a shared library that it needs is missing{stderr}; install the library")]
    Library {
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// It closed stdout and went on.
    #[error(
        "closed its stdout without a handshake{stderr}; a plugin prints its handshake line on \
         stdout first, so check that the program is a plugin"
    )]
    StdoutClosed {
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// Nothing, or no whole line, for the whole time limit.
    #[error(
        "printed no handshake within {limit:?}{}{stderr}; check that the program is a plugin and \
         flushes its stdout, or raise start_timeout",
        Partial(.partial)
    )]
    Silent {
        /// [`Launch::start_timeout`](crate::Launch::start_timeout).
        limit: Duration,
        /// The beginning of the unfinished line, quoted; empty if there was nothing.
        partial: String,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// More than 64 KiB without a newline.
    #[error(
        "printed more than {limit} bytes on stdout without a newline, beginning with {start}; a \
         plugin must print nothing before its handshake, so send other output to stderr"
    )]
    LineTooLong {
        /// In bytes.
        limit: usize,
        /// The beginning, quoted.
        start: String,
    },
    /// The line is wrong.
    #[error("{0}")]
    Handshake(HandshakeError),
    /// TCP that is neither encrypted nor allowed.
    #[error(
        "listens on TCP ({address}), where any local process could speak to it; set tls = \
         \"required\" in its manifest, or make it listen on a Unix socket"
    )]
    PlainTcp {
        /// What the handshake says.
        address: Address,
    },
    /// TCP that is not loopback.
    #[error(
        "listens on {address}, which is not this machine's loopback; make it listen on 127.0.0.1 or \
         a Unix socket, or allow remote TCP for it"
    )]
    RemoteTcp {
        /// What the handshake says.
        address: Address,
    },
    /// It ended after the handshake, before anybody could speak to it.
    #[error("{exit} right after its handshake{stderr}; it must serve until it is stopped")]
    ExitedEarly {
        /// How.
        exit: Exit,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// The address can't be dialled.
    #[error(
        "nobody listens on {address}, which its handshake names ({error}){stderr}; a plugin must \
         listen before it prints its handshake"
    )]
    NobodyListens {
        /// What the handshake says.
        address: Address,
        /// What the system said.
        error: std::io::Error,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// Dialled, and still no connection: too late, or no TLS.
    #[error("can't be connected to: {error}{stderr}")]
    Connect {
        /// What went wrong, and what to do.
        error: Box<ConnectError>,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
    /// Another process listens at the address.
    #[error(
        "its handshake names {address}, where another process listens ({error}); a plugin must \
         print the address of its own socket, so remove fixed socket paths from its configuration"
    )]
    ForeignSocket {
        /// What the handshake says.
        address: Address,
        /// What the peer check said.
        error: std::io::Error,
    },
    /// Connected, and nothing sensible came back.
    #[error(
        "does not answer gRPC on {address} ({error}){stderr}; check that it serves gRPC there, and \
         with TLS exactly if the host asks for it"
    )]
    NoAnswer {
        /// What the handshake says.
        address: Address,
        /// What came instead.
        error: String,
        /// The end of what it wrote on stderr.
        stderr: StderrTail,
    },
}

impl Cause {
    /// Whether the same program will fail the same way each time, so that trying again is idle.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::SocketDir { .. }
            | Self::Spawn(SpawnError::Unfit(_))
            | Self::Missing { .. }
            | Self::Directory { .. }
            | Self::NotAFile { .. }
            | Self::NotExecutable { .. }
            | Self::NotAllowed { .. }
            | Self::ScriptNotAllowed { .. }
            | Self::NoInterpreter { .. }
            | Self::InterpreterMissing { .. }
            | Self::WrongArchitecture { .. }
            | Self::NotAProgram { .. }
            | Self::Cookie { .. }
            | Self::Library { .. }
            | Self::PlainTcp { .. }
            | Self::RemoteTcp { .. } => true,
            Self::Handshake(error) => error.is_permanent(),
            Self::Aborted
            | Self::Tls(_)
            | Self::NoSocketDir { .. }
            | Self::Spawn(_)
            | Self::Resources(_)
            | Self::WorkDir { .. }
            | Self::Confine { .. }
            | Self::Exec { .. }
            | Self::GuardLost
            | Self::Exited { .. }
            | Self::Ended { .. }
            | Self::StdoutClosed { .. }
            | Self::Silent { .. }
            | Self::LineTooLong { .. }
            | Self::ExitedEarly { .. }
            | Self::NobodyListens { .. }
            | Self::Connect { .. }
            | Self::ForeignSocket { .. }
            | Self::NoAnswer { .. } => false,
        }
    }
}

/// The last lines of stderr; displays as `; stderr ends with: …`, or as nothing if there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StderrTail(pub Vec<String>);

impl std::fmt::Display for StderrTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; stderr ends with: {}", self.0.join(" | "))
    }
}

/// The words about an unfinished line, if there is one.
struct Partial<'a>(&'a str);

impl std::fmt::Display for Partial<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => Ok(()),
            partial => write!(f, ", only {partial} without a newline"),
        }
    }
}
