//! What works without being set, and not as most would want it.

use outboard_core::config::Config;

/// Tells an operator at the start.
pub(super) fn warn(config: &Config) {
    if config.external_url.is_none() {
        tracing::warn!(
            "external_url is not set: links and the log-in page begin with the address that the gateway listens on; set \
             it to where clients reach the gateway"
        );
    }
    if config.trusted_proxies.is_empty() {
        tracing::warn!(
            "trusted_proxies is not set: whoever connects counts as the client; behind a proxy, set it to the proxy's \
             address, or all its clients share one limit of wrong passwords"
        );
    }
}
