//! The instances of a plugin: where they come from, and their parameters as `Init` gets them.

use std::sync::Arc;

use bytes::Bytes;
use outboard_core::config::Purpose;
use outboard_core::manifest::Manifest;
use serde_json::{Map, Value};

use super::secrets::{Fingerprint, Secrets};
use super::snapshot::Activation;

/// What an `Init` came to: an activation, or why there is none, a line each.
pub(super) type Verdict = Result<Arc<Activation>, Vec<String>>;

/// A configured copy of a plugin. Its parameters hold references to secrets, not secrets.
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    pub plugin: String,
    pub name: String,
    pub parameters: Map<String, Value>,
    /// In a process of its own.
    pub isolate: bool,
    /// How often it was asked to begin anew, whatever its parameters.
    pub turn: u64,
    pub purpose: Purpose,
    secrets: Arc<Secrets>,
    /// Of what it is told, secrets included: a secret that changed is a parameter that changed.
    fingerprint: Fingerprint,
}

impl InstanceSpec {
    /// Reads the secrets that `parameters` refer to, to tell them from others; keeps none of them.
    pub fn new(
        plugin: String,
        name: String,
        parameters: Map<String, Value>,
        isolate: bool,
        secrets: Arc<Secrets>,
    ) -> Self {
        let fingerprint = secrets.fingerprint(&parameters);
        let purpose = Purpose::default();
        Self { plugin, name, parameters, isolate, turn: 0, purpose, secrets, fingerprint }
    }

    /// The same, to be initialised anew if it was initialised in another turn.
    #[must_use]
    pub fn at_turn(self, turn: u64) -> Self {
        Self { turn, ..self }
    }

    /// The same, for something else than what most are there for.
    #[must_use]
    pub fn there_for(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    /// What a plugin gets that nobody configured: one of its own name, with the manifest's parameters.
    pub(super) fn of_manifest(manifest: &Manifest) -> Self {
        let name = manifest.name.as_str();
        Self::new(name.into(), name.into(), manifest.parameters.clone(), false, Arc::default())
    }

    /// The parameters in JSON, each secret in its place.
    pub(super) fn resolve(&self) -> Result<Bytes, String> {
        let parameters = self.secrets.put_into(&self.parameters)?;
        serde_json::to_vec(&parameters).map(Bytes::from).map_err(|error| error.to_string())
    }

    /// Whether an activation made of `self` is as good as one made of `other`.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.isolate == other.isolate
            && self.turn == other.turn
            && self.purpose.kind == other.purpose.kind
            && self.fingerprint == other.fingerprint
    }
}
