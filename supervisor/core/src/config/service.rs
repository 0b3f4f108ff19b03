//! Where services plug in: on a Unix socket by default, on TCP only with certificates on both sides.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::keys;
use super::layers::Layers;
use crate::written::Key;

/// The socket's file, in the runtime directory.
const FILE_NAME: &str = "service.sock";

/// The longest path of a socket, in bytes.
const LONGEST_SOCKET: usize = 107;

/// The listener for services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub listen: ServiceListen,
    /// Whose members may connect to the Unix socket, by name or number.
    pub group: Option<String>,
    /// Requests of one caller in a second.
    pub rate: u32,
    /// Always there where it listens on TCP.
    pub tls: Option<ServiceTls>,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceListen {
    Unix(PathBuf),
    Tcp(SocketAddr),
    Off,
}

/// The PEM files that it speaks TLS with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTls {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities of the callers' certificates.
    pub clients: PathBuf,
}

/// What may be written as `service.listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    Default,
    Unix(PathBuf),
    Tcp(SocketAddr),
    Off,
}

pub(super) fn read(layers: &mut Layers<'_>, runtime_dir: &Path) -> Service {
    let listen = listen(layers, runtime_dir);
    let group = layers.read_optional(&keys::SERVICE_GROUP);
    let rate = layers.read(&keys::SERVICE_RATE);
    let tls = tls(layers);
    if tls.is_none() && matches!(listen, ServiceListen::Tcp(_)) {
        let place = layers.place_of(&keys::SERVICE_LISTEN.about);
        layers.mistakes.add(
            place,
            "service.listen on TCP needs service.tls.certificate, service.tls.key and service.tls.clients; set all \
             three, or listen on \"unix\"",
        );
    }
    Service { listen, group, rate, tls }
}

fn listen(layers: &mut Layers<'_>, runtime_dir: &Path) -> ServiceListen {
    match layers.read_written(&keys::SERVICE_LISTEN) {
        None | Some((Listen::Default, _)) => ServiceListen::Unix(runtime_dir.join(FILE_NAME)),
        Some((Listen::Unix(path), is_in_file)) => {
            let path = layers.absolute(&path, is_in_file);
            if path.as_os_str().len() > LONGEST_SOCKET {
                let place = layers.place_of(&keys::SERVICE_LISTEN.about);
                let message = format!(
                    "service.listen: the path of a socket has at most {LONGEST_SOCKET} bytes; choose a shorter one"
                );
                layers.mistakes.add(place, message);
            }
            ServiceListen::Unix(path)
        }
        Some((Listen::Tcp(address), _)) => ServiceListen::Tcp(address),
        Some((Listen::Off, _)) => ServiceListen::Off,
    }
}

fn tls(layers: &mut Layers<'_>) -> Option<ServiceTls> {
    let keys: [&Key<PathBuf>; 3] =
        [&keys::SERVICE_TLS_CERTIFICATE, &keys::SERVICE_TLS_KEY, &keys::SERVICE_TLS_CLIENTS];
    let [certificate, key, clients] = keys.map(|key| layers.read_path(key));
    if let (Some(certificate), Some(key), Some(clients)) = (&certificate, &key, &clients) {
        let (certificate, key, clients) = (certificate.clone(), key.clone(), clients.clone());
        return Some(ServiceTls { certificate, key, clients });
    }
    let written = keys.iter().find(|key| layers.is_written(&key.about))?;
    for missing in keys.iter().filter(|key| !layers.is_written(&key.about)).collect::<Vec<_>>() {
        layers.refuse_alone::<()>(&written.about, &missing.about);
    }
    None
}
