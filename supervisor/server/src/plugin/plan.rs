//! From a directory and a configuration to the units to drive.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use outboard_core::config::{Config, PluginEntry, SecretSource};
use outboard_core::grant::Grants;
use outboard_core::manifest::{self, Manifest};
use outboard_jail::User;

use super::discover::{Candidate, Found, discover, look_for};
use super::import::{Imported, Store};
use super::instance::InstanceSpec;
use super::program::Program;
use super::unit::{Installed, Share, Unit};
use crate::environment::Environment;
use crate::grants::Given;

/// Finds, imports and resolves all plugins. What is wrong with one of them is that unit's own business;
/// an error is about the directory.
pub fn plan(
    config: &Config,
    instances: &BTreeMap<String, Vec<InstanceSpec>>,
    store: &mut Store,
    given: &Given,
    environment: &Environment,
) -> io::Result<Vec<Unit>> {
    let candidates = candidates(config)?;
    report_missing(config, instances, &candidates);
    let mut units: Vec<Unit> = Vec::new();
    for candidate in candidates {
        let entry =
            config.plugin_entries.iter().find(|entry| entry.name.as_str() == candidate.name);
        if let Some(other) = units.iter_mut().find(|unit| unit.plugin == candidate.name) {
            other.installed = Err(format!(
                "{} has the same name as another plugin; rename or remove one of them",
                candidate.path.display()
            ));
            continue;
        }
        let installed = install(&candidate, config, entry, store, environment)
            .map_err(|error| format!("{}: {error}", candidate.path.display()));
        let before = installed.as_ref().ok().and_then(|new| {
            let imported = before(&candidate.name, new, store, given)?;
            granted_before(&candidate, new, &imported, given, |found, imported| {
                resolve(found, imported, config, entry, environment)
            })
        });
        let is_idle = candidate.found.as_ref().is_ok_and(|found| is_idle(&found.manifest, config));
        let is_enabled = !is_idle && entry.is_none_or(|entry| entry.is_enabled);
        let configured = instances.get(&candidate.name).map_or(&[][..], Vec::as_slice);
        units.extend(shares(configured).into_iter().map(|share| Unit {
            key: key(&candidate.name, &share),
            plugin: candidate.name.clone(),
            installed: installed.clone(),
            before: before.clone().map(Box::new),
            share,
            is_enabled,
        }));
    }
    if let Err(error) = store.save() {
        tracing::warn!(%error, "the next start of the supervisor reads all plugins again");
    }
    Ok(units)
}

/// What there is to start, for whoever only looks.
#[derive(Clone, Debug)]
pub struct Version {
    /// The plugin as it was found.
    pub plugin: String,
    /// Its hash and what it asks for, or why it can't be run.
    pub found: Result<(String, Grants), String>,
}

/// Finds and imports all plugins, and starts none. An error is about the directory.
pub fn versions(config: &Config, store: &mut Store) -> io::Result<Vec<Version>> {
    let candidates = candidates(config)?;
    let versions = candidates.into_iter().map(|candidate| {
        let found = candidate.found.and_then(|found| {
            let imported = store.import(&found.source).map_err(|error| error.to_string())?;
            Ok((imported.hash, found.manifest.grants))
        });
        Version { plugin: candidate.name, found }
    });
    let versions = versions.collect();
    store.save().map_err(io::Error::other)?;
    Ok(versions)
}

/// Those of the directory, and those that the operator names by a path, which may lead into the directory.
fn candidates(config: &Config) -> io::Result<Vec<Candidate>> {
    let elsewhere: Vec<_> = config.plugin_entries.iter().filter_map(look_for).collect();
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let paths: Vec<_> = elsewhere.iter().map(|candidate| real(&candidate.path)).collect();
    let here = discover(&config.plugins)?.into_iter();
    let here = here.filter(|candidate| !paths.contains(&real(&candidate.path)));
    Ok(here.chain(elsewhere).collect())
}

/// Where nobody is asked who somebody is, a plugin that is there for that is not started, unless it is a
/// notifier as well.
fn is_idle(manifest: &Manifest, config: &Config) -> bool {
    !config.auth.enabled && manifest.authenticate && manifest.notify.is_none()
}

/// One process for all, and one more for each instance that wants its own.
fn shares(configured: &[InstanceSpec]) -> Vec<Share> {
    let isolated = configured.iter().filter(|spec| spec.isolate);
    let mut shares: Vec<_> = isolated.map(|spec| Share::Isolated(spec.name.clone())).collect();
    if configured.is_empty() || configured.len() > shares.len() {
        shares.insert(0, Share::Common);
    }
    shares
}

fn key(plugin: &str, share: &Share) -> String {
    match share {
        Share::Common => plugin.to_owned(),
        Share::Isolated(instance) => format!("{plugin}@{instance}"),
    }
}

fn install(
    candidate: &Candidate,
    config: &Config,
    entry: Option<&PluginEntry>,
    store: &mut Store,
    environment: &Environment,
) -> Result<Installed, String> {
    let found = candidate.found.clone()?;
    let imported = store.import(&found.source).map_err(|error| error.to_string())?;
    resolve(found, imported, config, entry, environment)
}

/// What was imported, ready to be started.
fn resolve(
    found: Found,
    imported: Imported,
    config: &Config,
    entry: Option<&PluginEntry>,
    environment: &Environment,
) -> Result<Installed, String> {
    let program = Program::resolve(&found, &imported.dir, environment.path())?;
    refuse_secrets(&found.manifest, config)?;
    let user = user(&found.manifest, entry)?;
    let may_listen = entry.is_some_and(|entry| entry.grants.remote_tcp);
    let env = entry.iter().flat_map(|entry| &entry.env);
    let Found { manifest, lone, .. } = found;
    Ok(Installed {
        remote_tcp: manifest.grants.remote_tcp && may_listen,
        manifest,
        imported,
        program,
        is_lone: lone.is_some(),
        env: env.map(|(name, value)| (name.into(), value.into())).collect(),
        user,
    })
}

/// The copy that was granted something last, where this version is another one.
fn before(plugin: &str, new: &Installed, store: &Store, given: &Given) -> Option<Imported> {
    let hash = given.lock().newest(plugin)?.hash.clone();
    if hash == new.imported.hash { None } else { store.find(&hash) }
}

/// The version that was granted last, where `new` lacks something that that one has, or asks for more: after a new
/// start of the supervisor it serves on just as it did before.
fn granted_before(
    candidate: &Candidate,
    new: &Installed,
    imported: &Imported,
    given: &Given,
    resolve: impl FnOnce(Found, Imported) -> Result<Installed, String>,
) -> Option<Installed> {
    let file = imported.dir.join(manifest::FILE_NAME);
    let text = std::fs::read_to_string(&file).ok()?;
    let manifest = Manifest::parse(&file.display().to_string(), &text).ok()?;
    let decide = |hash: &str, asked: &Grants| given.decide(&candidate.name, hash, asked);
    let serving = decide(&imported.hash, &manifest.grants);
    let waits = decide(&new.imported.hash, &new.manifest.grants).waits_behind(&serving);
    let source = candidate.found.as_ref().ok()?.source.clone();
    if !waits || manifest.name.as_str() != candidate.name {
        return None;
    }
    resolve(Found { manifest, source, lone: None }, imported.clone()).ok()
}

/// A secret reaches a plugin by an instance's parameters, which the operator writes, or not at all.
fn refuse_secrets(manifest: &Manifest, config: &Config) -> Result<(), String> {
    let is_secret = |name: &&String| {
        let keeps = |it: &SecretSource| matches!(it, SecretSource::Variable(kept) if kept == *name);
        config.secrets.values().any(keeps)
    };
    match manifest.env.iter().find(is_secret) {
        Some(name) => Err(format!(
            "plugin.toml passes on {name}, which [secrets] keeps; remove it from `env`, and refer to the \
             secret in the parameters of an [[instance]]"
        )),
        None => Ok(()),
    }
}

/// The operator's word goes before the author's.
fn user(manifest: &Manifest, entry: Option<&PluginEntry>) -> Result<Option<User>, String> {
    let name = entry.and_then(|entry| entry.user.as_ref()).or(manifest.user.as_ref());
    let Some(name) = name else { return Ok(None) };
    if !nix::unistd::geteuid().is_root() {
        return Err(format!(
            "user = {name:?} needs a supervisor that runs as root; start it so, or remove `user`"
        ));
    }
    match account(name) {
        Ok(Some(user)) => Ok(Some(User { uid: user.uid.as_raw(), gid: user.gid.as_raw() })),
        Ok(None) => Err(format!("user {name:?} does not exist here; create it, or correct `user`")),
        Err(error) => Err(format!("user {name:?}: {error}")),
    }
}

/// By name or by number.
fn account(name: &str) -> nix::Result<Option<nix::unistd::User>> {
    match name.parse() {
        Ok(uid) => nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)),
        Err(_) => nix::unistd::User::from_name(name),
    }
}

fn report_missing(
    config: &Config,
    instances: &BTreeMap<String, Vec<InstanceSpec>>,
    candidates: &[Candidate],
) {
    let is_known = |name: &str| candidates.iter().any(|candidate| candidate.name == name);
    let named = config.plugin_entries.iter().map(|entry| entry.name.as_str());
    for plugin in named.filter(|name| !is_known(name)) {
        tracing::error!(plugin, "configured, but not in the plugins directory; install it there");
    }
    for spec in instances.values().flatten().filter(|spec| !is_known(&spec.plugin)) {
        tracing::error!(
            instance = spec.name,
            plugin = spec.plugin,
            "an instance of a plugin that is not in the plugins directory; install it there"
        );
    }
}
