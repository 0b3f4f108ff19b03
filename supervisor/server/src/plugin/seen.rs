//! What was imported from where, so that files untouched since are not read again, and the copy before
//! the newest stays to go back to.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Tells a file from one that was changed or replaced, without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    name: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(name: &Path, metadata: &Metadata) -> Self {
        Self {
            name: name.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Seen {
    file: PathBuf,
    sources: BTreeMap<PathBuf, Import>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Import {
    hash: String,
    previous: Option<String>,
    stamps: Vec<Stamp>,
}

impl Seen {
    /// A file that is missing or unreadable costs only time: everything is hashed again.
    pub(super) fn load(file: PathBuf) -> Self {
        let sources = fs::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self { file, sources }
    }

    pub(super) fn save(&self) -> io::Result<()> {
        let temporary = self.file.with_extension("new");
        fs::write(&temporary, serde_json::to_vec(&self.sources)?)?;
        fs::rename(&temporary, &self.file)
    }

    pub(super) fn hash_of(&self, source: &Path, stamps: &[Stamp]) -> Option<&str> {
        let import = self.sources.get(source)?;
        (import.stamps == stamps).then_some(import.hash.as_str())
    }

    pub(super) fn remember(&mut self, source: &Path, stamps: Vec<Stamp>, hash: &str) {
        let before = self.sources.remove(source);
        let previous =
            before.and_then(
                |import| {
                    if import.hash == hash { import.previous } else { Some(import.hash) }
                },
            );
        let import = Import { hash: hash.to_owned(), previous, stamps };
        self.sources.insert(source.to_owned(), import);
    }

    /// Whether `hash` is the newest import of some source, or the one before.
    pub(super) fn keeps(&self, hash: &str) -> bool {
        self.sources
            .values()
            .any(|import| import.hash == hash || import.previous.as_deref() == Some(hash))
    }
}
