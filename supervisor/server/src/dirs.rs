//! The directories of one supervisor: what survives it (data) and what does not (runtime).

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use outboard_jail::User;

use crate::grants;

/// Longest path of a Unix socket on Linux, without the final NUL.
const LONGEST_SOCKET: usize = 107;

/// Room for what a plugin or the host appends to a generation's directory: `/h/plugin` and a number
/// of up to 20 digits.
const SOCKET_NAME: usize = 32;

/// Opened, and locked against a second supervisor until dropped.
#[derive(Debug)]
pub struct Dirs {
    data: PathBuf,
    runtime: PathBuf,
    _locks: [File; 2],
}

#[derive(Debug, thiserror::Error)]
pub enum DirsError {
    #[error("{path}: {source}; choose a directory that the supervisor may write, with {key}")]
    Unusable { path: PathBuf, key: &'static str, source: io::Error },
    #[error(
        "{path}: another supervisor is using it; stop that one, or choose another directory with {key}"
    )]
    InUse { path: PathBuf, key: &'static str },
    #[error(
        "{path}: too long for the sockets below it, by {excess} bytes; choose a shorter directory with runtime_dir"
    )]
    TooLong { path: PathBuf, excess: usize },
}

impl Dirs {
    pub fn open(data: &Path, runtime: &Path) -> Result<Self, DirsError> {
        let data_lock = open_and_lock(data, "data_dir")?;
        let runtime_lock = open_and_lock(runtime, "runtime_dir")?;
        let unusable = |path: &Path, key| {
            let path = path.to_owned();
            move |source| DirsError::Unusable { path, key, source }
        };
        let data = data.canonicalize().map_err(unusable(data, "data_dir"))?;
        let runtime = runtime.canonicalize().map_err(unusable(runtime, "runtime_dir"))?;
        let dirs = Self { data, runtime, _locks: [data_lock, runtime_lock] };
        dirs.check_length()?;
        let work = dirs.data.join("work");
        make(&work, 0o711).map_err(unusable(&work, "data_dir"))?;
        let generations = dirs.generations();
        // Nothing that an earlier supervisor left here is of use: its plugins are gone. New ones have names
        // of their own, so what can't be removed is only in the way of the disk.
        remove_or_warn(&generations);
        make(&generations, 0o711).map_err(unusable(&generations, "runtime_dir"))?;
        Ok(dirs)
    }

    /// Imported plugins.
    pub fn store(&self) -> PathBuf {
        store_in(&self.data)
    }

    /// What was granted by command.
    pub fn grants(&self) -> PathBuf {
        grants::file_in(&self.data)
    }

    pub fn control_socket(&self) -> PathBuf {
        control_socket(&self.runtime)
    }

    /// The plugin's own directory, which survives it.
    pub fn work(&self, plugin: &str, user: Option<User>) -> io::Result<PathBuf> {
        let path = self.data.join("work").join(plugin);
        make(&path, 0o700)?;
        give(&path, user)?;
        Ok(path)
    }

    /// Fresh directories for one generation. Never named by a process id: those come round again.
    pub fn generation(&self, user: Option<User>) -> io::Result<GenerationDir> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = self.generations().join(&name[..8]);
        DirBuilder::new().mode(0o700).create(&path)?;
        let dir = GenerationDir { path, user };
        for part in [dir.sockets(), dir.temporary()] {
            DirBuilder::new().mode(0o700).create(&part)?;
            give(&part, user)?;
        }
        DirBuilder::new().mode(0o700).create(dir.host())?;
        dir.admit(&dir.host())?;
        dir.admit(&dir.path)?;
        Ok(dir)
    }

    fn generations(&self) -> PathBuf {
        self.runtime.join("g")
    }

    fn check_length(&self) -> Result<(), DirsError> {
        let longest = self.generations().as_os_str().len() + "/12345678".len() + SOCKET_NAME;
        match longest.checked_sub(LONGEST_SOCKET) {
            None | Some(0) => Ok(()),
            Some(excess) => Err(DirsError::TooLong { path: self.runtime.clone(), excess }),
        }
    }
}

/// Where imported plugins are.
pub fn store_in(data: &Path) -> PathBuf {
    data.join("plugins")
}

/// A data directory that no supervisor uses, until this is dropped.
#[derive(Debug)]
pub struct DataLock {
    _lock: File,
}

impl DataLock {
    pub fn take(data: &Path) -> Result<Self, DirsError> {
        Ok(Self { _lock: open_and_lock(data, "data_dir")? })
    }
}

/// Where the supervisor that uses `runtime` listens for its operators.
pub fn control_socket(runtime: &Path) -> PathBuf {
    runtime.join("control.sock")
}

/// One generation's sockets and temporary files; they go with it.
///
/// What is the plugin's own lies in directories of its user. The rest stays the supervisor's, which a
/// plugin of another user may enter but not change: it must not be able to exchange a file that the
/// supervisor is about to touch.
#[derive(Debug)]
pub struct GenerationDir {
    path: PathBuf,
    user: Option<User>,
}

impl GenerationDir {
    /// For the plugin's own sockets.
    pub fn sockets(&self) -> PathBuf {
        self.path.join("s")
    }

    pub fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// For the supervisor's sockets that the plugin connects to.
    pub fn host(&self) -> PathBuf {
        self.path.join("h")
    }

    fn admit(&self, path: &Path) -> io::Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        std::os::unix::fs::chown(path, None, Some(user.gid))?;
        fs::set_permissions(path, Permissions::from_mode(0o710))
    }
}

impl Drop for GenerationDir {
    fn drop(&mut self) {
        let removal = Removal(std::mem::take(&mut self.path));
        // It may hold as much as the plugin liked.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(removal)));
        }
    }
}

/// Removes a directory when dropped: a runtime that is shutting down drops what it was to run.
struct Removal(PathBuf);

impl Drop for Removal {
    fn drop(&mut self) {
        remove_or_warn(&self.0);
    }
}

fn open_and_lock(path: &Path, key: &'static str) -> Result<File, DirsError> {
    let unusable = |source| DirsError::Unusable { path: path.to_owned(), key, source };
    make(path, 0o711).map_err(unusable)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DirsError::InUse { path: path.to_owned(), key }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Creates `path` if need be. What is there already keeps its mode: it may be somebody else's.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn give(path: &Path, user: Option<User>) -> io::Result<()> {
    match user {
        Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

fn remove_or_warn(path: &Path) {
    // Directories that a plugin made read-only are in the way of removing what is in them.
    if let Err(error) = remove(path).or_else(|_| unprotect(path).and_then(|()| remove(path))) {
        tracing::warn!(path = %path.display(), %error, "could not remove a runtime directory");
    }
}

/// Makes every directory below `dir` writable again. Follows no link.
pub(crate) fn unprotect(dir: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        unprotect(&entry?.path())?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_supervisor_on_the_same_data_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let first = Dirs::open(&data, &dir.path().join("a")).unwrap();
        let second = Dirs::open(&data, &dir.path().join("b"));
        assert!(matches!(second, Err(DirsError::InUse { key: "data_dir", .. })), "{second:?}");
        drop(first);
        Dirs::open(&data, &dir.path().join("b")).unwrap();
    }

    #[test]
    fn a_generation_has_directories_of_its_own_that_go_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::open(&dir.path().join("data"), &dir.path().join("run")).unwrap();
        let (one, two) = (dirs.generation(None).unwrap(), dirs.generation(None).unwrap());
        assert_ne!(one.sockets(), two.sockets());
        let mode = fs::metadata(&one.path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists() && two.path.exists());
    }

    #[test]
    fn a_generations_directory_goes_even_with_the_end_of_the_runtime() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::open(&dir.path().join("data"), &dir.path().join("run")).unwrap();
        let generation = dirs.generation(None).unwrap();
        let path = generation.path.clone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let entered = handle.enter();
        drop(generation);
        drop(entered);
        assert!(!path.exists());
    }

    #[test]
    fn a_runtime_directory_without_room_for_sockets_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("r".repeat(80));
        let refused = Dirs::open(&dir.path().join("data"), &runtime);
        assert!(matches!(refused, Err(DirsError::TooLong { .. })), "{refused:?}");
    }
}
