//! The file of what was granted by command.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use outboard_core::grant::{Lock, LockError};

const FILE_NAME: &str = "grants.toml";

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path}: {source}; make it readable and writable for the supervisor, and nobody else")]
    Unusable { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Malformed { path: PathBuf, source: LockError },
}

/// Where it is.
pub fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// Nothing was granted where there is none.
pub fn read(path: &Path) -> Result<Lock, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Lock::parse(&text)
            .map_err(|source| FileError::Malformed { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(source) => Err(FileError::Unusable { path: path.to_owned(), source }),
    }
}

/// All or nothing, and on disk when it returns. The caller holds the data directory's lock.
pub fn write(path: &Path, lock: &Lock) -> Result<(), FileError> {
    replace(path, &lock.text())
        .map_err(|source| FileError::Unusable { path: path.to_owned(), source })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
