//! What is said of plugins that do not answer as they should.

use crate::plugin::snapshot::Activation;

/// Logs what a plugin did wrong in a request, unless it was logged a moment ago: a plugin that is dead gets as
/// many requests as one that lives.
pub(super) fn complain(activation: &Activation, request_id: &str, problem: &str) {
    let Some(held_back) = activation.may_complain() else { return };
    tracing::warn!(
        plugin = activation.plugin(),
        instance = activation.instance(),
        request_id,
        problem,
        held_back,
        "a plugin did not answer a request as it should"
    );
}
