//! Copies a plugin's files into the store and names the copy by its hash, so that what was verified is
//! what runs: an upgrade that is half copied, or a file changed in place, can't reach a running plugin.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, Digest, SHA256};

use super::seen::{Seen, Stamp};
use crate::dirs;

/// Read size while copying.
const CHUNK: usize = 128 * 1024;

/// A plugin's files in the store, exactly as hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// SHA-256 over the names, modes and contents, in hexadecimal.
    pub hash: String,
    /// `<data>/plugins/<hash>`.
    pub dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(
        "{path}: {source}; make the file readable for the supervisor, or leave it out of `files`"
    )]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path}: links to {target}, out of the plugin's directory or back to a directory above it; copy the files instead"
    )]
    LeavesDirectory { path: PathBuf, target: PathBuf },
    #[error(
        "{path}: neither a file, a directory nor a link; remove it from the plugin's directory"
    )]
    Special { path: PathBuf },
    #[error("{path}: changed while it was copied; it is tried again with the next reload")]
    Changed { path: PathBuf },
    #[error(
        "plugin store {path}: {source}; check the space and the permissions of the data directory"
    )]
    Store { path: PathBuf, source: io::Error },
}

/// The plugins that were imported, in `<data>/plugins`.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    seen: Seen,
}

/// What to import: files below one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub root: PathBuf,
    /// Relative to `root`; a directory stands for everything below it.
    pub files: Vec<PathBuf>,
}

impl Source {
    /// Tells it from others: many lone files share one directory.
    fn key(&self) -> PathBuf {
        match self.files.as_slice() {
            [only] => self.root.join(clean(only)),
            _ => self.root.clone(),
        }
    }
}

impl Store {
    /// Opens the store and clears what an interrupted import left.
    pub fn open(root: PathBuf) -> Result<Self, ImportError> {
        let at = |source| ImportError::Store { path: root.clone(), source };
        fs::create_dir_all(&root).map_err(at)?;
        fs::set_permissions(&root, Permissions::from_mode(0o711)).map_err(at)?;
        for entry in fs::read_dir(&root).map_err(at)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                remove_tree(&entry.path()).map_err(at)?;
            }
        }
        let seen = Seen::load(root.join("seen.json"));
        Ok(Self { root, seen })
    }

    /// Imports `source`, unless its files are those of an earlier import, untouched since.
    pub fn import(&mut self, source: &Source) -> Result<Imported, ImportError> {
        let files = list(source)?;
        let stamps = stamps(&files)?;
        if let Some(hash) = self.seen.hash_of(&source.key(), &stamps) {
            let dir = self.root.join(hash);
            if dir.is_dir() {
                return Ok(Imported { hash: hash.to_owned(), dir });
            }
        }
        let imported = self.copy(&files, &stamps)?;
        self.seen.remember(&source.key(), stamps, &imported.hash);
        Ok(imported)
    }

    /// An earlier copy, if it is still there.
    pub fn find(&self, hash: &str) -> Option<Imported> {
        let dir = self.root.join(hash);
        dir.is_dir().then(|| Imported { hash: hash.to_owned(), dir })
    }

    /// Writes down what was imported from where, for the next start of the supervisor.
    pub fn save(&self) -> Result<(), ImportError> {
        self.seen.save().map_err(|source| ImportError::Store { path: self.root.clone(), source })
    }

    /// Removes the copies that no source has had as its newest or the one before.
    pub fn collect(&self, running: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_copy = entry.path().is_dir();
            if is_copy && !running.contains(&name) && !self.seen.keeps(&name) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(())
    }

    fn copy(&self, files: &[Entry], before: &[Stamp]) -> Result<Imported, ImportError> {
        let at = |path: &Path, source| ImportError::Store { path: path.to_owned(), source };
        let staging = self.root.join(format!("{TEMPORARY}{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&staging).map_err(|error| at(&staging, error))?;
        let copied = copy_all(files, before, &staging);
        let hash = match copied {
            Ok(hash) => hash,
            Err(error) => {
                // The import has failed already; what is left is cleared at the next start as well.
                let _ = remove_tree(&staging);
                return Err(error);
            }
        };
        let dir = self.root.join(&hash);
        if dir.is_dir() {
            remove_tree(&staging).map_err(|error| at(&staging, error))?;
        } else {
            fs::rename(&staging, &dir).map_err(|error| at(&dir, error))?;
            protect(&dir).map_err(|error| at(&dir, error))?;
        }
        Ok(Imported { hash, dir })
    }
}

const TEMPORARY: &str = "importing-";

/// One file to copy: where it is, and its name in the store.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    name: PathBuf,
}

fn list(source: &Source) -> Result<Vec<Entry>, ImportError> {
    let root = fs::canonicalize(&source.root)
        .map_err(|error| ImportError::Read { path: source.root.clone(), source: error })?;
    let mut entries = Vec::new();
    for file in &source.files {
        let name = clean(file);
        let above: &[PathBuf] =
            if name.as_os_str().is_empty() { &[] } else { std::slice::from_ref(&root) };
        walk(above, &root.join(&name), &name, &mut entries)?;
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries.dedup_by(|a, b| a.name == b.name);
    Ok(entries)
}

/// `above` are the directories on the way down, so that a link to one of them does not go round for ever.
fn walk(
    above: &[PathBuf],
    path: &Path,
    name: &Path,
    into: &mut Vec<Entry>,
) -> Result<(), ImportError> {
    let read = |source| ImportError::Read { path: path.to_owned(), source };
    let target = fs::canonicalize(path).map_err(read)?;
    let is_inside = above.first().is_none_or(|root| target.starts_with(root));
    if !is_inside || above.contains(&target) {
        return Err(ImportError::LeavesDirectory { path: path.to_owned(), target });
    }
    let metadata = fs::metadata(&target).map_err(read)?;
    if metadata.is_file() {
        into.push(Entry { path: target, name: name.to_owned() });
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(ImportError::Special { path: path.to_owned() });
    }
    let above: Vec<PathBuf> = above.iter().cloned().chain([target.clone()]).collect();
    for entry in fs::read_dir(&target).map_err(read)? {
        let child: OsString = entry.map_err(read)?.file_name();
        walk(&above, &target.join(&child), &name.join(&child), into)?;
    }
    Ok(())
}

/// Without `.` segments, so that `.` itself names nothing.
fn clean(name: &Path) -> PathBuf {
    name.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

fn stamps(files: &[Entry]) -> Result<Vec<Stamp>, ImportError> {
    files
        .iter()
        .map(|entry| {
            let read = |source| ImportError::Read { path: entry.path.clone(), source };
            let metadata = fs::metadata(&entry.path).map_err(read)?;
            Ok(Stamp::of(&entry.name, &metadata))
        })
        .collect()
}

/// Copies, hashing the very bytes that are written.
fn copy_all(files: &[Entry], before: &[Stamp], to: &Path) -> Result<String, ImportError> {
    let mut whole = Context::new(&SHA256);
    for (entry, stamp) in files.iter().zip(before) {
        let file = copy_one(entry, stamp, &to.join(&entry.name))?;
        whole.update(file.as_ref());
    }
    let mut hash = String::with_capacity(64);
    for byte in whole.finish().as_ref() {
        // Writing to a string can't fail.
        let _ = write!(hash, "{byte:02x}");
    }
    Ok(hash)
}

fn copy_one(entry: &Entry, stamp: &Stamp, to: &Path) -> Result<Digest, ImportError> {
    let read = |source| ImportError::Read { path: entry.path.clone(), source };
    let store = |source| ImportError::Store { path: to.to_owned(), source };
    let mut from = File::open(&entry.path).map_err(read)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(store)?;
    }
    let metadata = from.metadata().map_err(read)?;
    let is_executable = metadata.mode() & 0o111 != 0;
    let mut digest = Context::new(&SHA256);
    // Lengths first, so that no two different trees have the same bytes.
    let name = entry.name.as_os_str().as_encoded_bytes();
    digest.update(&(name.len() as u64).to_be_bytes());
    digest.update(name);
    digest.update(&[u8::from(is_executable)]);
    let mut copy = File::create_new(to).map_err(store)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).map_err(read)?;
        if count == 0 {
            break;
        }
        digest.update(&chunk[..count]);
        copy.write_all(&chunk[..count]).map_err(store)?;
    }
    // Before the copy gets its name: after a loss of power, a name must not stand for less than its hash.
    copy.sync_all().map_err(store)?;
    let mode = if is_executable { 0o555 } else { 0o444 };
    copy.set_permissions(Permissions::from_mode(mode)).map_err(store)?;
    let after = fs::metadata(&entry.path).map_err(read)?;
    if Stamp::of(&entry.name, &after) != *stamp {
        return Err(ImportError::Changed { path: entry.path.clone() });
    }
    Ok(digest.finish())
}

/// Directories become read-only last: nothing could be created in them otherwise.
fn protect(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            protect(&path)?;
        }
    }
    fs::set_permissions(dir, Permissions::from_mode(0o555))
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    dirs::unprotect(dir)?;
    fs::remove_dir_all(dir)
}

#[cfg(test)]
mod tests;
