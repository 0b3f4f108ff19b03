//! New versions that wait for a grant while the one before serves, and what operators grant.

use std::time::SystemTime;

use futures_util::future::join_all;
use outboard_core::event::Types;
use outboard_core::grant::{self, Decision, Grants, Groups};
use outboard_core::lifecycle::State;
use outboard_proto::admin::v1 as admin;

use super::unit::Unit;
use super::{ControlError, Entry, Plugins, entry};

/// A version that takes over as soon as it is given what it lacks.
#[derive(Debug)]
pub(super) struct Waiting {
    unit: Box<Unit>,
    missing: Grants,
}

/// What somebody gives or takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    These(Grants),
}

impl Wanted {
    /// Reads words; `all` goes before them.
    pub fn read(all: bool, callbacks: &[String], emit: &[String]) -> Result<Self, String> {
        if all {
            return Ok(Self::All);
        }
        let (callbacks, emit) = (Groups::read(callbacks)?, Types::new(emit)?);
        let grants = Grants { callbacks, emit, remote_tcp: false };
        if grants.is_empty() {
            return Err(
                "name groups of calls or types of events, or say that you mean all".to_owned()
            );
        }
        Ok(Self::These(grants))
    }

    /// What of that is to be given to a version that asks for `asked`; refused if it asks for less.
    pub fn given_to(self, plugin: &str, asked: &Grants) -> Result<Grants, String> {
        let asked = Grants { remote_tcp: false, ..asked.clone() };
        let wanted = match self {
            Self::All if asked.is_empty() => {
                return Err(format!("plugin {plugin:?} asks for nothing"));
            }
            Self::All => return Ok(asked),
            Self::These(wanted) => wanted,
        };
        let surplus = wanted.without(&asked);
        if surplus.is_empty() {
            return Ok(wanted);
        }
        let asked = if asked.is_empty() { "nothing".to_owned() } else { asked.words().join(", ") };
        Err(format!(
            "plugin {plugin:?} does not ask for {}; its plugin.toml asks for {asked}, and more would mean nothing",
            surplus.words().join(", ")
        ))
    }
}

/// An entry of the lock, as of now.
pub fn lock_entry(plugin: &str, hash: &str, grants: Grants) -> grant::Entry {
    grant::Entry {
        plugin: plugin.to_owned(),
        hash: hash.to_owned(),
        emit: grants.emit,
        callbacks: grants.callbacks,
        time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    }
}

impl Plugins {
    /// What is to run of this key: `unit`, unless it has to wait. Then what serves goes on, and is what is given back.
    pub(super) fn hold_back(&self, entry: &mut Entry, unit: Unit) -> Unit {
        let before = entry.waiting.take();
        let Some(missing) = self.waits_for(entry, &unit) else { return unit };
        let is_known =
            before.is_some_and(|it| it.missing == missing && it.unit.hash() == unit.hash());
        if !is_known {
            warn(&unit, &missing);
        }
        let serving = Unit { is_enabled: unit.is_enabled, ..entry.handle.known() };
        entry.waiting = Some(Waiting { unit: Box::new(unit), missing });
        serving
    }

    /// What is to be begun with: the version that was granted last, if it is to serve until `unit` is granted more.
    pub(super) fn fall_back(&self, mut unit: Unit) -> (Unit, Option<Waiting>) {
        let Some(before) = unit.before.take() else { return (unit, None) };
        let missing = self.decide(&unit).map(|decision| decision.missing).unwrap_or_default();
        warn(&unit, &missing);
        let serving = Unit { installed: Ok(*before), ..unit.clone() };
        (serving, Some(Waiting { unit: Box::new(unit), missing }))
    }

    fn waits_for(&self, entry: &Entry, unit: &Unit) -> Option<Grants> {
        let is_settled = entry.upgrade.is_none() && unit.is_enabled;
        // What does not run any more keeps nobody waiting.
        let is_over = matches!(entry.handle.status().state, State::Stopped | State::Failed);
        if !is_settled || is_over || entry.handle.runs_like(unit) {
            return None;
        }
        let (serving, new) = (self.decide(&entry.handle.known())?, self.decide(unit)?);
        new.waits_behind(&serving).then_some(new.missing)
    }

    fn decide(&self, unit: &Unit) -> Option<Decision> {
        let installed = unit.installed.as_ref().ok()?;
        let hash = &installed.imported.hash;
        Some(self.context.given.decide(&unit.plugin, hash, &installed.manifest.grants))
    }

    /// What every plugin asks for and has been given.
    pub fn grants(&self) -> Vec<admin::PluginGrants> {
        let entries = self.entries();
        entries.iter().map(|(key, entry)| self.describe_grants(key, entry)).collect()
    }

    /// Gives a plugin some of what it asks for; comes back when what waited for that serves.
    pub async fn grant(
        &self,
        name: &str,
        wanted: Wanted,
    ) -> Result<admin::PluginGrants, ControlError> {
        let failed = |message| ControlError::Failed { message };
        let unit = self.next_unit(name)?;
        let installed = unit.installed.as_ref().map_err(|problem| failed(problem.clone()))?;
        let grants = wanted.given_to(&unit.plugin, &installed.manifest.grants).map_err(failed)?;
        let entry = lock_entry(&unit.plugin, unit.hash(), grants);
        let written = tokio::task::block_in_place(|| self.context.given.grant(entry));
        written.map_err(|error| failed(error.to_string()))?;
        self.go_on(&unit.plugin).await;
        let now = self.describe_one(name).ok_or_else(|| self.not_found(name))?;
        if now.waiting.is_none() && now.hash != unit.hash() {
            return Err(failed(format!(
                "granted, but version {:.12} could not take over, and the one before serves on; `outboard plugin list` says \
                 why",
                unit.hash()
            )));
        }
        Ok(now)
    }

    /// Takes from a plugin what was given by command. `None`: it is no longer there.
    pub fn revoke(
        &self,
        name: &str,
        wanted: &Wanted,
    ) -> Result<Option<admin::PluginGrants>, ControlError> {
        let plugin = self.next_unit(name).map_or_else(|_| name.to_owned(), |unit| unit.plugin);
        let is_there = self.describe_one(name).is_some();
        let lock = self.context.given.lock();
        if !is_there && !lock.entries().iter().any(|entry| entry.plugin == plugin) {
            return Err(self.not_found(name));
        }
        let taken = match wanted {
            Wanted::All => None,
            Wanted::These(grants) => Some(grants),
        };
        let written = tokio::task::block_in_place(|| self.context.given.revoke(&plugin, taken));
        written.map_err(|error| ControlError::Failed { message: error.to_string() })?;
        Ok(self.describe_one(name))
    }

    /// The version that waits, else the one that there is.
    fn next_unit(&self, name: &str) -> Result<Unit, ControlError> {
        let entries = self.entries();
        let entry = entry(&entries, name)?;
        let waiting = entry.waiting.as_ref().map(|waiting| (*waiting.unit).clone());
        Ok(waiting.unwrap_or_else(|| entry.handle.known()))
    }

    /// Lets those take over that have waited and lack nothing any more.
    async fn go_on(&self, plugin: &str) {
        let mut settling = Vec::new();
        {
            let mut entries = self.entries();
            let is_waiting =
                |entry: &Entry| entry.handle.plugin() == plugin && entry.waiting.is_some();
            let keys = entries.iter().filter(|(_, entry)| is_waiting(entry));
            for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                let Some(mut entry) = entries.remove(&key) else { continue };
                let waiting = entry.waiting.as_ref().map(|waiting| (*waiting.unit).clone());
                if let Some(unit) = waiting {
                    let unit = self.hold_back(&mut entry, unit);
                    entry = self.bring_up_to_date(entry, unit, &mut settling);
                }
                entries.insert(key, entry);
            }
        }
        join_all(settling).await;
    }

    fn describe_one(&self, name: &str) -> Option<admin::PluginGrants> {
        let entries = self.entries();
        let is_it = |key: &str, entry: &Entry| key == name || entry.handle.status().name == name;
        let (key, entry) = entries.iter().find(|(key, entry)| is_it(key, entry))?;
        Some(self.describe_grants(key, entry))
    }

    fn describe_grants(&self, key: &str, entry: &Entry) -> admin::PluginGrants {
        let unit = entry.handle.known();
        let decision = self.decide(&unit).unwrap_or_default();
        let asked = unit.installed.as_ref().map(|it| it.manifest.grants.words());
        admin::PluginGrants {
            name: key.to_owned(),
            hash: unit.hash().to_owned(),
            asked: asked.unwrap_or_default(),
            granted: decision.granted.words(),
            missing: decision.missing.words(),
            waiting: entry.waiting.as_ref().map(Waiting::describe),
        }
    }

    fn not_found(&self, name: &str) -> ControlError {
        let known = self.entries().keys().cloned().collect();
        ControlError::NotFound { name: name.to_owned(), known }
    }
}

fn warn(unit: &Unit, missing: &Grants) {
    let (plugin, missing) = (&unit.plugin, missing.words().join(", "));
    tracing::warn!(
        plugin = unit.key,
        missing,
        "a new version waits for a grant, and the one before serves on: run `outboard plugin grant {plugin} --all`, or name \
         what you grant"
    );
}

impl Waiting {
    pub(super) fn describe(&self) -> admin::WaitingVersion {
        admin::WaitingVersion { hash: self.unit.hash().to_owned(), missing: self.missing.words() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(callbacks: &[&str], emit: &[&str]) -> Grants {
        let (callbacks, emit) = (Groups::read(callbacks).unwrap(), Types::new(emit).unwrap());
        Grants { callbacks, emit, remote_tcp: false }
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn somebody_gives_something_or_all_but_not_nothing() {
        let read = |all, callbacks: &[&str], emit: &[&str]| {
            Wanted::read(all, &texts(callbacks), &texts(emit))
        };
        assert_eq!(read(true, &["storage"], &[]), Ok(Wanted::All));
        assert_eq!(
            read(false, &["storage"], &["a.*"]),
            Ok(Wanted::These(grants(&["storage"], &["a.*"])))
        );
        assert!(read(false, &[], &[]).unwrap_err().contains("all"));
        assert!(read(false, &["storrage"], &[]).unwrap_err().contains("did you mean \"storage\""));
        assert!(read(false, &[], &["a b"]).is_err());
    }

    #[test]
    fn nobody_is_given_what_they_do_not_ask_for() {
        let asked = Grants { remote_tcp: true, ..grants(&["storage", "locks"], &["a.*"]) };
        let given = |wanted: Wanted| wanted.given_to("p", &asked);
        assert_eq!(given(Wanted::All), Ok(grants(&["storage", "locks"], &["a.*"])));
        let some = grants(&["locks"], &["a.b"]);
        assert_eq!(given(Wanted::These(some.clone())), Ok(some));
        let error = given(Wanted::These(grants(&["users.read", "locks"], &["b"]))).unwrap_err();
        assert!(error.contains("does not ask for users.read, emit b;"), "{error}");
        assert!(
            Wanted::All.given_to("p", &Grants::default()).unwrap_err().contains("asks for nothing")
        );
    }
}
