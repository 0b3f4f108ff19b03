//! What holds for one version of a plugin.

use super::{Grants, Lock};

/// What its manifest asks for, divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Asked for and given.
    pub granted: Grants,
    /// Asked for, and not given.
    pub missing: Grants,
}

impl Decision {
    /// For the version of `plugin` of this hash. `operator` is what `outboard.toml` gives.
    pub fn of(asked: &Grants, plugin: &str, hash: &str, operator: &Grants, lock: &Lock) -> Self {
        let given = operator.or(&lock.given(plugin, hash));
        Self { granted: asked.and(&given), missing: asked.without(&given) }
    }

    /// Whether a version of which this was decided is to wait while one that has `serving` serves: it would lack
    /// something that that one does not lack. What both lack keeps nobody waiting.
    pub fn waits_behind(&self, serving: &Self) -> bool {
        !self.missing.without(&serving.missing).is_empty()
    }
}
