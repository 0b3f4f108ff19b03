//! Proctor's variables: which plugins are told of events, which one says who somebody is, and whether it is asked.
//!
//! They go before the file, and Outboard's own variables and flags go before them. What Proctor passes over in
//! silence is a mistake here: lists of different lengths, items that are empty, and a boolean that is none. An
//! empty variable counts as unset, as it does for Proctor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entries::entry;
use super::layers::Layers;
use super::{InstanceEntry, PluginEntry};
use crate::name::{InstanceName, PluginName};
use crate::written::{Mistakes, Place, closest};

const NOTIFICATION_BINARY: &str = "PROCTOR_NOTIFICATION_PLUGIN_BINARY";
const NOTIFICATION_EXPORTED: &str = "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED";
const AUTH_BINARY: &str = "PROCTOR_AUTH_PLUGIN_BINARY";
const AUTH_EXPORTED: &str = "PROCTOR_AUTH_PLUGIN_EXPORTED";
const AUTH_ENABLED: &str = "PROCTOR_AUTH_ENABLED";
/// The one that Proctor reads, and the one that its documentation names.
const ADMIN_GROUPS: [&str; 2] =
    ["PROCTOR_AUTH_REQUIRED_ADMIN_GROUP", "PROCTOR_REQUIRED_ADMIN_GROUP"];

const KNOWN: [&str; 7] = [
    NOTIFICATION_BINARY,
    NOTIFICATION_EXPORTED,
    AUTH_BINARY,
    AUTH_EXPORTED,
    AUTH_ENABLED,
    ADMIN_GROUPS[0],
    ADMIN_GROUPS[1],
];

/// For the reference page.
pub(super) const REFERENCE: &str = "
## Proctor's variables

They go before the file, and Outboard's own variables and flags go before them. An empty one counts as unset.

- `PROCTOR_NOTIFICATION_PLUGIN_BINARY`, `PROCTOR_NOTIFICATION_PLUGIN_EXPORTED`: paths and names of plugins that are
  told of events, with commas, in the same order. A path is as `plugin.path`; a name is the `name` in its `plugin.toml`.
- `PROCTOR_AUTH_PLUGIN_BINARY`, `PROCTOR_AUTH_PLUGIN_EXPORTED`: path and name of the plugin that says who somebody is.
  Its instances are what `auth.instances` is where nobody says otherwise.
- `PROCTOR_AUTH_ENABLED`: as `auth.enabled`; also `1`, `t`, `T`, `TRUE`, `True`, `0`, `f`, `F`, `FALSE` and `False`.
- `PROCTOR_AUTH_REQUIRED_ADMIN_GROUP`, or `PROCTOR_REQUIRED_ADMIN_GROUP`: as `auth.admin_groups`, with commas.
";

/// What one of Proctor's variables says that a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProctorRole {
    Notification,
    Authentication,
}

/// The value of a setting in one variable: its texts, or what is wrong with it.
pub(super) struct Value {
    pub(super) variable: &'static str,
    pub(super) items: Result<Vec<String>, String>,
}

/// A plugin that a pair of variables names.
struct Named {
    role: ProctorRole,
    path: PathBuf,
    name: PluginName,
}

impl ProctorRole {
    /// The variable with its path.
    pub fn binary(self) -> &'static str {
        match self {
            Self::Notification => NOTIFICATION_BINARY,
            Self::Authentication => AUTH_BINARY,
        }
    }

    /// The variable with its name.
    pub fn exported(self) -> &'static str {
        match self {
            Self::Notification => NOTIFICATION_EXPORTED,
            Self::Authentication => AUTH_EXPORTED,
        }
    }
}

/// Whether a variable of Proctor's is read here, or was probably meant to be. Its other ones are not ours.
pub fn is_proctors(name: &str) -> bool {
    KNOWN.contains(&name) || meant(name).is_some()
}

/// What Proctor's variables say of a setting.
pub(super) fn values(path: &str, variables: &BTreeMap<String, String>) -> Vec<Value> {
    let read = |variable: &'static str, read: fn(&str) -> Result<Vec<String>, String>| {
        set(variables, variable).map(|text| Value { variable, items: read(text) })
    };
    match path {
        "auth.enabled" => read(AUTH_ENABLED, boolean).into_iter().collect(),
        "auth.admin_groups" => ADMIN_GROUPS.iter().filter_map(|name| read(name, list)).collect(),
        _ => Vec::new(),
    }
}

/// Takes the plugins that Proctor's variables name among those of the file.
pub(super) fn plugins(layers: &mut Layers<'_>, entries: &mut Vec<PluginEntry>) {
    let variables = layers.variables();
    check_names(variables, &mut layers.mistakes);
    check_admin_groups(variables, &mut layers.mistakes);
    let mut named = notification(variables, &mut layers.mistakes);
    named.extend(authentication(variables, &mut layers.mistakes));
    let mut earlier: Vec<Named> = Vec::new();
    for mut plugin in named {
        plugin.path = layers.absolute(&plugin.path, false);
        match earlier.iter().find(|other| other.name == plugin.name) {
            // One plugin may do both.
            Some(other) if other.role != plugin.role && other.path == plugin.path => {}
            Some(other) => {
                let place = Place::Variable(plugin.role.exported().to_owned());
                let message = format!(
                    "{:?} is there twice, for {} and {}; name each plugin once",
                    plugin.name.as_str(),
                    other.path.display(),
                    plugin.path.display()
                );
                layers.mistakes.add(place, message);
                continue;
            }
            None => {}
        }
        take(entries, &plugin);
        earlier.push(plugin);
    }
}

/// The instances that are asked if only Proctor's variables say which plugin: those of that plugin.
pub(super) fn instances(plugins: &[PluginEntry], instances: &[InstanceEntry]) -> Vec<InstanceName> {
    let asked = |plugin: &&PluginEntry| plugin.proctor.contains(&ProctorRole::Authentication);
    let Some(plugin) = plugins.iter().find(asked) else { return Vec::new() };
    let mut of_plugin =
        instances.iter().filter(|instance| instance.plugin == plugin.name).peekable();
    if of_plugin.peek().is_none() {
        return InstanceName::try_from(&plugin.name).into_iter().collect();
    }
    of_plugin.filter(|instance| instance.is_enabled).map(|instance| instance.name.clone()).collect()
}

fn take(entries: &mut Vec<PluginEntry>, plugin: &Named) {
    let at = entries.iter().position(|entry| entry.name == plugin.name).unwrap_or_else(|| {
        let place = Place::Variable(plugin.role.exported().to_owned());
        entries.push(entry(plugin.name.clone(), place));
        entries.len() - 1
    });
    entries[at].path = Some(plugin.path.clone());
    entries[at].place = Place::Variable(plugin.role.exported().to_owned());
    entries[at].proctor.push(plugin.role);
}

fn notification(variables: &BTreeMap<String, String>, mistakes: &mut Mistakes) -> Vec<Named> {
    let role = ProctorRole::Notification;
    let Some((paths, names)) = both(role, variables, mistakes) else { return Vec::new() };
    let paths = list(paths).map_err(|problem| add(mistakes, role.binary(), problem));
    let names = list(names).map_err(|problem| add(mistakes, role.exported(), problem));
    let (Ok(paths), Ok(names)) = (paths, names) else { return Vec::new() };
    if paths.len() != names.len() {
        let problem = format!(
            "{} for {} in {}; write one name for each path, in the same order",
            counted(names.len(), "name"),
            counted(paths.len(), "path"),
            role.binary()
        );
        add(mistakes, role.exported(), problem);
        return Vec::new();
    }
    let pairs = paths.iter().zip(&names);
    pairs.filter_map(|(path, name)| named(role, path, name, mistakes)).collect()
}

/// There is one at most, so commas belong to its path.
fn authentication(variables: &BTreeMap<String, String>, mistakes: &mut Mistakes) -> Option<Named> {
    let role = ProctorRole::Authentication;
    let (path, name) = both(role, variables, mistakes)?;
    let (path, name) = (path.trim(), name.trim());
    for (variable, text) in [(role.binary(), path), (role.exported(), name)] {
        if text.is_empty() {
            add(
                mistakes,
                variable,
                "blank; write the path and the name of one plugin, or unset both".to_owned(),
            );
        }
    }
    if path.is_empty() || name.is_empty() { None } else { named(role, path, name, mistakes) }
}

/// Both variables of a pair, if either is set.
fn both<'v>(
    role: ProctorRole,
    variables: &'v BTreeMap<String, String>,
    mistakes: &mut Mistakes,
) -> Option<(&'v str, &'v str)> {
    match (set(variables, role.binary()), set(variables, role.exported())) {
        (None, None) => None,
        (Some(paths), Some(names)) => Some((paths, names)),
        (Some(_), None) => {
            let exported = role.exported();
            add(
                mistakes,
                role.binary(),
                format!("needs {exported} as well; set it to the name of each plugin"),
            );
            None
        }
        (None, Some(_)) => {
            let binary = role.binary();
            add(
                mistakes,
                role.exported(),
                format!("needs {binary} as well; set it to the path of each plugin"),
            );
            None
        }
    }
}

fn named(role: ProctorRole, path: &str, name: &str, mistakes: &mut Mistakes) -> Option<Named> {
    match PluginName::new(name) {
        Ok(name) => Some(Named { role, path: Path::new(path).to_owned(), name }),
        Err(error) => {
            let problem = format!(
                "{error}; it is the name of the plugin at {path}, as its plugin.toml has it"
            );
            add(mistakes, role.exported(), problem);
            None
        }
    }
}

fn check_names(variables: &BTreeMap<String, String>, mistakes: &mut Mistakes) {
    for name in variables.keys() {
        if let Some(meant) = meant(name) {
            add(mistakes, name, format!("Proctor knows no such variable; did you mean {meant}?"));
        }
    }
}

/// One of them may be left from documentation that was wrong; which of two is meant, nobody can tell.
fn check_admin_groups(variables: &BTreeMap<String, String>, mistakes: &mut Mistakes) {
    let [one, other] = ADMIN_GROUPS;
    let (Some(first), Some(second)) = (set(variables, one), set(variables, other)) else { return };
    if let (Ok(first), Ok(second)) = (list(first), list(second))
        && first != second
    {
        add(mistakes, other, format!("says something else than {one}; unset one of them"));
    }
}

/// The variable that a name of nearly that form was meant to be.
fn meant(name: &str) -> Option<&'static str> {
    if !name.starts_with("PROCTOR_") || KNOWN.contains(&name) {
        return None;
    }
    closest(name, KNOWN).and_then(|meant| KNOWN.into_iter().find(|known| *known == meant))
}

fn set<'v>(variables: &'v BTreeMap<String, String>, name: &str) -> Option<&'v str> {
    variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

/// As Go reads a boolean.
fn boolean(text: &str) -> Result<Vec<String>, String> {
    let value = match text.trim() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
        "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
        _ => return Err("write true or false".to_owned()),
    };
    Ok(vec![value.to_string()])
}

fn list(text: &str) -> Result<Vec<String>, String> {
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    match items.iter().position(String::is_empty) {
        Some(at) => Err(format!("item {} is empty; write it, or remove its comma", at + 1)),
        None => Ok(items),
    }
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

fn add(mistakes: &mut Mistakes, variable: &str, problem: String) {
    mistakes.add(Place::Variable(variable.to_owned()), problem);
}

#[cfg(test)]
mod tests;
