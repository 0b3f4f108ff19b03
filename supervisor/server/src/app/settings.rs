//! The parts of the configuration, in the form in which each part of the supervisor wants its own.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use outboard_core::config::{Config, Identity, SecureCookie, ServiceListen};
use outboard_core::grant::Grants;
use outboard_core::lifecycle::Policy;
use outboard_store::outbox::Bounds;

use crate::auth;
use crate::callback::{self, Cookie, People, Site};
use crate::events;
use crate::gateway::{self, Tls, TlsError};
use crate::identity;
use crate::pem;
use crate::plugin::Settings;
use crate::service::{self, Headers, Listen, Rules};

pub(super) fn gateway(config: &Config, tls: Option<Arc<Tls>>) -> gateway::Settings {
    let gateway = &config.gateway;
    gateway::Settings {
        listen: gateway.listen,
        prefix: gateway.prefix.clone(),
        cookie: config.identity.session.cookie.clone(),
        max_header_bytes: bytes(gateway.max_header_bytes.as_u64()),
        max_headers: count(gateway.max_headers),
        max_connections: count(gateway.max_connections),
        workers: workers(config),
        tls,
    }
}

/// The place for administrators, if they have one of their own: as the gateway, and never busy.
pub(super) fn admin(config: &Config, tls: Option<Arc<Tls>>) -> Option<gateway::Settings> {
    let listen = config.identity.admin?;
    Some(gateway::Settings { listen, workers: NonZeroUsize::MIN, ..gateway(config, tls) })
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
        people: people(config, external_url),
    }
}

/// What plugins are told of how people log in.
fn people(config: &Config, external_url: &str) -> People {
    let Identity { login, session, hash, storage, .. } = config.identity.clone();
    People {
        login: login.url,
        admin_scope: login.admin_scope,
        profile_scope: login.profile_scope,
        cookie: Cookie {
            name: session.cookie,
            domain: session.domain,
            is_secure: match session.secure {
                SecureCookie::Yes => true,
                SecureCookie::No => false,
                SecureCookie::Auto => external_url.starts_with("https://"),
            },
            same_site: session.same_site,
        },
        hash,
        storage_quota: storage.as_u64(),
    }
}

/// Where services come in; nowhere if that is off.
pub(super) fn service(
    config: &Config,
    tls: Option<Arc<service::Tls>>,
) -> Option<service::Settings> {
    let group = config.service.group.clone();
    let listen = match config.service.listen.clone() {
        ServiceListen::Unix(path) => Listen::Unix { path, group },
        ServiceListen::Tcp(address) => Listen::Tcp(address),
        ServiceListen::Off => return None,
    };
    Some(service::Settings { listen, tls })
}

/// The service's certificate, its key, and its callers' authority, if it listens on TCP.
pub(super) fn service_tls(config: &Config) -> Result<Option<Arc<service::Tls>>, TlsError> {
    let ServiceListen::Tcp(_) = config.service.listen else { return Ok(None) };
    let files = config.service.tls.clone().map(|tls| service::tls::Files {
        own: pem::Files { certificate: tls.certificate, key: tls.key },
        clients: tls.clients,
    });
    Ok(files.map(service::Tls::open).transpose()?.map(Arc::new))
}

pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        rate: config.service.rate,
        max_event: bytes(config.events.max_event.as_u64()),
        admin_groups: config.auth.admin_groups.clone(),
        headers: Headers::new(&config.auth.email_header, &config.auth.token_header),
    }
}

/// What plugins may ask of the host.
pub(super) fn callbacks(config: &Config) -> callback::Rules {
    callback::Rules { rate: config.callbacks.rate, audit: config.callbacks.audit }
}

/// What outboard.toml grants, by plugin.
pub(super) fn given(config: &Config) -> BTreeMap<String, Grants> {
    let entries = config.plugin_entries.iter();
    entries.map(|entry| (entry.name.as_str().to_owned(), entry.grants.clone())).collect()
}

pub(super) fn auth(config: &Config) -> auth::Settings {
    let auth = &config.auth;
    auth::Settings {
        is_enabled: auth.enabled,
        instances: auth.instances.iter().map(ToString::to_string).collect(),
        timeout: auth.timeout,
        cache_ttl: auth.cache_ttl,
        cache_entries: count(auth.cache_entries),
        rule: auth.group_match,
    }
}

pub(super) fn identity(config: &Config, external_url: &str) -> identity::Settings {
    let outboard_core::config::Identity { login, session, password, .. } = &config.identity;
    identity::Settings {
        admin_scope: login.admin_scope.clone(),
        profile_scope: login.profile_scope.clone(),
        admin_name: login.admin_name.clone(),
        attempts: login.attempts,
        attempts_address: login.attempts_address,
        backend_timeout: login.backend_timeout,
        scheme_timeout: login.scheme_timeout,
        call_timeout: config.supervision.call_timeout,
        least_password: count(password.least),
        cost: identity::Cost {
            memory_kib: u32::try_from(password.memory.as_u64() / 1024).unwrap_or(u32::MAX),
            iterations: password.iterations,
            parallelism: password.parallelism,
        },
        session_expires: session.expires,
        session_multiple: session.multiple,
        external_url: external_url.to_owned(),
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
