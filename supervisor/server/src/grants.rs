//! Which plugin may call what: `core::grant` decides, and this keeps what was decided at hand for every call.
//!
//! What `outboard plugin grant` gives is kept in a file of the data directory, whose lock this process holds.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use outboard_core::grant::{Decision, Entry, Grants, Group, Lock};

pub use file::{FileError, file_in, read, write};

/// All that was given, and everybody who goes by it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Given(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By outboard.toml, for each plugin as it was found.
    operator: BTreeMap<String, Grants>,
    /// By command.
    lock: Lock,
    badges: Vec<Weak<Badge>>,
}

/// What one version of a plugin may do. It changes as soon as something is granted or revoked.
pub struct Badge {
    plugin: String,
    hash: String,
    asked: Grants,
    decision: ArcSwap<Decision>,
    /// What of it the gateway asks with each request, so that it costs that nothing.
    uses_handles: AtomicBool,
    is_same_origin: AtomicBool,
}

impl Given {
    /// Reads the file, if there is one.
    pub fn open(file: PathBuf) -> Result<Self, FileError> {
        let known = Known { lock: read(&file)?, ..Known::default() };
        Ok(Self(Arc::new(Shared { file, known: Mutex::new(known) })))
    }

    /// Takes over what outboard.toml gives now, and reads the file again.
    pub fn reload(&self, operator: BTreeMap<String, Grants>) -> Result<(), FileError> {
        let lock = read(&self.0.file)?;
        let mut known = self.known();
        known.operator = operator;
        known.lock = lock;
        known.renew();
        Ok(())
    }

    /// What a version that asks for this may do.
    pub fn decide(&self, plugin: &str, hash: &str, asked: &Grants) -> Decision {
        self.known().decide(plugin, hash, asked)
    }

    /// The same, kept up to date.
    pub fn badge(&self, plugin: &str, hash: &str, asked: &Grants) -> Arc<Badge> {
        let mut known = self.known();
        let decision = known.decide(plugin, hash, asked);
        let badge = Badge::new(plugin, hash, asked.clone(), decision);
        known.badges.retain(|badge| badge.strong_count() > 0);
        known.badges.push(Arc::downgrade(&badge));
        badge
    }

    /// What was given by command.
    pub fn lock(&self) -> Lock {
        self.known().lock.clone()
    }

    /// Gives more to one version. It counts when it is on disk.
    pub fn grant(&self, entry: Entry) -> Result<(), FileError> {
        self.change(|lock| lock.grant(entry))
    }

    /// Takes these, or everything, from all versions of a plugin; says whether any had some.
    pub fn revoke(&self, plugin: &str, taken: Option<&Grants>) -> Result<bool, FileError> {
        self.change(|lock| match taken {
            Some(taken) => lock.revoke(plugin, taken),
            None => lock.revoke_all(plugin),
        })
    }

    /// The lock is held while it is written, so that two changes are written in the order they were made.
    fn change<T>(&self, change: impl FnOnce(&mut Lock) -> T) -> Result<T, FileError> {
        let mut known = self.known();
        let mut lock = known.lock.clone();
        let answer = change(&mut lock);
        write(&self.0.file, &lock)?;
        known.lock = lock;
        known.renew();
        Ok(answer)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn decide(&self, plugin: &str, hash: &str, asked: &Grants) -> Decision {
        let nothing = Grants::default();
        let operator = self.operator.get(plugin).unwrap_or(&nothing);
        Decision::of(asked, plugin, hash, operator, &self.lock)
    }

    fn renew(&self) {
        for badge in self.badges.iter().filter_map(Weak::upgrade) {
            let decision = self.decide(&badge.plugin, &badge.hash, &badge.asked);
            badge.renew(decision);
        }
    }
}

impl Badge {
    /// Of somebody who was given just this, whatever plugins there are: for whoever brings none along.
    pub fn fixed(granted: Grants) -> Arc<Self> {
        let asked = granted.clone();
        let decision = Decision { granted, missing: Grants::default() };
        Self::new("", "", asked, decision)
    }

    fn new(plugin: &str, hash: &str, asked: Grants, decision: Decision) -> Arc<Self> {
        let badge = Self {
            plugin: plugin.to_owned(),
            hash: hash.to_owned(),
            asked,
            decision: ArcSwap::from_pointee(Decision::default()),
            uses_handles: AtomicBool::new(false),
            is_same_origin: AtomicBool::new(false),
        };
        badge.renew(decision);
        Arc::new(badge)
    }

    fn renew(&self, decision: Decision) {
        let callbacks = &decision.granted.callbacks;
        self.uses_handles.store(callbacks.iter().any(Group::uses_handles), Ordering::Relaxed);
        self.is_same_origin.store(callbacks.has(Group::SameOrigin), Ordering::Relaxed);
        self.decision.store(Arc::new(decision));
    }

    /// Whether requests get a handle: some group can do something with it.
    pub fn uses_handles(&self) -> bool {
        self.uses_handles.load(Ordering::Relaxed)
    }

    /// Whether its pages are on the host's own origin.
    pub fn is_same_origin(&self) -> bool {
        self.is_same_origin.load(Ordering::Relaxed)
    }

    pub fn has(&self, group: Group) -> bool {
        self.decision.load().granted.callbacks.has(group)
    }

    /// Whether its manifest asks for it at all.
    pub fn asks(&self, group: Group) -> bool {
        self.asked.callbacks.has(group)
    }

    /// What it asks for and was not given.
    pub fn missing(&self) -> Grants {
        self.decision.load().missing.clone()
    }

    /// Whether it may announce events of this type.
    pub fn emits(&self, kind: &str) -> bool {
        self.decision.load().granted.emit.matches(kind)
    }
}

impl fmt::Debug for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, decision, .. } = self;
        let decision = decision.load();
        f.debug_struct("Badge")
            .field("plugin", plugin)
            .field("decision", &decision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
