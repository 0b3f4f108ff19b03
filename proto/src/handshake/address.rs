//! Where a side listens, as the handshake and the broker write it.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use thiserror::Error;

use super::quote;

/// `sun_path` of Linux holds 108 bytes; one is the NUL, at the end of a path or before a name.
const LONGEST_UNIX: usize = 107;

/// The longest name of a host that DNS knows has 253 bytes; a colon and a port take six.
const LONGEST_TCP: usize = 260;

/// Where the other side listens.
///
/// `Display` gives what stands on the wire, without the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A socket in Linux's abstract namespace, without the leading NUL; `@name` on the wire.
    Abstract(Vec<u8>),
    /// `host:port`, well-formed but not resolved. An empty host means this machine.
    Tcp(String),
}

/// Why an address can't be used.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The network is neither `unix` nor `tcp`.
    #[error("unknown network {got}; use \"unix\" or \"tcp\"")]
    Network {
        /// The network, quoted.
        got: String,
    },
    /// The path is empty or has a NUL in it.
    #[error("the Unix socket path {got} is empty or has a NUL byte in it; print the socket's path")]
    UnixPath {
        /// The path, quoted.
        got: String,
    },
    /// More bytes than any socket address of that network takes.
    #[error("the {network} address {got} has more than {limit} bytes; listen at a shorter one")]
    TooLong {
        /// `unix` or `tcp`.
        network: &'static str,
        /// The address, quoted.
        got: String,
        /// In bytes.
        limit: usize,
    },
    /// Not `host:port`.
    #[error(
        "the TCP address {got} is not \"host:port\" with a port from 1 to 65535; write an IPv6 \
         address in brackets"
    )]
    Tcp {
        /// The address, quoted.
        got: String,
    },
}

impl Address {
    /// Reads the network and address fields of a handshake or of a broker's announcement.
    ///
    /// # Errors
    ///
    /// When the network is unknown, or the address is not one of that network: more than 107 bytes for
    /// a Unix socket's path or name and 260 for TCP never are.
    pub fn parse(network: &[u8], address: &[u8]) -> Result<Self, AddressError> {
        match network {
            b"unix" => unix(address),
            b"tcp" => tcp(address),
            _ => Err(AddressError::Network { got: quote(network) }),
        }
    }

    /// The field before the address: `unix` or `tcp`.
    pub fn network(&self) -> &'static str {
        match self {
            Self::Unix(_) | Self::Abstract(_) => "unix",
            Self::Tcp(_) => "tcp",
        }
    }

    /// Host and port of a TCP address.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match self {
            Self::Tcp(address) => host_and_port(address),
            Self::Unix(_) | Self::Abstract(_) => None,
        }
    }

    /// Whether a handshake line can carry it: UTF-8, and neither `|` nor a line end.
    pub fn is_printable(&self) -> bool {
        let bytes = match self {
            Self::Unix(path) => path.as_os_str().as_bytes(),
            Self::Abstract(name) => name,
            Self::Tcp(address) => address.as_bytes(),
        };
        std::str::from_utf8(bytes).is_ok() && !bytes.iter().any(|byte| b"|\r\n\0".contains(byte))
    }
}

fn unix(address: &[u8]) -> Result<Address, AddressError> {
    check_length("unix", address, address.strip_prefix(b"@").unwrap_or(address), LONGEST_UNIX)?;
    match address {
        [b'@', name @ ..] if !name.is_empty() => Ok(Address::Abstract(name.to_owned())),
        [] | [b'@'] => Err(AddressError::UnixPath { got: quote(address) }),
        path if path.contains(&0) => Err(AddressError::UnixPath { got: quote(address) }),
        path => Ok(Address::Unix(PathBuf::from(OsStr::from_bytes(path)))),
    }
}

/// Before anything else: whoever announces it may be hostile, and it is kept until it is dialled.
fn check_length(
    network: &'static str,
    address: &[u8],
    counted: &[u8],
    limit: usize,
) -> Result<(), AddressError> {
    if counted.len() <= limit {
        return Ok(());
    }
    Err(AddressError::TooLong { network, got: quote(address), limit })
}

fn tcp(address: &[u8]) -> Result<Address, AddressError> {
    check_length("tcp", address, address, LONGEST_TCP)?;
    std::str::from_utf8(address)
        .ok()
        .filter(|address| host_and_port(address).is_some())
        .map(|address| Address::Tcp(address.to_owned()))
        .ok_or_else(|| AddressError::Tcp { got: quote(address) })
}

/// Splits as Go does: the last colon ends the host, and a host with colons stands in brackets.
fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let is_decimal = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_decimal && *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains([':', ']']) => return None,
        None => host,
    };
    let is_host = !host.contains(|char: char| char.is_whitespace() || char.is_control());
    (is_host && !host.contains(['[', ']'])).then_some((host, port))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
