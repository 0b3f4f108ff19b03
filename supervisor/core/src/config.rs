//! The supervisor's configuration: [`RawConfig`] is what was written, [`Config`] what it means.
//!
//! A setting comes from a flag, else from a variable, else from `outboard.toml`, else it has its
//! default. Each key is defined once, in `config/keys.rs`. Every mistake in all three is reported at
//! once. Reading files and the environment is the caller's part, and so is what depends on the
//! machine: see [`Surroundings`].

mod database;
mod entries;
mod entry;
pub(crate) mod forms;
mod identity;
mod keys;
mod layers;
mod network;
pub mod parameters;
mod proctor;
mod reference;
mod secret;
mod service;
#[cfg(test)]
mod tests;
mod together;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use crate::auth::GroupMatch;
use crate::name::InstanceName;
use crate::written::{About, Choice, Document, Mistakes, Place};
use layers::Layers;

pub use entry::{InstanceEntry, PluginEntry, PluginLimits, Purpose};
pub use identity::{
    Audit, Callbacks, DeleteProfile, HashAlgorithm, Identity, Login, Password, SameSite,
    SecureCookie, Session, Theme,
};
pub use keys::{ENTRIES, SETTINGS};
pub use network::Network;
pub use proctor::{ProctorRole, is_proctors};
pub use reference::{manifest_reference, reference};
pub use secret::Secret;
pub use service::{Service, ServiceListen, ServiceTls};

/// The file's usual name.
pub const FILE_NAME: &str = "outboard.toml";

/// What was written, and where the machine would have things by default.
#[derive(Clone, Debug, Default)]
pub struct RawConfig {
    /// Path and text of `outboard.toml`, if there is one.
    pub file: Option<(PathBuf, String)>,
    /// The environment's variables that begin with `OUTBOARD_`, and those of Proctor's: see [`is_proctors`].
    pub variables: BTreeMap<String, String>,
    /// Flags, by the path of their key.
    pub flags: BTreeMap<&'static str, String>,
    pub surroundings: Surroundings,
}

/// Absolute paths that depend on the machine and on who runs the supervisor.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub working_dir: PathBuf,
    pub data_dir: PathBuf,
    pub runtime_dir: PathBuf,
}

/// What it all means. All paths are absolute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    pub plugins: PathBuf,
    pub data_dir: PathBuf,
    pub runtime_dir: PathBuf,
    /// Without a slash at the end. `None`: `http://` or `https://` and the address that is listened on.
    pub external_url: Option<String>,
    pub trusted_proxies: Vec<Network>,
    pub gateway: Gateway,
    pub metrics: Metrics,
    pub database: Database,
    pub events: Events,
    pub service: Service,
    pub auth: Auth,
    pub identity: Identity,
    pub callbacks: Callbacks,
    pub supervision: Supervision,
    pub log: Log,
    pub secrets: BTreeMap<String, SecretSource>,
    /// In the order of the file and then of Proctor's variables, each name once.
    pub plugin_entries: Vec<PluginEntry>,
    /// In the order of the file, each name once.
    pub instances: Vec<InstanceEntry>,
    /// Every setting's value as text, and where it comes from.
    pub settings: Vec<Setting>,
}

/// How requests come in.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub listen: SocketAddr,
    pub prefix: String,
    pub max_body: ByteSize,
    pub max_header_bytes: ByteSize,
    pub max_headers: u32,
    pub first_byte_timeout: Duration,
    pub idle_timeout: Duration,
    /// From a request's head to the end of its response.
    pub request_timeout: Duration,
    /// Of one plugin.
    pub max_concurrent_requests: u32,
    /// Requests that wait for one plugin, or for one endpoint.
    pub queue: u32,
    pub queue_timeout: Duration,
    pub max_connections: u32,
    /// `None`: one for each core.
    pub workers: Option<u32>,
    pub access_log: Option<PathBuf>,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
}

/// The PEM files that the gateway speaks TLS with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Who may look at what was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    pub listen: Option<SocketAddr>,
}

/// Where instances are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// The whole URL, which may hold a password.
    Postgres(Secret),
}

/// How events are kept and delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// Of one event as JSON.
    pub max_event: ByteSize,
    /// Of all events that are not yet delivered to all.
    pub max_bytes: ByteSize,
    /// For each notifier: events that wait, their bytes, and how long one may.
    pub pending: u32,
    pub pending_bytes: ByteSize,
    pub max_age: Duration,
    pub attempts: u32,
    /// Of one delivery.
    pub timeout: Duration,
    /// Deliveries to one notifier at once.
    pub concurrency: u32,
    /// How long an event that was delivered is remembered.
    pub retention: Duration,
}

/// Who is asked who somebody is, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// False: everybody passes.
    pub enabled: bool,
    /// In their order, each once. Empty: the only one there is.
    pub instances: Vec<InstanceName>,
    pub timeout: Duration,
    /// Zero: nothing is kept.
    pub cache_ttl: Duration,
    pub cache_entries: u32,
    pub group_match: GroupMatch,
    /// Never empty.
    pub admin_groups: Vec<String>,
    /// As written; names of headers have no case.
    pub email_header: String,
    pub token_header: String,
}

/// How plugins are started, stopped and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    pub start_timeout: Duration,
    pub call_timeout: Duration,
    pub stop_grace: Duration,
    pub drain_timeout: Duration,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    pub max_restarts: u32,
    pub restart_window: Duration,
    pub containment: ContainmentRule,
}

/// How firmly a plugin's processes are to be held together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainmentRule {
    /// As firmly as this machine allows.
    Auto,
    /// By a PID namespace, or not at all.
    Required,
    /// By a sub-reaper only.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
    /// Lines of one plugin in a second.
    pub plugin_rate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    File(PathBuf),
    Variable(String),
}

/// One setting as text.
#[derive(Clone)]
pub struct Setting {
    pub about: &'static About,
    items: Vec<String>,
    /// `None`: it has its default.
    pub place: Option<Place>,
}

impl Choice for ContainmentRule {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("required", Self::Required), ("off", Self::Off)];
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Choice for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl Setting {
    /// Its value as it would be written, masked if it may hold a password. Empty: see its doc.
    pub fn text(&self) -> String {
        if self.about.is_secret && !self.items.is_empty() {
            "***".to_owned()
        } else {
            self.items.join(", ")
        }
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.about.path, self.text())
    }
}

impl RawConfig {
    /// Finds out what it all means, or everything that is wrong with it.
    pub fn resolve(&self) -> Result<Config, Mistakes> {
        let mut mistakes = Mistakes::default();
        let document = self.file.as_ref().map(|(path, text)| {
            let document = Document::parse(&path.display().to_string(), text, &mut mistakes);
            let known: Vec<&About> = SETTINGS.iter().chain(ENTRIES).copied().collect();
            document.refuse_unknown(&known, &mut mistakes);
            document
        });
        let mut layers = Layers::new(self, document.as_ref().map(Document::root), mistakes);
        let config = read(&mut layers, &self.surroundings);
        layers.mistakes.or(Some(config))
    }

    /// The runtime directory alone, whatever else is wrong: it leads to a supervisor that runs.
    pub fn runtime_dir(&self) -> Result<PathBuf, Mistakes> {
        let file = self.file.as_ref();
        let file = file.map(|(path, text)| (path.display().to_string(), text));
        let document =
            file.map(|(name, text)| Document::parse(&name, text, &mut Mistakes::default()));
        let mut layers =
            Layers::new(self, document.as_ref().map(Document::root), Mistakes::default());
        let written = layers.read_path(&keys::RUNTIME_DIR);
        layers.mistakes.or(Some(written.unwrap_or_else(|| self.surroundings.runtime_dir.clone())))
    }

    /// Where relative paths begin: at the file's directory for those written in it.
    fn base(&self, is_in_file: bool) -> PathBuf {
        let working_dir = &self.surroundings.working_dir;
        let directory =
            self.file.as_ref().filter(|_| is_in_file).and_then(|(path, _)| path.parent());
        directory.map_or_else(|| working_dir.clone(), |directory| working_dir.join(directory))
    }
}

impl Config {
    /// The keys whose new values only count after a new start of the supervisor.
    pub fn restart_needed_for(&self, new: &Self) -> Vec<&'static str> {
        let changed =
            self.settings.iter().zip(&new.settings).filter(|(old, new)| old.items != new.items);
        changed.filter(|(old, _)| old.about.needs_restart).map(|(old, _)| old.about.path).collect()
    }

    /// Takes over from `old` what [`Self::restart_needed_for`] is about, so that a
    /// reload changes nothing by halves.
    pub fn keep_until_restart(&mut self, old: &Self) {
        self.plugins.clone_from(&old.plugins);
        self.data_dir.clone_from(&old.data_dir);
        self.runtime_dir.clone_from(&old.runtime_dir);
        self.external_url.clone_from(&old.external_url);
        let Gateway { max_body, first_byte_timeout, idle_timeout, request_timeout, .. } =
            self.gateway;
        let Gateway { max_concurrent_requests, queue, queue_timeout, .. } = self.gateway;
        self.gateway = Gateway {
            max_body,
            first_byte_timeout,
            idle_timeout,
            request_timeout,
            max_concurrent_requests,
            queue,
            queue_timeout,
            ..old.gateway.clone()
        };
        self.metrics.clone_from(&old.metrics);
        self.database.clone_from(&old.database);
        self.events.clone_from(&old.events);
        self.identity.clone_from(&old.identity);
        self.service = Service { rate: self.service.rate, ..old.service.clone() };
        self.supervision.containment = old.supervision.containment;
        self.log = old.log;
        for (new, old) in self.settings.iter_mut().zip(&old.settings) {
            if old.about.needs_restart {
                new.clone_from(old);
            }
        }
    }
}

fn read(layers: &mut Layers<'_>, surroundings: &Surroundings) -> Config {
    let plugins = layers.read_path(&keys::PLUGINS);
    let data_dir =
        layers.read_path(&keys::DATA_DIR).unwrap_or_else(|| surroundings.data_dir.clone());
    let runtime_dir =
        layers.read_path(&keys::RUNTIME_DIR).unwrap_or_else(|| surroundings.runtime_dir.clone());
    let secrets = entries::secrets(layers);
    let mut plugin_entries = entries::plugins(layers);
    proctor::plugins(layers, &mut plugin_entries);
    let instances = entries::instances(layers, &secrets);
    let mut config = Config {
        plugins: plugins.unwrap_or_else(|| layers.absolute(Path::new("plugins"), true)),
        external_url: layers.read_optional(&keys::EXTERNAL_URL),
        trusted_proxies: layers.read(&keys::TRUSTED_PROXIES),
        gateway: gateway(layers),
        metrics: Metrics { listen: layers.read_optional(&keys::METRICS_LISTEN) },
        database: database::read(layers, &data_dir),
        events: events(layers),
        service: service::read(layers, &runtime_dir),
        auth: auth(layers),
        identity: identity::read(layers),
        callbacks: identity::callbacks(layers),
        supervision: supervision(layers),
        log: log(layers),
        plugin_entries,
        instances,
        settings: std::mem::take(&mut layers.settings),
        data_dir,
        runtime_dir,
        secrets,
    };
    if !layers.is_written(&keys::AUTH_INSTANCES.about) {
        config.auth.instances = proctor::instances(&config.plugin_entries, &config.instances);
    }
    together::check(layers, &config);
    config
}

fn gateway(layers: &mut Layers<'_>) -> Gateway {
    Gateway {
        listen: layers.read(&keys::GATEWAY_LISTEN),
        prefix: layers.read(&keys::GATEWAY_PREFIX),
        max_body: layers.read(&keys::GATEWAY_MAX_BODY),
        max_header_bytes: layers.read(&keys::GATEWAY_MAX_HEADER_BYTES),
        max_headers: layers.read(&keys::GATEWAY_MAX_HEADERS),
        first_byte_timeout: layers.read(&keys::GATEWAY_FIRST_BYTE_TIMEOUT),
        idle_timeout: layers.read(&keys::GATEWAY_IDLE_TIMEOUT),
        request_timeout: layers.read(&keys::GATEWAY_REQUEST_TIMEOUT),
        max_concurrent_requests: layers.read(&keys::GATEWAY_MAX_CONCURRENT_REQUESTS),
        queue: layers.read(&keys::GATEWAY_QUEUE),
        queue_timeout: layers.read(&keys::GATEWAY_QUEUE_TIMEOUT),
        max_connections: layers.read(&keys::GATEWAY_MAX_CONNECTIONS),
        workers: layers.read_optional(&keys::GATEWAY_WORKERS),
        access_log: layers.read_path(&keys::GATEWAY_ACCESS_LOG),
        tls: tls(layers),
    }
}

fn tls(layers: &mut Layers<'_>) -> Option<Tls> {
    let (certificate, key) = (&keys::GATEWAY_TLS_CERTIFICATE, &keys::GATEWAY_TLS_KEY);
    match (layers.read_path(certificate), layers.read_path(key)) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
        (None, None) => None,
        (Some(_), None) => layers.refuse_alone(&certificate.about, &key.about),
        (None, Some(_)) => layers.refuse_alone(&key.about, &certificate.about),
    }
}

fn events(layers: &mut Layers<'_>) -> Events {
    Events {
        max_event: layers.read(&keys::EVENTS_MAX_EVENT),
        max_bytes: layers.read(&keys::EVENTS_MAX_BYTES),
        pending: layers.read(&keys::EVENTS_PENDING),
        pending_bytes: layers.read(&keys::EVENTS_PENDING_BYTES),
        max_age: layers.read(&keys::EVENTS_MAX_AGE),
        attempts: layers.read(&keys::EVENTS_ATTEMPTS),
        timeout: layers.read(&keys::EVENTS_TIMEOUT),
        concurrency: layers.read(&keys::EVENTS_CONCURRENCY),
        retention: layers.read(&keys::EVENTS_RETENTION),
    }
}

fn auth(layers: &mut Layers<'_>) -> Auth {
    Auth {
        enabled: layers.read(&keys::AUTH_ENABLED),
        instances: layers.read(&keys::AUTH_INSTANCES),
        timeout: layers.read(&keys::AUTH_TIMEOUT),
        cache_ttl: layers.read(&keys::AUTH_CACHE_TTL),
        cache_entries: layers.read(&keys::AUTH_CACHE_ENTRIES),
        group_match: layers.read(&keys::AUTH_MATCH),
        admin_groups: layers.read(&keys::AUTH_ADMIN_GROUPS),
        email_header: layers.read(&keys::AUTH_EMAIL_HEADER),
        token_header: layers.read(&keys::AUTH_TOKEN_HEADER),
    }
}

fn supervision(layers: &mut Layers<'_>) -> Supervision {
    Supervision {
        start_timeout: layers.read(&keys::SUPERVISION_START_TIMEOUT),
        call_timeout: layers.read(&keys::SUPERVISION_CALL_TIMEOUT),
        stop_grace: layers.read(&keys::SUPERVISION_STOP_GRACE),
        drain_timeout: layers.read(&keys::SUPERVISION_DRAIN_TIMEOUT),
        backoff_min: layers.read(&keys::SUPERVISION_BACKOFF_MIN),
        backoff_max: layers.read(&keys::SUPERVISION_BACKOFF_MAX),
        max_restarts: layers.read(&keys::SUPERVISION_MAX_RESTARTS),
        restart_window: layers.read(&keys::SUPERVISION_RESTART_WINDOW),
        containment: layers.read(&keys::SUPERVISION_CONTAINMENT),
    }
}

fn log(layers: &mut Layers<'_>) -> Log {
    Log {
        level: layers.read(&keys::LOG_LEVEL),
        format: layers.read(&keys::LOG_FORMAT),
        plugin_rate: layers.read(&keys::LOG_PLUGIN_RATE),
    }
}

impl SecretSource {
    fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            Self::File(_) => None,
        }
    }
}
