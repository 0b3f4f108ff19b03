//! What only a file can say: `[secrets]`, `[[plugin]]` and `[[instance]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::layers::Layers;
use super::{
    InstanceEntry, PluginEntry, PluginLimits, Purpose, SecretSource, forms, keys, parameters,
};
use crate::grant::Grants;
use crate::identity::kind::InstanceKind;
use crate::identity::scheme::SchemeSettings;
use crate::name::{InstanceName, PluginName};
use crate::written::{Mistakes, Place, Table, closest};

pub(super) fn secrets(layers: &mut Layers<'_>) -> BTreeMap<String, SecretSource> {
    let Some(file) = layers.file else { return BTreeMap::new() };
    let Some(table) = file.free(&keys::SECRETS, &mut layers.mistakes) else {
        return BTreeMap::new();
    };
    let mut secrets = BTreeMap::new();
    for (name, value) in table {
        let name = name.get_ref();
        match secret(name, value) {
            Ok(SecretSource::File(path)) => {
                let path = layers.absolute(&path, true);
                secrets.insert(name.to_string(), SecretSource::File(path));
            }
            Ok(source) => {
                secrets.insert(name.to_string(), source);
            }
            Err(problem) => {
                layers.mistakes.add(file.place_of(value), format!("secrets.{name}: {problem}"));
            }
        }
    }
    secrets
}

fn secret(name: &str, value: &Spanned<DeValue<'_>>) -> Result<SecretSource, String> {
    const ADVICE: &str = "write { file = \"path\" } or { env = \"VARIABLE\" }; a secret itself does not belong into this file";
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_name {
        return Err("name a secret with 1 to 64 letters, digits, \"-\", \"_\" or \".\"".to_owned());
    }
    let table = value.get_ref().as_table().filter(|table| table.len() == 1).ok_or(ADVICE)?;
    let text = |key| {
        table.get(key).and_then(|value| value.get_ref().as_str()).filter(|text| !text.is_empty())
    };
    if let Some(path) = text("file") {
        return Ok(SecretSource::File(PathBuf::from(path)));
    }
    let variable = text("env").ok_or(ADVICE)?;
    forms::variable(variable)?;
    Ok(SecretSource::Variable(variable.to_owned()))
}

pub(super) fn plugins(layers: &mut Layers<'_>) -> Vec<PluginEntry> {
    let mut plugins: Vec<(PluginEntry, usize)> = Vec::new();
    for table in entries(layers, "plugin") {
        let Some(plugin) = plugin(layers, &table) else { continue };
        match plugins.iter().find(|(other, _)| other.name == plugin.name) {
            Some((_, line)) => twice(&table, &plugin.name, *line, &mut layers.mistakes),
            None => plugins.push((plugin, table.line())),
        }
    }
    plugins.into_iter().map(|(plugin, _)| plugin).collect()
}

fn plugin(layers: &mut Layers<'_>, table: &Table<'_>) -> Option<PluginEntry> {
    let path = table.read(&keys::PLUGIN_PATH, &mut layers.mistakes);
    let path = path.map(|path| layers.absolute(&path, true));
    let mistakes = &mut layers.mistakes;
    Some(PluginEntry {
        path,
        is_enabled: table.read(&keys::PLUGIN_ENABLED, mistakes).unwrap_or(true),
        user: table.read(&keys::PLUGIN_USER, mistakes),
        env: variables(table, mistakes),
        grants: Grants {
            remote_tcp: table.read(&keys::PLUGIN_REMOTE_TCP, mistakes).unwrap_or_default(),
            emit: table.read(&keys::PLUGIN_EMIT, mistakes).unwrap_or_default(),
            callbacks: table.read(&keys::PLUGIN_CALLBACKS, mistakes).unwrap_or_default(),
        },
        limits: limits(table, mistakes),
        proctor: Vec::new(),
        place: table.place(),
        // Last, so that a missing name hides no other mistake.
        name: table.require(&keys::PLUGIN_NAME, mistakes)?,
    })
}

/// A plugin of which nothing is said but its name.
pub(super) fn entry(name: PluginName, place: Place) -> PluginEntry {
    PluginEntry {
        name,
        path: None,
        is_enabled: true,
        user: None,
        env: BTreeMap::new(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
        proctor: Vec::new(),
        place,
    }
}

fn limits(table: &Table<'_>, mistakes: &mut Mistakes) -> PluginLimits {
    PluginLimits {
        max_body: table.read(&keys::PLUGIN_MAX_BODY, mistakes),
        first_byte_timeout: table.read(&keys::PLUGIN_FIRST_BYTE_TIMEOUT, mistakes),
        idle_timeout: table.read(&keys::PLUGIN_IDLE_TIMEOUT, mistakes),
        request_timeout: table.read(&keys::PLUGIN_REQUEST_TIMEOUT, mistakes),
        max_concurrent_requests: table.read(&keys::PLUGIN_MAX_CONCURRENT_REQUESTS, mistakes),
    }
}

fn variables(table: &Table<'_>, mistakes: &mut Mistakes) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in table.free(&keys::PLUGIN_ENV, mistakes).into_iter().flatten() {
        let name = name.get_ref();
        let text = value.get_ref().as_str().filter(|text| !text.contains('\0'));
        let checked = forms::passed_variable(name)
            .and_then(|()| text.ok_or_else(|| format!("write {name} = \"value\", in quotes")));
        match checked {
            Ok(text) => drop(variables.insert(name.to_string(), text.to_owned())),
            Err(problem) => mistakes.add(table.place_of(value), format!("plugin.env: {problem}")),
        }
    }
    variables
}

pub(super) fn instances(
    layers: &mut Layers<'_>,
    secrets: &BTreeMap<String, SecretSource>,
) -> Vec<InstanceEntry> {
    let mut instances: Vec<InstanceEntry> = Vec::new();
    for table in entries(layers, "instance") {
        let references = parameters::references(&table, &keys::INSTANCE_PARAMETERS);
        for (name, place) in references.iter().filter(|(name, _)| !secrets.contains_key(name)) {
            unknown_secret(name, place, secrets, &mut layers.mistakes);
        }
        let Some(instance) = instance(&table, &mut layers.mistakes) else { continue };
        match instances.iter().find(|other| other.name == instance.name) {
            Some(other) => twice(&table, &instance.name, other.line, &mut layers.mistakes),
            None => instances.push(instance),
        }
    }
    instances
}

fn instance(table: &Table<'_>, mistakes: &mut Mistakes) -> Option<InstanceEntry> {
    let plugin = table.require(&keys::INSTANCE_PLUGIN, mistakes);
    let is_named = table.texts(&keys::INSTANCE_NAME.about).is_some();
    let named = table.read(&keys::INSTANCE_NAME, mistakes);
    let parameters = parameters::read(table, &keys::INSTANCE_PARAMETERS, mistakes);
    let is_enabled = table.read(&keys::INSTANCE_ENABLED, mistakes).unwrap_or(true);
    let is_isolated = table.read(&keys::INSTANCE_ISOLATE, mistakes).unwrap_or_default();
    let purpose = purpose(table, mistakes);
    let plugin = plugin?;
    let name = if is_named { named } else { named_like(&plugin, table, mistakes) };
    Some(InstanceEntry {
        name: name?,
        plugin,
        parameters,
        is_enabled,
        is_isolated,
        purpose,
        line: table.line(),
    })
}

fn purpose(table: &Table<'_>, mistakes: &mut Mistakes) -> Purpose {
    let default = Purpose::default();
    let purpose = Purpose {
        kind: table.read(&keys::INSTANCE_KIND, mistakes).unwrap_or_default(),
        display_name: table.read(&keys::INSTANCE_DISPLAY_NAME, mistakes).unwrap_or_default(),
        rank: table.read(&keys::INSTANCE_RANK, mistakes).unwrap_or_default().into(),
        is_readonly: table.read(&keys::INSTANCE_READONLY, mistakes).unwrap_or_default(),
        scheme: scheme(table, &default.scheme, mistakes),
    };
    refuse_idle(table, purpose.kind, mistakes);
    purpose
}

fn scheme(table: &Table<'_>, default: &SchemeSettings, mistakes: &mut Mistakes) -> SchemeSettings {
    let expiration = table.read(&keys::INSTANCE_SCHEME_EXPIRATION, mistakes);
    let mut switch = |key, default| table.read(key, mistakes).unwrap_or(default);
    SchemeSettings {
        expiration_s: expiration.map_or(default.expiration_s, |time| time.as_secs()),
        allow_user_register: switch(&keys::INSTANCE_SCHEME_REGISTER, default.allow_user_register),
        forbid_user_profile: switch(&keys::INSTANCE_SCHEME_NO_PROFILE, default.forbid_user_profile),
        forbid_user_reset_credential: switch(
            &keys::INSTANCE_SCHEME_NO_RESET,
            default.forbid_user_reset_credential,
        ),
        max_use: table.read(&keys::INSTANCE_SCHEME_MAX_USE, mistakes).unwrap_or(default.max_use),
    }
}

/// Refuses what means nothing for an instance of this kind.
fn refuse_idle(table: &Table<'_>, kind: InstanceKind, mistakes: &mut Mistakes) {
    let keeps = matches!(kind, InstanceKind::UserBackend | InstanceKind::ClientBackend);
    let of_keepers = [&keys::INSTANCE_RANK.about, &keys::INSTANCE_READONLY.about];
    let of_schemes = [
        &keys::INSTANCE_SCHEME_EXPIRATION.about,
        &keys::INSTANCE_SCHEME_MAX_USE.about,
        &keys::INSTANCE_SCHEME_REGISTER.about,
        &keys::INSTANCE_SCHEME_NO_PROFILE.about,
        &keys::INSTANCE_SCHEME_NO_RESET.about,
    ];
    let keepers = of_keepers.iter().map(|about| (about, keeps, "\"user\" or \"client\""));
    let schemes =
        of_schemes.iter().map(|about| (about, kind == InstanceKind::Scheme, "\"scheme\""));
    for (about, is_meant, kinds) in keepers.chain(schemes) {
        if let (false, Some((place, _))) = (is_meant, table.texts(about)) {
            let message =
                format!("{} means nothing here; write kind = {kinds}, or remove it", about.path);
            mistakes.add(place, message);
        }
    }
}

fn named_like(
    plugin: &PluginName,
    table: &Table<'_>,
    mistakes: &mut Mistakes,
) -> Option<InstanceName> {
    let name = InstanceName::try_from(plugin);
    if let Err(error) = &name {
        mistakes.add(table.place(), format!("instance.name is missing here: {error}"));
    }
    name.ok()
}

fn entries<'a>(layers: &mut Layers<'a>, name: &'static str) -> Vec<Table<'a>> {
    layers.file.map(|file| file.entries(name, &mut layers.mistakes)).unwrap_or_default()
}

fn twice(table: &Table<'_>, name: &impl std::fmt::Display, line: usize, mistakes: &mut Mistakes) {
    let message =
        format!("{name} is already there, in line {line}; keep one of the two, or rename one");
    mistakes.add(table.place(), message);
}

fn unknown_secret(
    name: &str,
    place: &Place,
    secrets: &BTreeMap<String, SecretSource>,
    mistakes: &mut Mistakes,
) {
    let meant = closest(name, secrets.keys().map(String::as_str));
    let advice = meant.map_or_else(
        || {
            format!(
                "add it to [secrets]: {name} = {{ file = \"path\" }} or {{ env = \"VARIABLE\" }}"
            )
        },
        |meant| format!("did you mean {meant:?}?"),
    );
    mistakes.add(place.clone(), format!("there is no secret {name:?}; {advice}"));
}
