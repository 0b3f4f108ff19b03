//! What the operator has granted by command: for one version of a plugin each, as a file.

use serde::{Deserialize, Serialize};

use super::{Grants, Groups};
use crate::event::Types;

/// Versions of one plugin that are remembered, so that one can go back to an earlier one.
const VERSIONS: usize = 8;

const HEAD: &str = "# What was granted to plugins besides what outboard.toml says, each to one version.\n\
                    # `outboard plugin grant`, `revoke` and `grants` write and show it.\n";

/// All that was granted by command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The newest of a plugin last.
    entries: Vec<Entry>,
}

/// What one version of a plugin was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The plugin as it was found.
    pub plugin: String,
    /// Of what was imported: SHA-256, 64 hexadecimal digits.
    pub hash: String,
    pub emit: Types,
    pub callbacks: Groups,
    /// When, in RFC 3339.
    pub time: String,
}

/// The file is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; correct the file, or remove it and grant again")]
pub struct LockError {
    message: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "grant")]
    grants: Vec<WrittenEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    plugin: String,
    hash: String,
    callbacks: Vec<String>,
    emit: Vec<String>,
    time: String,
}

impl Lock {
    /// Reads what [`Self::text`] has written.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            LockError { message: format!("line {line}: {}", error.message()) }
        })?;
        let entries = written.grants.into_iter().map(Entry::read).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        let grants = self.entries.iter().map(Entry::written).collect();
        let body = toml::to_string(&Written { grants }).unwrap_or_default();
        format!("{HEAD}\n{body}")
    }

    /// What the version of this hash was given.
    pub fn given(&self, plugin: &str, hash: &str) -> Grants {
        let found = self.find(plugin, hash);
        found.map(Entry::grants).unwrap_or_default()
    }

    /// The version of a plugin that was granted something last.
    pub fn newest(&self, plugin: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.plugin == plugin)
    }

    /// The same of every plugin.
    pub fn newest_of_all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| {
            self.newest(&entry.plugin).is_some_and(|newest| newest.hash == entry.hash)
        })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds to what a version has, and makes it the newest of its plugin.
    pub fn grant(&mut self, mut new: Entry) {
        if let Some(old) = self.find(&new.plugin, &new.hash) {
            new.emit = old.emit.or(&new.emit);
            new.callbacks = old.callbacks.or(&new.callbacks);
        }
        self.entries.retain(|it| it.plugin != new.plugin || it.hash != new.hash);
        self.entries.push(new.clone());
        let of_plugin = self.entries.iter().filter(|it| it.plugin == new.plugin).count();
        let mut surplus = of_plugin.saturating_sub(VERSIONS);
        self.entries.retain(|it| {
            let goes = surplus > 0 && it.plugin == new.plugin;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Takes these from every version of a plugin; says whether any had one of them.
    pub fn revoke(&mut self, plugin: &str, taken: &Grants) -> bool {
        let before = self.entries.clone();
        for entry in self.entries.iter_mut().filter(|entry| entry.plugin == plugin) {
            entry.callbacks = entry.callbacks.without(&taken.callbacks);
            entry.emit = entry.emit.without(&taken.emit);
        }
        self.entries.retain(|entry| !entry.grants().is_empty());
        self.entries != before
    }

    /// Takes all from every version of a plugin; says whether any had something.
    pub fn revoke_all(&mut self, plugin: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.plugin != plugin);
        self.entries.len() != before
    }

    fn find(&self, plugin: &str, hash: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.plugin == plugin && entry.hash == hash)
    }
}

impl Entry {
    /// Listening beyond loopback is none of them: only `outboard.toml` gives that.
    pub fn grants(&self) -> Grants {
        Grants { remote_tcp: false, emit: self.emit.clone(), callbacks: self.callbacks.clone() }
    }

    fn read(written: WrittenEntry) -> Result<Self, LockError> {
        let WrittenEntry { plugin, hash, callbacks, emit, time } = written;
        let wrong = |message| LockError { message: format!("plugin {plugin:?}: {message}") };
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong(format!("{hash:?} is not a hash")));
        }
        let callbacks = Groups::read(&callbacks).map_err(wrong)?;
        let emit = Types::new(&emit).map_err(wrong)?;
        Ok(Self { plugin, hash, emit, callbacks, time })
    }

    fn written(&self) -> WrittenEntry {
        WrittenEntry {
            plugin: self.plugin.clone(),
            hash: self.hash.clone(),
            callbacks: self.callbacks.words().into_iter().map(str::to_owned).collect(),
            emit: self.emit.patterns().collect(),
            time: self.time.clone(),
        }
    }
}
