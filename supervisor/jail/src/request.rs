//! A [`Spec`] in the form that the launcher takes, checked before it is sent.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use nix::unistd::{getegid, geteuid};

use crate::containment::Containment;
use crate::message::{OpenFiles, Packed, REQUEST_MAX, Request};
use crate::spec::{Program, Spec, User};

/// Why a [`Spec`] cannot be started anywhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("{what} holds a NUL byte; remove it")]
    Nul { what: String },
    #[error("no arguments; give at least the program's own name")]
    NoArguments,
    #[error("{name:?} cannot name an environment variable; use a name without \"=\"")]
    Variable { name: String },
    #[error(
        "arguments and environment take {bytes} bytes, the limit is {REQUEST_MAX}; pass large \
         values in files"
    )]
    TooLarge { bytes: usize },
    #[error(
        "running a plugin as uid {uid} needs root; start the supervisor as root, or leave out the \
         user"
    )]
    UserNeedsRoot { uid: u32 },
    #[error(
        "uid {uid} does not exist in a {}, which has only the supervisor's; use another \
         containment, or leave out the user",
        Containment::UserPidNamespace
    )]
    UserNotMapped { uid: u32 },
}

/// The strings of a request, owned.
pub(crate) struct Packing {
    containment: Containment,
    path: Option<CString>,
    dir: CString,
    args: Packed,
    env: Packed,
    user: Option<User>,
    open_files: OpenFiles,
}

impl Packing {
    pub(crate) fn new(spec: &Spec, open_files: OpenFiles) -> Result<Self, Unfit> {
        Ok(Self {
            containment: spec.containment,
            path: match &spec.program {
                Program::File(_) => None,
                Program::Path(path) => Some(string("the program's path", path.as_os_str())?),
            },
            dir: string("the working directory", spec.dir.as_os_str())?,
            args: pack_args(spec)?,
            env: pack_env(spec)?,
            user: user_of(spec)?,
            open_files,
        })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Unfit> {
        let request = Request {
            containment: self.containment,
            path: self.path.as_deref(),
            dir: &self.dir,
            args: self.args.strings(),
            env: self.env.strings(),
            user: self.user,
            open_files: self.open_files,
        };
        match request.len() {
            bytes if bytes > REQUEST_MAX => Err(Unfit::TooLarge { bytes }),
            _ => Ok(request.encode()),
        }
    }
}

fn string(what: &str, value: &OsStr) -> Result<CString, Unfit> {
    CString::new(value.as_bytes()).map_err(|_| Unfit::Nul { what: what.to_owned() })
}

fn pack_args(spec: &Spec) -> Result<Packed, Unfit> {
    let mut packed = Packed::default();
    if spec.args.is_empty() {
        return Err(Unfit::NoArguments);
    }
    for (index, arg) in spec.args.iter().enumerate() {
        packed
            .push(&[arg.as_bytes()])
            .ok_or_else(|| Unfit::Nul { what: format!("argument {index}") })?;
    }
    Ok(packed)
}

/// The values may be secrets, so an error has only the name.
fn pack_env(spec: &Spec) -> Result<Packed, Unfit> {
    let mut packed = Packed::default();
    for (name, value) in &spec.env {
        let lossy = || name.to_string_lossy().into_owned();
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(Unfit::Variable { name: lossy() });
        }
        packed
            .push(&[name.as_bytes(), b"=", value.as_bytes()])
            .ok_or_else(|| Unfit::Nul { what: format!("variable {:?}", lossy()) })?;
    }
    Ok(packed)
}

/// `None` when the plugin runs as who we are, which needs no privilege.
fn user_of(spec: &Spec) -> Result<Option<User>, Unfit> {
    let own = User { uid: geteuid().as_raw(), gid: getegid().as_raw() };
    match spec.user {
        None => Ok(None),
        Some(user) if user == own && own.uid != 0 => Ok(None),
        Some(user) if own.uid != 0 => Err(Unfit::UserNeedsRoot { uid: user.uid }),
        Some(user) if spec.containment == Containment::UserPidNamespace => {
            Err(Unfit::UserNotMapped { uid: user.uid })
        }
        Some(user) => Ok(Some(user)),
    }
}

#[cfg(test)]
mod tests;
