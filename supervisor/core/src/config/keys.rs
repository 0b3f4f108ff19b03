//! Every key of an `outboard.toml`, once. Variables, flags, `--help`, `outboard config reference` and
//! the parser all come from here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use super::identity::{Audit, DeleteProfile, HashAlgorithm, SameSite, SecureCookie};
use super::service::Listen;
use super::{ContainmentRule, Database, LogFormat, LogLevel, Network, forms};
use crate::auth::GroupMatch;
use crate::event::Types;
use crate::grant::Groups;
use crate::identity::kind::InstanceKind;
use crate::identity::scheme::{LONGEST_EXPIRATION_S, MOST_USES};
use crate::name::{InstanceName, PluginName};
use crate::written::{About, Key};

/// Defines keys and the list of them together, so that none can be missing from it.
macro_rules! keys {
    ($list:ident: $($name:ident: $type:ty = $key:expr;)*) => {
        $(pub(super) const $name: Key<$type> = $key;)*
        /// In the order of the reference page.
        pub static $list: &[&About] = &[$(&$name.about),*];
    };
}

const HOUR: Duration = Duration::from_hours(1);
const YEAR: Duration = Duration::from_hours(365 * 24);
/// The least that a part of a request may be given.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The least that a plugin may be given to answer.
const SHORTEST_ANSWER: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_hours(24);

// What may also be a variable or a flag.
keys! { SETTINGS:
    PLUGINS: PathBuf = Key::path("plugins").needs_restart().doc(
        "The directory of plugins: each entry is a directory with a `plugin.toml`, or an executable alone. \
         Default: `plugins` beside `outboard.toml`, or in the working directory without one.");
    DATA_DIR: PathBuf = Key::path("data_dir").needs_restart().doc(
        "What must survive: the imported plugins, their work directories, the SQLite database. One supervisor \
         at a time. Default: `/var/lib/outboard` for root, `$XDG_DATA_HOME/outboard` or \
         `~/.local/share/outboard` for others.");
    RUNTIME_DIR: PathBuf = Key::path("runtime_dir").needs_restart().doc(
        "Sockets, gone with the supervisor. Keep it short: the path of a socket has at most 107 bytes. \
         Default: `/run/outboard` for root, `$XDG_RUNTIME_DIR/outboard` or `/tmp/outboard-UID` for others.");
    EXTERNAL_URL: String = Key::text("external_url", "a URL that begins with http:// or https://", forms::external_url).needs_restart().doc(
        "Where clients reach the gateway, without the prefix; plugins build links from it. \
         Default: `http://`, or `https://` with `gateway.tls`, and the address that the gateway listens on.");
    TRUSTED_PROXIES: Vec<Network> = Key::list("trusted_proxies", "a list of ranges of IP addresses, such as \"10.0.0.0/8\"", forms::networks)
        .default("").doc(
        "Proxies whose `Forwarded` and `X-Forwarded-For` are believed. Those of anybody else are ignored.");

    GATEWAY_LISTEN: SocketAddr = Key::text("gateway.listen", "an IP address and a port, such as \"127.0.0.1:4593\" or \"[::1]:4593\"", forms::socket_address)
        .default("127.0.0.1:4593").flag("listen").needs_restart().doc(
        "Where HTTP requests come in. Port 0 takes any free one.");
    GATEWAY_PREFIX: String = Key::text("gateway.prefix", "one path segment of letters, digits, \"-\", \"_\" and \".\"", forms::prefix)
        .default("api").needs_restart().doc(
        "The first segment of every path: `/<prefix>/<instance>/<endpoint>`.");
    GATEWAY_WORKERS: u32 = Key::count("gateway.workers", 1, 1024).needs_restart().doc(
        "How many threads answer requests, each with connections of its own to the plugins. Default: one for \
         each core.");
    GATEWAY_MAX_BODY: ByteSize = Key::size("gateway.max_body", ByteSize::b(0), ByteSize::tib(1)).default("3MiB").doc(
        "The largest request body; a larger one is answered with 413. Bodies pass in pieces, so a large one costs \
         no memory; but a plugin without an SDK gets each in one message of at most 4 MiB with the headers, \
         whatever is said here.");
    GATEWAY_MAX_HEADER_BYTES: ByteSize = Key::size("gateway.max_header_bytes", ByteSize::kib(8), ByteSize::mib(1))
        .default("64KiB").needs_restart().doc(
        "The most bytes of request line and headers together; more are answered with 431.");
    GATEWAY_MAX_HEADERS: u32 = Key::count("gateway.max_headers", 10, 1000).default("100").needs_restart().doc(
        "The most header lines; more are answered with 431.");
    GATEWAY_FIRST_BYTE_TIMEOUT: Duration = Key::duration("gateway.first_byte_timeout", SHORTEST_WAIT, YEAR).default("30s").doc(
        "From the end of a request to the beginning of its response. After that its plugin's work is cancelled and \
         the client gets a 504.");
    GATEWAY_IDLE_TIMEOUT: Duration = Key::duration("gateway.idle_timeout", SHORTEST_WAIT, YEAR).default("60s").doc(
        "How long a body, or an upgraded connection, may stand still. After that the client gets a 408 if the rest \
         of its body is awaited, else the response or the connection is cut off.");
    GATEWAY_REQUEST_TIMEOUT: Duration = Key::duration("gateway.request_timeout", SHORTEST_WAIT, YEAR).default("1h").doc(
        "From a request's head to the end of its response. After that its plugin's work is cancelled; the client \
         gets a 408 if the rest of its body is awaited, a 504 if its response has not begun, else the response is \
         cut off. Upgraded connections, such as WebSockets, have no such limit.");
    GATEWAY_MAX_CONCURRENT_REQUESTS: u32 = Key::count("gateway.max_concurrent_requests", 1, 1_000_000).default("1000").doc(
        "The most requests that one plugin answers at a time, over all its instances and processes; further ones wait.");
    GATEWAY_QUEUE: u32 = Key::count("gateway.queue", 0, 1_000_000).default("1000").doc(
        "The most requests that wait for one plugin, and for one endpoint that has a limit of its own; further ones \
         are answered with 503 at once.");
    GATEWAY_QUEUE_TIMEOUT: Duration = Key::duration("gateway.queue_timeout", Duration::ZERO, HOUR).default("5s").doc(
        "The longest such wait, in the order of arrival. After that the answer is 503.");
    GATEWAY_ACCESS_LOG: PathBuf = Key::path("gateway.access_log").needs_restart().doc(
        "A file that gets a line of JSON for each request. It is opened anew on SIGHUP, so that it can be rotated. \
         Queries are left out, since they may hold secrets. Default: none is written.");
    GATEWAY_MAX_CONNECTIONS: u32 = Key::count("gateway.max_connections", 1, 1_000_000).default("10000").needs_restart().doc(
        "The most connections of clients at a time; further ones wait to be accepted. Each needs a file \
         descriptor: see `ulimit -n`.");

    GATEWAY_TLS_CERTIFICATE: PathBuf = Key::path("gateway.tls.certificate").needs_restart().doc(
        "A PEM file with the gateway's certificate and those between it and its authority, in that order. With it the \
         gateway speaks HTTPS and nothing else. Needs `gateway.tls.key`. Both files are read again at each reload. \
         Default: plain HTTP.");
    GATEWAY_TLS_KEY: PathBuf = Key::path("gateway.tls.key").needs_restart().doc(
        "A PEM file with the certificate's private key: PKCS #8, PKCS #1 or SEC 1, without a passphrase.");

    METRICS_LISTEN: SocketAddr = Key::text("metrics.listen", "an IP address and a port, such as \"127.0.0.1:4594\"", forms::socket_address)
        .needs_restart().doc(
        "Where `GET /metrics` is answered, in the text format of Prometheus, to whoever reaches it. Default: nowhere.");

    DATABASE_URL: Database = Key::text("database.url", "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME", forms::database)
        .flag("database").secret().needs_restart().doc(
        "Where instances and what plugins store are kept. Supervisors may share a PostgreSQL database, never a \
         SQLite file. Default: `outboard.db` in the data directory.");

    EVENTS_MAX_EVENT: ByteSize = Key::size("events.max_event", ByteSize::kib(1), ByteSize::mib(16)).default("1MiB").needs_restart().doc(
        "The largest event, as JSON; a larger one is answered with 413.");
    EVENTS_MAX_BYTES: ByteSize = Key::size("events.max_bytes", ByteSize::kib(64), ByteSize::tib(1)).default("1GiB").needs_restart().doc(
        "The most bytes of events that are not yet delivered to all notifiers, dead letters among them. While there \
         are as many, new events are answered with 429.");
    EVENTS_PENDING: u32 = Key::count("events.pending", 1, 100_000_000).default("1000000").needs_restart().doc(
        "The most events that wait for one notifier. Beyond it, the oldest of that notifier become dead letters.");
    EVENTS_PENDING_BYTES: ByteSize = Key::size("events.pending_bytes", ByteSize::kib(64), ByteSize::tib(1)).default("512MiB").needs_restart().doc(
        "The most bytes of events that wait for one notifier. Beyond it, the oldest of that notifier become dead letters.");
    EVENTS_MAX_AGE: Duration = Key::duration("events.max_age", SHORTEST_ANSWER, YEAR).default("3d").needs_restart().doc(
        "How long an event may wait for a notifier before it becomes a dead letter.");
    EVENTS_ATTEMPTS: u32 = Key::count("events.attempts", 1, 1000).default("50").needs_restart().doc(
        "How often an event is tried at a notifier before it becomes a dead letter. The first wait is about 1 s, \
         doubled for each further one, up to 5 min; or what the notifier asks for.");
    EVENTS_TIMEOUT: Duration = Key::duration("events.timeout", SHORTEST_ANSWER, HOUR).default("30s").needs_restart().doc(
        "How long a notifier may take for one event. After that it is tried again.");
    EVENTS_CONCURRENCY: u32 = Key::count("events.concurrency", 1, 1000).default("32").needs_restart().doc(
        "How many events one notifier is told of at once. Those of one key come one by one all the same.");
    EVENTS_RETENTION: Duration = Key::duration("events.retention", DAY, YEAR).default("24h").needs_restart().doc(
        "How long an event that was delivered is remembered: that it is told apart from a repeat, and that \
         `outboard event show` finds it.");

    SERVICE_LISTEN: Listen = Key::text("service.listen", "\"unix\", \"unix:PATH\", an IP address and a port, or \"off\"", forms::service_listen)
        .default("unix").needs_restart().doc(
        "Where services announce events and ask who somebody is: `/v1/events`, `/v1/authenticate`, `/v1/authorize`, \
         `/v1/forward-auth`, and the same over gRPC. `unix`: `service.sock` in the runtime directory. An IP address \
         needs `service.tls`.");
    SERVICE_GROUP: String = Key::text("service.group", "the name or number of a group", forms::group).needs_restart().doc(
        "A group whose members may connect to the Unix socket, besides the supervisor's own user and root. Default: \
         nobody else.");
    SERVICE_RATE: u32 = Key::count("service.rate", 1, 10_000_000).default("10000").doc(
        "The most requests a second of one caller, which is a user of the system or the subject of a certificate. \
         More are answered with 429.");
    SERVICE_TLS_CERTIFICATE: PathBuf = Key::path("service.tls.certificate").needs_restart().doc(
        "A PEM file with the certificate that is shown to callers over TCP, and those between it and its authority. \
         Needs the other two of `service.tls`.");
    SERVICE_TLS_KEY: PathBuf = Key::path("service.tls.key").needs_restart().doc(
        "A PEM file with that certificate's private key: PKCS #8, PKCS #1 or SEC 1, without a passphrase.");
    SERVICE_TLS_CLIENTS: PathBuf = Key::path("service.tls.clients").needs_restart().doc(
        "A PEM file with the authorities whose certificates callers over TCP must have. Who has one may announce \
         events and ask who somebody is, so let it be an authority of its own.");

    AUTH_ENABLED: bool = Key::switch("auth.enabled").default("true").doc(
        "False: everybody passes, as nobody in particular; plugins that only authenticate are not started, and each \
         start warns.");
    AUTH_INSTANCES: Vec<InstanceName> = Key::list("auth.instances", "a list of names of instances", forms::instance_names).default("").doc(
        "The instances that are asked who somebody is, in this order: the next one only where the one before knows \
         nobody of that e-mail. Default: the only one there is.");
    AUTH_TIMEOUT: Duration = Key::duration("auth.timeout", MILLISECOND, Duration::from_mins(5)).default("5s").doc(
        "How long they may take to say so. After that the answer is 503.");
    AUTH_CACHE_TTL: Duration = Key::duration("auth.cache_ttl", Duration::ZERO, DAY).default("60s").doc(
        "How long what an instance has said of a user holds without asking again. So long a user who has lost a right \
         may keep it; `0s` asks every time.");
    AUTH_CACHE_ENTRIES: u32 = Key::count("auth.cache_entries", 1, 10_000_000).default("10000").doc(
        "The most users whose answers are kept so.");
    AUTH_MATCH: GroupMatch = Key::choice("auth.match").default("all").doc(
        "How many of the required groups a user must be in, where the question does not say: every one, or at \
         least one.");
    AUTH_ADMIN_GROUPS: Vec<String> = Key::list("auth.admin_groups", "a list of names of groups", forms::groups)
        .default("proctor.admin").doc(
        "The groups that a user needs for what is for administrators (`?admin=1` of `/v1/forward-auth`), as many \
         of them as `auth.match` says.");
    AUTH_EMAIL_HEADER: String = Key::text("auth.email_header", "the name of a header", forms::header).default("Email-Id").doc(
        "The header by which clients say who they are.");
    AUTH_TOKEN_HEADER: String = Key::text("auth.token_header", "the name of a header", forms::header).default("Access-Token").doc(
        "The header by which clients prove it. `Authorization`: `Bearer TOKEN`, or `Basic` with e-mail and token.");

    LOGIN_URL: String = Key::text("login.url", "a path without a slash at its beginning, such as \"login.html\"", forms::page)
        .default("login.html").needs_restart().doc(
        "Where people log in, behind `external_url` and a slash. Plugins send browsers there.");
    LOGIN_ADMIN_SCOPE: String = Key::text("login.admin_scope", "the name of a scope", forms::scope)
        .default("g_admin").needs_restart().doc("The scope of those who may use the host's API for administrators.");
    LOGIN_PROFILE_SCOPE: String = Key::text("login.profile_scope", "the name of a scope", forms::scope)
        .default("g_profile").needs_restart().doc("The scope of those who may see and change their own profile.");
    LOGIN_ADMIN_NAME: String = Key::text("login.admin_name", "the name of a user", forms::line)
        .default("admin").needs_restart().doc(
        "The administrator that a first start makes, with a password that is printed once.");
    LOGIN_ATTEMPTS: u32 = Key::count("login.attempts", 1, 1_000_000).default("10").needs_restart().doc(
        "Wrong passwords of one user name in a minute. Beyond that even the right one is refused for a while; \
         pages, API and plugins share this.");
    LOGIN_ATTEMPTS_ADDRESS: u32 = Key::count("login.attempts_address", 1, 1_000_000).default("60").needs_restart().doc(
        "Wrong passwords from one client address in a minute, whosever they are.");
    LOGIN_BACKEND_TIMEOUT: Duration = Key::duration("login.backend_timeout", SHORTEST_ANSWER, Duration::from_mins(5))
        .default("5s").needs_restart().doc(
        "How long a plugin that keeps users or clients may take for one question.");
    LOGIN_SCHEME_TIMEOUT: Duration = Key::duration("login.scheme_timeout", SHORTEST_ANSWER, Duration::from_mins(5))
        .default("10s").needs_restart().doc("How long a plugin that authenticates users may take for one question.");
    LOGIN_DELETE_PROFILE: DeleteProfile = Key::choice("login.delete_profile").default("delete").needs_restart().doc(
        "What becomes of an account whose user gives it up on the profile page: it is deleted, or disabled, or users \
         can't do so.");

    SESSION_COOKIE: String = Key::text("session.cookie", "the name of a cookie", forms::cookie)
        .default("GLEWLWYD2_SESSION_ID").needs_restart().doc(
        "The host's cookie. Plugins never see it, and can't set one of this name.");
    SESSION_EXPIRES: Duration = Key::duration("session.expires", Duration::from_secs(1), YEAR).default("4w").needs_restart().doc(
        "How long a session lasts after the last sign-in in it. Using it makes it no longer.");
    SESSION_DOMAIN: String = Key::text("session.domain", "the name of a domain, such as \"example.org\"", forms::domain)
        .needs_restart().doc(
        "The domain whose hosts all get the cookie. Default: only the host of `external_url` gets it, which is \
         safer.");
    SESSION_SAME_SITE: SameSite = Key::choice("session.same_site").default("lax").needs_restart().doc(
        "Whether browsers send the cookie on requests that other sites lead to: on plain links (`lax`), on none \
         (`strict`), on all (`none`).");
    SESSION_SECURE: SecureCookie = Key::choice("session.secure").default("auto").needs_restart().doc(
        "Whether browsers send the cookie over HTTPS only. `auto`: if `external_url` begins with https://.");
    SESSION_MULTIPLE: bool = Key::switch("session.multiple").default("true").needs_restart().doc(
        "True: several users can be logged in at once in one browser, and change between each other.");

    PASSWORD_MEMORY: ByteSize = Key::size("password.memory", ByteSize::kib(64), ByteSize::gib(4)).default("19MiB").needs_restart().doc(
        "Memory for hashing a password with Argon2id. Hashes of other settings are still understood, and made anew at the \
         next log-in.");
    PASSWORD_ITERATIONS: u32 = Key::count("password.iterations", 1, 100).default("2").needs_restart().doc(
        "Passes of Argon2id over that memory.");
    PASSWORD_PARALLELISM: u32 = Key::count("password.parallelism", 1, 8).default("1").needs_restart().doc(
        "Lanes of Argon2id.");
    PASSWORD_LEAST: u32 = Key::count("password.least", 1, 128).default("8").needs_restart().doc(
        "The fewest characters of a new password.");

    HASH_ALGORITHM: HashAlgorithm = Key::choice("hash.algorithm").default("SHA256").needs_restart().doc(
        "How the host hashes what plugins look up by its hash (`Host.Hash`). A change makes them forget what they \
         have kept so.");
    LOCATE_DATABASE: PathBuf = Key::path("locate.database").needs_restart().doc(
        "A file in MaxMind's format (`.mmdb`) that tells where IP addresses are (`Host.Locate`). Default: nobody is \
         told.");
    CORS_ORIGINS: Vec<String> = Key::list("cors.origins", "a list of origins, such as \"https://app.example.org\"", forms::origins)
        .default("").needs_restart().doc(
        "Origins whose pages may use the host's API in the name of whoever looks at them. Default: none but the \
         host's own.");
    ADMIN_LISTEN: SocketAddr = Key::text("admin.listen", "an IP address and a port, such as \"127.0.0.1:4596\"", forms::socket_address)
        .needs_restart().doc(
        "Where the host's API for administrators is answered, and no longer by the gateway. Default: by the gateway, \
         with the rest.");
    STORAGE_QUOTA: ByteSize = Key::size("storage.quota", ByteSize::kib(1), ByteSize::tib(1)).default("64MiB").needs_restart().doc(
        "The most bytes that one instance may keep in the host's storage.");
    CALLBACKS_RATE: u32 = Key::count("callbacks.rate", 1, 100_000_000).default("10000").doc(
        "The most calls a second that one instance may make to one of the host's services. More are answered with \
         RESOURCE_EXHAUSTED.");
    CALLBACKS_AUDIT: Audit = Key::choice("callbacks.audit").default("writes").doc(
        "Which calls of plugins to the host are written to the log, with the target `audit`. `writes`: those that \
         change something about users, clients and schemes, and those that were denied.");
    THEME_DIR: PathBuf = Key::path("theme.dir").needs_restart().doc(
        "A directory of templates and styles that stand instead of the host's own of the same names. Default: the \
         host's own.");
    THEME_TITLE: String = Key::text("theme.title", "1 to 128 characters on one line", forms::line)
        .default("Outboard").needs_restart().doc("What the host's pages call this place.");

    SUPERVISION_START_TIMEOUT: Duration = Key::duration("supervision.start_timeout", forms::SHORTEST_START, forms::LONGEST_START)
        .default("60s").doc(
        "How long a plugin may take from its start to the handshake. A manifest may say otherwise.");
    SUPERVISION_CALL_TIMEOUT: Duration = Key::duration("supervision.call_timeout", forms::SHORTEST_CALL, forms::LONGEST_CALL)
        .default("10s").doc(
        "How long each of `Load`, `Init`, `Check`, `Close` and `Unload` may take. A manifest may say otherwise.");
    SUPERVISION_STOP_GRACE: Duration = Key::duration("supervision.stop_grace", Duration::ZERO, HOUR).default("5s").doc(
        "How long a plugin may take to leave before it is killed. It is asked, and gets SIGTERM for the last quarter of that, at most 1 s; one that can not be asked gets it at once.");
    SUPERVISION_DRAIN_TIMEOUT: Duration = Key::duration("supervision.drain_timeout", Duration::ZERO, HOUR).default("10s").doc(
        "How long requests may go on in a process that is to stop or to be replaced.");
    SUPERVISION_BACKOFF_MIN: Duration = Key::duration("supervision.backoff_min", MILLISECOND, HOUR).default("100ms").doc(
        "The wait before the second start in a row after a loss, doubled for each further one. The first is at once.");
    SUPERVISION_BACKOFF_MAX: Duration = Key::duration("supervision.backoff_max", MILLISECOND, HOUR).default("30s").doc(
        "The longest such wait.");
    SUPERVISION_MAX_RESTARTS: u32 = Key::count("supervision.max_restarts", 0, 1_000_000).default("10").doc(
        "More restarts than this inside `supervision.restart_window` are a failure, and only a person starts the \
         plugin again.");
    SUPERVISION_RESTART_WINDOW: Duration = Key::duration("supervision.restart_window", MILLISECOND, Duration::from_hours(24 * 7))
        .default("60s").doc("See `supervision.max_restarts`.");
    SUPERVISION_CONTAINMENT: ContainmentRule = Key::choice("supervision.containment").default("auto").needs_restart().doc(
        "How a plugin's processes are held together, so that none outlives it. `auto`: a PID namespace where the \
         system allows one, else a sub-reaper. `required`: a PID namespace, or no start. `off`: a sub-reaper.");

    LOG_LEVEL: LogLevel = Key::choice("log.level").default("info").needs_restart().doc(
        "The least level that is logged, plugins' lines included.");
    LOG_FORMAT: LogFormat = Key::choice("log.format").default("text").needs_restart().doc(
        "How log lines are written to stderr: for people, or a JSON object each.");
    LOG_PLUGIN_RATE: u32 = Key::count("log.plugin_rate", 1, 1_000_000).default("1000").needs_restart().doc(
        "The most log lines of one plugin in a second. The rest are dropped, and how many is logged.");
}

// What only a file can say.
keys! { ENTRIES:
    SECRETS: () = Key::table("secrets", "a table: name = { file = \"path\" } or name = { env = \"VARIABLE\" }").doc(
        "Secrets by name, each from a file (its last newline is dropped) or a variable. Parameters of instances \
         refer to them: `token = { secret = \"name\" }`.");

    PLUGIN_NAME: PluginName = Key::text("plugin.name", "1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first", forms::plugin_name).doc(
        "Which plugin a `[[plugin]]` is about. Required. Plugins need none to run.");
    PLUGIN_PATH: PathBuf = Key::path("plugin.path").doc(
        "Where it is, if not in the directory of plugins: a directory with a manifest, or an executable.");
    PLUGIN_ENABLED: bool = Key::switch("plugin.enabled").default("true").doc("False: it is not started.");
    PLUGIN_USER: String = Key::text("plugin.user", "the name or number of a user", forms::user).doc(
        "The user it runs as. Needs a supervisor that runs as root. Default: the manifest's, else the supervisor's own.");
    PLUGIN_ENV: () = Key::table("plugin.env", "a table: NAME = \"value\"").doc(
        "Variables that it gets besides those of its manifest. Secrets belong into parameters instead.");
    PLUGIN_REMOTE_TCP: bool = Key::switch("plugin.grants.remote_tcp").default("false").doc(
        "Grants that it may listen on a TCP address other than loopback, if its manifest asks for it.");
    PLUGIN_EMIT: Types = Key::list("plugin.grants.emit", forms::TYPES, forms::types).default("").doc(
        "Grants that it may announce events of these types, as far as its manifest asks for them.");
    PLUGIN_CALLBACKS: Groups = Key::list("plugin.grants.callbacks", forms::GROUPS, forms::groups_of_calls).default("").doc(
        "Grants that it may make these calls to the host, as far as its manifest asks for them, whatever version it is. \
         `outboard plugin grant` grants to one version instead.");
    PLUGIN_MAX_BODY: ByteSize = Key::size("plugin.limits.max_body", ByteSize::b(0), ByteSize::tib(1)).doc(
        "For its requests, instead of `gateway.max_body`; like all limits here it may be larger or smaller. Its \
         endpoints may have smaller ones.");
    PLUGIN_FIRST_BYTE_TIMEOUT: Duration = Key::duration("plugin.limits.first_byte_timeout", SHORTEST_WAIT, YEAR).doc(
        "For its requests, instead of `gateway.first_byte_timeout`.");
    PLUGIN_IDLE_TIMEOUT: Duration = Key::duration("plugin.limits.idle_timeout", SHORTEST_WAIT, YEAR).doc(
        "For its requests, instead of `gateway.idle_timeout`.");
    PLUGIN_REQUEST_TIMEOUT: Duration = Key::duration("plugin.limits.request_timeout", SHORTEST_WAIT, YEAR).doc(
        "For its requests, instead of `gateway.request_timeout`.");
    PLUGIN_MAX_CONCURRENT_REQUESTS: u32 = Key::count("plugin.limits.max_concurrent_requests", 1, 1_000_000).doc(
        "For it, instead of `gateway.max_concurrent_requests`.");

    INSTANCE_PLUGIN: PluginName = Key::text("instance.plugin", "the name of a plugin", forms::plugin_name).doc(
        "Which plugin an `[[instance]]` is a configured copy of. Required. A plugin without any gets one of its own \
         name with its manifest's parameters.");
    INSTANCE_NAME: InstanceName = Key::text("instance.name", "1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first", forms::instance_name).doc(
        "Its name, and the second segment of its paths. Default: the plugin's name.");
    INSTANCE_PARAMETERS: () = Key::table("instance.parameters", "a table").doc(
        "What it is told when it starts. `{ secret = \"name\" }` stands for a secret.");
    INSTANCE_ENABLED: bool = Key::switch("instance.enabled").default("true").doc("False: it is kept but not started.");
    INSTANCE_KIND: InstanceKind = Key::choice("instance.kind").default("plugin").doc(
        "What it is there for: endpoints, events and the like (`plugin`), authenticating users beyond their password \
         (`scheme`), keeping users (`user`) or clients (`client`). The plugin must be able to.");
    INSTANCE_DISPLAY_NAME: String = Key::text("instance.display_name", "1 to 128 characters on one line", forms::line).doc(
        "What people are told that it is called. Default: its name.");
    INSTANCE_RANK: u32 = Key::count("instance.rank", 0, 1_000_000).default("0").doc(
        "Of instances that keep users or clients, the order in which they are asked, lowest first, all of them after the \
         host's own database.");
    INSTANCE_READONLY: bool = Key::switch("instance.readonly").default("false").doc(
        "True: of an instance that keeps users or clients, nothing is changed there.");
    INSTANCE_SCHEME_EXPIRATION: Duration = Key::duration("instance.scheme.expiration", Duration::ZERO, Duration::from_secs(LONGEST_EXPIRATION_S)).default("0s").doc(
        "Of an instance that authenticates: how long that counts. `0s`: as long as the session.");
    INSTANCE_SCHEME_MAX_USE: u32 = Key::count("instance.scheme.max_use", 0, MOST_USES).default("0").doc(
        "Of an instance that authenticates: how often that may be used. 0: any number of times.");
    INSTANCE_SCHEME_REGISTER: bool = Key::switch("instance.scheme.allow_user_register").default("true").doc(
        "Of an instance that authenticates: whether users may register it themselves.");
    INSTANCE_SCHEME_NO_PROFILE: bool = Key::switch("instance.scheme.forbid_user_profile").default("false").doc(
        "Of an instance that authenticates: true if users may not see it on their profile.");
    INSTANCE_SCHEME_NO_RESET: bool = Key::switch("instance.scheme.forbid_user_reset_credential").default("false").doc(
        "Of an instance that authenticates: true if it is no way to get back into an account.");
    INSTANCE_ISOLATE: bool = Key::switch("instance.isolate").default("false").doc(
        "True: it gets a process of its own. Otherwise instances of one plugin share one, and trust each other.");
}
