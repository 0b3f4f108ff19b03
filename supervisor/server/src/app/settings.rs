//! The parts of the configuration, in the form in which each part of the supervisor wants its own.

use std::num::NonZeroUsize;
use std::sync::Arc;

use outboard_core::config::Config;
use outboard_core::lifecycle::Policy;
use outboard_store::outbox::Bounds;

use crate::callback::Site;
use crate::events;
use crate::gateway::{self, Tls, TlsError};
use crate::plugin::Settings;

pub(super) fn gateway(config: &Config, tls: Option<Arc<Tls>>) -> gateway::Settings {
    let gateway = &config.gateway;
    gateway::Settings {
        listen: gateway.listen,
        prefix: gateway.prefix.clone(),
        max_header_bytes: bytes(gateway.max_header_bytes.as_u64()),
        max_headers: count(gateway.max_headers),
        max_connections: count(gateway.max_connections),
        workers: workers(config),
        tls,
    }
}

/// The gateway's certificate and key, if it has any.
pub(super) fn tls(config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
    let files = config.gateway.tls.clone();
    let files = files.map(|tls| gateway::Files { certificate: tls.certificate, key: tls.key });
    Ok(files.map(Tls::open).transpose()?.map(Arc::new))
}

/// How many threads answer requests: by default one for each core that this process may run on.
pub(super) fn workers(config: &Config) -> NonZeroUsize {
    let configured = config.gateway.workers.and_then(|workers| NonZeroUsize::new(count(workers)));
    configured.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

pub(super) fn limits(config: &Config) -> gateway::Limits {
    gateway::Limits { trusted_proxies: config.trusted_proxies.clone() }
}

pub(super) fn site(config: &Config, external_url: &str) -> Site {
    Site {
        prefix: config.gateway.prefix.clone(),
        external_url: external_url.to_owned(),
        log_rate: config.log.plugin_rate,
    }
}

pub(super) fn events(config: &Config) -> events::Settings {
    let events = &config.events;
    events::Settings {
        max_event: bytes(events.max_event.as_u64()),
        bounds: Bounds {
            max_bytes: events.max_bytes.as_u64(),
            pending: events.pending.into(),
            pending_bytes: events.pending_bytes.as_u64(),
        },
        max_age: events.max_age,
        attempts: events.attempts,
        timeout: events.timeout,
        concurrency: count(events.concurrency),
        retention: events.retention,
    }
}

pub(super) fn supervision(config: &Config) -> Settings {
    let supervision = &config.supervision;
    Settings {
        policy: Policy {
            drain_timeout: supervision.drain_timeout,
            backoff_min: supervision.backoff_min,
            backoff_max: supervision.backoff_max,
            max_restarts: count(supervision.max_restarts),
            restart_window: supervision.restart_window,
        },
        start_timeout: supervision.start_timeout,
        call_timeout: supervision.call_timeout,
        stop_grace: supervision.stop_grace,
    }
}

/// The configuration bounds its sizes far below what an address space holds.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
