//! What the supervisor changes about itself, once the launcher is forked.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::message::OpenFiles;

/// Makes this process's memory, environment and descriptors unreadable to others of its user,
/// plugins above all, and takes away its core dumps.
///
/// Call it after [`crate::Launcher::fork`].
pub fn forbid_dumping() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(false)?)
}

/// Raises the soft limit of open files to the hard one, and gives what it is now.
///
/// Call it after [`crate::Launcher::fork`], which remembers the limit for plugins: a program that
/// uses `select` breaks on descriptors above 1023.
pub fn raise_open_files() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// The limit as it stands.
pub(crate) fn open_files() -> io::Result<OpenFiles> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(OpenFiles { soft, hard })
}
