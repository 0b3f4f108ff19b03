//! The configured instances, from the file and from the store, as one list.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use outboard_core::config::{Config, Purpose, SecretSource};
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::scheme::SchemeSettings;
use outboard_store::{Instance, Store};
use serde_json::{Map, Value};

use super::settings;
use super::turns::Turns;
use crate::environment::Environment;
use crate::plugin::{Current, InstanceSpec, Secrets, Source};

/// What all drivers are to work with from now on.
pub(super) async fn current(
    config: &Config,
    external_url: &str,
    store: &Store,
    turns: &Turns,
    environment: &Environment,
) -> anyhow::Result<Current> {
    Ok(Current {
        site: Arc::new(settings::site(config, external_url)),
        settings: settings::supervision(config),
        instances: instances(config, store, turns, environment).await?,
    })
}

/// By plugin. A plugin whose instances are all disabled has an empty list: somebody configured it.
async fn instances(
    config: &Config,
    store: &Store,
    turns: &Turns,
    environment: &Environment,
) -> anyhow::Result<BTreeMap<String, Vec<InstanceSpec>>> {
    let secrets = Arc::new(secrets(config, environment));
    let mut instances: BTreeMap<String, Vec<InstanceSpec>> = BTreeMap::new();
    for entry in &config.instances {
        let of_plugin = instances.entry(entry.plugin.as_str().to_owned()).or_default();
        if entry.is_enabled {
            let spec = InstanceSpec::new(
                entry.plugin.as_str().to_owned(),
                entry.name.as_str().to_owned(),
                entry.parameters.clone(),
                entry.is_isolated,
                secrets.clone(),
            );
            of_plugin.push(spec.there_for(entry.purpose.clone()));
        }
    }
    let mut schemes = store.schemes().list().await?;
    for row in store.instances().list().await? {
        if let Some(entry) = config.instances.iter().find(|entry| entry.name.as_str() == row.name) {
            bail!(
                "instance {:?} is both in outboard.toml (line {}) and in the database; remove one of them",
                row.name,
                entry.line
            );
        }
        let of_plugin = instances.entry(row.plugin.clone()).or_default();
        if row.enabled {
            let scheme = schemes.remove(&row.name);
            of_plugin.push(spec(row, scheme, turns, secrets.clone())?);
        }
    }
    Ok(instances)
}

fn spec(
    row: Instance,
    scheme: Option<SchemeSettings>,
    turns: &Turns,
    secrets: Arc<Secrets>,
) -> anyhow::Result<InstanceSpec> {
    let turn = turns.of(&row.name);
    let parameters = if turn.is_trial { &row.parameters } else { row.running() };
    let parameters = serde_json::from_str(parameters.as_str())
        .with_context(|| format!("parameters of instance {:?} in the database", row.name))?;
    let default = Purpose::default();
    let purpose = Purpose {
        kind: row.kind,
        display_name: row.display_name,
        rank: row.rank,
        is_readonly: row.readonly,
        scheme: scheme.unwrap_or(default.scheme),
    };
    let spec = InstanceSpec::new(row.plugin, row.name, parameters, false, secrets);
    Ok(spec.there_for(purpose).at_turn(turn.number))
}

/// An instance that might be added to those of the database.
pub(super) fn possible(
    config: &Config,
    environment: &Environment,
    (kind, plugin, name): (InstanceKind, &str, &str),
    parameters: &Map<String, Value>,
) -> InstanceSpec {
    let secrets = Arc::new(secrets(config, environment));
    let (plugin, name) = (plugin.to_owned(), name.to_owned());
    let spec = InstanceSpec::new(plugin, name, parameters.clone(), false, secrets);
    spec.there_for(Purpose { kind, ..Purpose::default() })
}

fn secrets(config: &Config, environment: &Environment) -> Secrets {
    let source = |source: &SecretSource| match source {
        SecretSource::File(path) => Source::File(path.clone()),
        SecretSource::Variable(name) => {
            let value = environment.get(name).map(ToOwned::to_owned);
            Source::Variable { name: name.clone(), value }
        }
    };
    let sources = config.secrets.iter();
    Secrets::new(sources.map(|(name, kept)| (name.clone(), source(kept))).collect())
}
