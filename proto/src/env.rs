//! What a host tells a plugin through its environment, written and read.
//!
//! Pure: the environment comes in as a function and goes out as a list, so nothing here reads or
//! changes that of this process.

use std::ffi::OsString;
use std::path::PathBuf;

use thiserror::Error;

/// The variable that holds the cookie of Outboard's own plugins.
pub const COOKIE_KEY: &str = "OUTBOARD_PLUGIN";
/// Its value. No secret: it only tells a host's start from a person's.
pub const COOKIE_VALUE: &str = "7e1d9b54c0a84d9c8f0c3ba1d1f5a2be";
/// The version of Outboard's own plugin API.
pub const APP_VERSION: u32 = 1;
/// The variable with the gRPC target of the host's services, such as `unix:///run/x/host.sock`. At
/// most 100 bytes.
pub const HOST_ADDRESS: &str = "OUTBOARD_HOST_ADDRESS";
/// The metadata key that names the activation in calls to the host.
pub const ACTIVATION_METADATA: &str = "outboard-activation";

const MIN_PORT: &str = "PLUGIN_MIN_PORT";
const MAX_PORT: &str = "PLUGIN_MAX_PORT";
const PROTOCOL_VERSIONS: &str = "PLUGIN_PROTOCOL_VERSIONS";
const MULTIPLEX: &str = "PLUGIN_MULTIPLEX_GRPC";
const CLIENT_CERT: &str = "PLUGIN_CLIENT_CERT";
const SOCKET_DIR: &str = "PLUGIN_UNIX_SOCKET_DIR";
const SOCKET_GROUP: &str = "PLUGIN_UNIX_SOCKET_GROUP";

/// Every variable of the wire but the cookie. A host strips them from what it inherited before it
/// adds its own: one that is itself a plugin would hand its own host's settings on.
pub const WIRE_VARS: [&str; 7] =
    [MIN_PORT, MAX_PORT, PROTOCOL_VERSIONS, MULTIPLEX, CLIENT_CERT, SOCKET_DIR, SOCKET_GROUP];

/// What the host sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEnv {
    /// Name and value of the cookie. Neither may be empty.
    pub cookie: (String, String),
    /// The application versions that the host speaks, in any order.
    pub versions: Vec<u32>,
    /// The host's certificate; setting it asks for mutual TLS. Default: none.
    pub client_cert_pem: Option<String>,
    /// Where the plugin shall make its sockets. Default: the plugin's temporary directory.
    pub unix_socket_dir: Option<PathBuf>,
    /// Group (name or number) that may use the plugin's sockets. Default: they stay as created.
    pub unix_socket_group: Option<String>,
    /// Asks for a multiplexed broker.
    pub multiplex: bool,
    /// First and last port for plugins that listen on TCP. Only Go plugins on Windows care.
    pub ports: (u16, u16),
}

impl HostEnv {
    /// The variables to set, after all of [`WIRE_VARS`] were removed.
    pub fn vars(&self) -> Vec<(String, OsString)> {
        let (key, value) = &self.cookie;
        let versions: Vec<String> = self.versions.iter().map(u32::to_string).collect();
        let mut vars = vec![
            (key.clone(), OsString::from(value)),
            (MIN_PORT.to_owned(), self.ports.0.to_string().into()),
            (MAX_PORT.to_owned(), self.ports.1.to_string().into()),
            (PROTOCOL_VERSIONS.to_owned(), versions.join(",").into()),
        ];
        let optional = [
            (MULTIPLEX, self.multiplex.then(|| "true".into())),
            (CLIENT_CERT, self.client_cert_pem.as_ref().map(OsString::from)),
            (SOCKET_GROUP, self.unix_socket_group.as_ref().map(OsString::from)),
            (SOCKET_DIR, self.unix_socket_dir.clone().map(OsString::from)),
        ];
        for (name, value) in optional {
            vars.extend(value.map(|value| (name.to_owned(), value)));
        }
        vars
    }
}

/// What a plugin found.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEnv {
    /// The host's versions, in its order. Empty: an old host, or one that says nothing.
    pub versions: Vec<u32>,
    /// Items of the host's list that are no version, for a warning on stderr.
    pub bad_versions: Vec<String>,
    /// The host's certificate: turn on mutual TLS.
    pub client_cert_pem: Option<String>,
    /// Where to make sockets: what the host says, else `TMPDIR`, else `/tmp`.
    pub socket_dir: PathBuf,
    /// Group (name or number) to hand each socket to, with mode 0660.
    pub socket_group: Option<String>,
    /// The host asked for a multiplexed broker: the handshake line needs its seventh field.
    pub multiplex_asked: bool,
    /// gRPC target of the host's services. `None` under a host that is not Outboard.
    pub host_address: Option<String>,
}

/// Why a plugin must not start.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvError {
    /// The plugin's own configuration has an empty cookie.
    #[error("the plugin's cookie has an empty name or value; set both in its serve configuration")]
    CookieUnset,
    /// Started by a person, or by the host of another application.
    #[error(
        "this program is a plugin and is started by its host, not by hand ({key} is not set to \
         this application's cookie); put it into the plugin directory of its host"
    )]
    Cookie {
        /// The variable that should hold it.
        key: String,
    },
    /// A variable that must be text is not.
    #[error("{name} is not UTF-8; set it to text or unset it")]
    NotUtf8 {
        /// The variable.
        name: &'static str,
    },
}

impl PluginEnv {
    /// Reads what the host set; `var` gives a variable's value, as `std::env::var_os` does.
    ///
    /// An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// A wrong cookie: print the error on stderr and exit with 1, nothing on stdout.
    pub fn read(
        cookie: (&str, &str),
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, EnvError> {
        check_cookie(cookie, &var)?;
        let present = |name| var(name).filter(|value| !value.is_empty());
        let text =
            |name| present(name).map(OsString::into_string).transpose().map_err(|_| not_utf8(name));
        let (versions, bad_versions) = versions(&text(PROTOCOL_VERSIONS)?.unwrap_or_default());
        Ok(Self {
            versions,
            bad_versions,
            client_cert_pem: text(CLIENT_CERT)?,
            socket_dir: present(SOCKET_DIR)
                .or_else(|| present("TMPDIR"))
                .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
            socket_group: text(SOCKET_GROUP)?,
            multiplex_asked: present(MULTIPLEX).is_some(),
            host_address: text(HOST_ADDRESS)?,
        })
    }
}

fn not_utf8(name: &'static str) -> EnvError {
    EnvError::NotUtf8 { name }
}

fn check_cookie(
    (key, value): (&str, &str),
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<(), EnvError> {
    if key.is_empty() || value.is_empty() {
        return Err(EnvError::CookieUnset);
    }
    if var(key).is_some_and(|got| got == value) {
        return Ok(());
    }
    Err(EnvError::Cookie { key: key.to_owned() })
}

/// Items as strict decimal numbers, and those that are none, blanks included.
fn versions(list: &str) -> (Vec<u32>, Vec<String>) {
    let mut versions = Vec::new();
    let mut bad = Vec::new();
    if list.is_empty() {
        return (versions, bad);
    }
    for item in list.split(',') {
        match item.parse() {
            Ok(version) => versions.push(version),
            Err(_) => bad.push(item.to_owned()),
        }
    }
    (versions, bad)
}

/// The version that a plugin speaks: its highest that the host lists, else its lowest.
///
/// Falling back to the lowest lets hosts that send no list talk to new plugins; a host that does not
/// know it says so. An empty `ours` counts as [`APP_VERSION`] alone.
pub fn negotiate(host: &[u32], ours: &[u32]) -> u32 {
    let common = ours.iter().filter(|version| host.contains(version)).max();
    common.or_else(|| ours.iter().min()).copied().unwrap_or(APP_VERSION)
}

#[cfg(test)]
mod tests;
