//! What a supervisor that does not run has left, and what is granted in it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use outboard_core::config::Config;
use outboard_core::grant::Grants;

use super::view::PluginGrants;
use crate::dirs::{DataLock, store_in};
use crate::grants::{Given, file_in};
use crate::plugin::{Version, Wanted, import, lock_entry, versions};

/// Its data directory, which no supervisor uses meanwhile.
pub(super) struct Offline {
    given: Given,
    versions: Vec<Version>,
    _lock: DataLock,
}

impl Offline {
    pub(super) fn open(config: Config) -> Result<Self> {
        let lock = DataLock::take(&config.data_dir)?;
        let mut store = import::Store::open(store_in(&config.data_dir))?;
        let versions = versions(&config, &mut store).with_context(|| {
            let plugins = config.plugins.display();
            format!("plugins directory {plugins}: create it, or name another with --plugins")
        })?;
        let given = Given::open(file_in(&config.data_dir))?;
        let entries = config.plugin_entries.into_iter();
        let operator: BTreeMap<_, _> =
            entries.map(|entry| (entry.name.as_str().to_owned(), entry.grants)).collect();
        given.reload(operator)?;
        Ok(Self { given, versions, _lock: lock })
    }

    pub(super) fn grants(&self) -> Vec<PluginGrants> {
        self.versions.iter().map(|version| self.describe(version)).collect()
    }

    pub(super) fn grant(&self, name: &str, wanted: Wanted) -> Result<PluginGrants> {
        let version = self.find(name).ok_or_else(|| self.not_found(name))?;
        let (hash, asked) = version.found.as_ref().map_err(|problem| anyhow!(problem.clone()))?;
        let grants = wanted.given_to(name, asked).map_err(anyhow::Error::msg)?;
        self.given.grant(lock_entry(name, hash, grants))?;
        Ok(self.describe(version))
    }

    pub(super) fn revoke(&self, name: &str, wanted: &Wanted) -> Result<Option<PluginGrants>> {
        let version = self.find(name);
        let has_some = self.given.lock().entries().iter().any(|entry| entry.plugin == name);
        if version.is_none() && !has_some {
            return Err(self.not_found(name));
        }
        let taken = match wanted {
            Wanted::All => None,
            Wanted::These(grants) => Some(grants),
        };
        self.given.revoke(name, taken)?;
        Ok(version.map(|version| self.describe(version)))
    }

    fn find(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.plugin == name)
    }

    fn describe(&self, version: &Version) -> PluginGrants {
        let nothing = (String::new(), Grants::default());
        let (hash, asked) = version.found.as_ref().unwrap_or(&nothing);
        let decision = self.given.decide(&version.plugin, hash, asked);
        PluginGrants {
            name: version.plugin.clone(),
            hash: hash.clone(),
            asked: asked.words(),
            granted: decision.granted.words(),
            missing: decision.missing.words(),
            waiting: None,
        }
    }

    fn not_found(&self, name: &str) -> anyhow::Error {
        let known: Vec<_> = self.versions.iter().map(|it| it.plugin.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        anyhow!("no plugin is named {name:?}; there are: {known}")
    }
}
