//! Whether a plugin would take an instance, asked before anything is made of it.

use outboard_core::lifecycle::State;

use super::Plugins;
use super::instance::InstanceSpec;

impl Plugins {
    /// What its plugin finds wrong with an instance, a line each. One that can't be asked finds nothing.
    pub async fn problems(&self, spec: InstanceSpec) -> Vec<String> {
        let asked = self.handles_now().into_iter().find(|handle| {
            let status = handle.status();
            // An isolated instance has a process of its own: `plugin@instance`.
            let name = status.name.split('@').next();
            status.state == State::Serving && name == Some(spec.plugin.as_str())
        });
        let Some(handle) = asked else { return Vec::new() };
        handle.check(spec).await.and_then(Result::err).unwrap_or_default()
    }
}
