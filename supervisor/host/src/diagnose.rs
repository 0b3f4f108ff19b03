//! From what was seen of a failed start to its cause.
//!
//! Pure: what the file is, what the kernel said and what the plugin wrote come in; reading them is
//! [`start`](crate::start)'s and [`inspect`](crate::inspect)'s.

pub(crate) mod binary;

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use outboard_jail::Exit;
use outboard_proto::transport::{AddressRule, ConnectError};

use crate::error::{Cause, StderrTail};
use binary::Binary;

/// What the program turned out to be when it could not be run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// As it was named, or as the descriptor is called.
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Its first bytes; empty if they can't be read.
    pub(crate) head: Vec<u8>,
    /// The permission bits of the interpreter that a script names, if that is a file that is there.
    pub(crate) interpreter: Option<u32>,
}

/// What stands at a program's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Missing,
    Directory,
    File,
    Other,
}

/// Why the kernel would not run `program`.
pub(crate) fn exec(errno: i32, program: Program) -> Cause {
    let Program { path, kind, mode, head, interpreter: found } = program;
    match kind {
        Kind::Missing => return Cause::Missing { path },
        Kind::Directory => return Cause::Directory { path },
        Kind::Other => return Cause::NotAFile { path },
        Kind::File => {}
    }
    let ours = binary::OURS;
    let error = io::Error::from_raw_os_error(errno);
    match (Errno::from_raw(errno), binary::kind(&head, ours)) {
        (Errno::EACCES | Errno::EPERM, _) if mode & 0o111 == 0 => {
            Cause::NotExecutable { path, mode }
        }
        (Errno::EACCES, Binary::Script { interpreter }) => match found {
            None => Cause::InterpreterMissing { path, interpreter },
            Some(mode) if mode & 0o111 == 0 => {
                Cause::NotExecutable { path: interpreter.into(), mode }
            }
            Some(_) => Cause::ScriptNotAllowed { path, mode, interpreter, error },
        },
        (Errno::ENOENT | Errno::ENOTDIR, Binary::Script { interpreter })
        | (Errno::ENOENT, Binary::Native { loader: Some(interpreter) }) => {
            Cause::InterpreterMissing { path, interpreter }
        }
        (Errno::ENOENT, _) => Cause::Missing { path },
        (Errno::EACCES | Errno::EPERM, _) => Cause::NotAllowed { path, mode, error },
        (Errno::ENOEXEC, binary) => unrunnable(path, binary, ours),
        (errno, _) => Cause::Exec { path, error, advice: advice(errno) },
    }
}

fn unrunnable(path: PathBuf, binary: Binary, ours: u16) -> Cause {
    let what = match binary {
        Binary::Foreign { system: theirs } => {
            return Cause::WrongArchitecture { path, theirs, ours: binary::machine(ours) };
        }
        Binary::Text => return Cause::NoInterpreter { path },
        Binary::Empty => "it is empty",
        Binary::Script { .. } => "its #! line names no interpreter",
        Binary::Native { .. } => "its header is damaged or it was cut off",
        Binary::Unknown => "its format is unknown",
    };
    Cause::NotAProgram { path, what }
}

fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ETXTBSY => "somebody is still writing to it, so wait until it is copied",
        Errno::E2BIG => "pass less in arguments and environment",
        Errno::ENOMEM | Errno::EAGAIN => "free memory or raise the limit on processes",
        Errno::EMFILE | Errno::ENFILE => "raise the limit on open files",
        Errno::ELOOP => "its path has too many symbolic links",
        _ => "check the file and the file system it is on",
    }
}

/// Why a plugin ended that had not yet shaken hands.
pub(crate) fn exited(exit: Exit, stderr: StderrTail) -> Cause {
    let says = |words: &str| stderr.0.iter().any(|line| line.to_ascii_lowercase().contains(words));
    // go-plugin's words, older ones, and those of Outboard's own SDKs.
    let refusals = ["binary is a plugin", "magic cookie", "program is a plugin"];
    if exit == Exit::Code(1) && refusals.iter().any(|words| says(words)) {
        return Cause::Cookie { stderr };
    }
    if says("error while loading shared libraries") {
        return Cause::Library { stderr };
    }
    match exit {
        Exit::Code(0) => Cause::Ended { exit, stderr },
        _ => Cause::Exited { exit, stderr },
    }
}

/// Why there is no connection to the address of a handshake.
pub(crate) fn connect(error: ConnectError, stderr: StderrTail) -> Cause {
    match error {
        ConnectError::Peer { address, source: error } => Cause::ForeignSocket { address, error },
        ConnectError::Forbidden { address, rule: AddressRule::UnixOnly } => {
            Cause::PlainTcp { address }
        }
        ConnectError::Forbidden { address, .. } => Cause::RemoteTcp { address },
        ConnectError::Dial { address, source: error } => {
            Cause::NobodyListens { address, error, stderr }
        }
        error => Cause::Connect { error: Box::new(error), stderr },
    }
}

/// What somebody else printed, quoted, escaped and cut.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const LONGEST: usize = 120;
    let head = &bytes[..bytes.len().min(LONGEST)];
    let dots = if head.len() < bytes.len() { "..." } else { "" };
    format!("{:?}{dots}", String::from_utf8_lossy(head))
}

#[cfg(test)]
mod tests;
