//! What can be wrong with a handshake line, each with what to do about it.

use thiserror::Error;

use super::{AddressError, CORE_VERSION};

/// How many characters of an offending value are quoted.
const LONGEST_QUOTE: usize = 120;

/// Why a handshake was refused. Quoted values are escaped and cut after 120 characters.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// Fewer than four fields: not a handshake at all.
    #[error(
        "expected a handshake as the first line on stdout, got {line}; a plugin must print nothing \
         before its handshake, so send logs to stderr, and check that the program is a plugin"
    )]
    Unrecognized {
        /// The line, quoted.
        line: String,
    },
    /// The first field is no number.
    #[error(
        "the core protocol version (field 1) of the handshake is {got}, not a number; print \
         {CORE_VERSION} without blanks, and send logs to stderr"
    )]
    CoreVersionMalformed {
        /// The field, quoted.
        got: String,
    },
    /// The first field is not 1.
    #[error(
        "the plugin speaks core protocol version {got} (field 1 of the handshake), this host \
         speaks {CORE_VERSION}; rebuild the plugin with an SDK that speaks {CORE_VERSION}"
    )]
    CoreVersion {
        /// What the plugin speaks.
        got: i64,
    },
    /// The second field is no number.
    #[error(
        "the application version (field 2) of the handshake is {got}, not a number; print one of \
         the versions in PLUGIN_PROTOCOL_VERSIONS"
    )]
    AppVersionMalformed {
        /// The field, quoted.
        got: String,
    },
    /// The second field is not a version that the host offered.
    #[error(
        "the plugin speaks application version {got} (field 2 of the handshake), this host accepts \
         {accepted:?}; install a release of the plugin that lists one of them"
    )]
    AppVersion {
        /// What the plugin chose.
        got: i64,
        /// What the host offered.
        accepted: Vec<u32>,
    },
    /// The third or fourth field can't be dialled.
    #[error("field 3 or 4 of the handshake: {0}")]
    Address(#[from] AddressError),
    /// The fifth field is not `grpc`.
    #[error(
        "unsupported protocol {got} (field 5 of the handshake); only \"grpc\" is spoken, and a \
         missing field means \"netrpc\", so turn on gRPC in the plugin's serve configuration"
    )]
    Protocol {
        /// The field, quoted.
        got: String,
    },
    /// The sixth field is no base64.
    #[error(
        "the certificate (field 6) of the handshake is not base64: {0}; print the DER in the \
         standard alphabet without padding"
    )]
    CertificateBase64(base64::DecodeError),
    /// The sixth field is no certificate.
    #[error(
        "the certificate (field 6) of the handshake is not one DER certificate; print the DER of \
         the certificate that the plugin serves, not PEM"
    )]
    CertificateNotDer,
    /// The host gave its certificate, the plugin none.
    #[error(
        "the handshake has no certificate (field 6) though the host asked for mutual TLS; turn on \
         AutoMTLS in the plugin, or set tls = \"auto\" or \"off\" in its manifest"
    )]
    CertificateMissing,
    /// The seventh field is missing or false.
    #[error(
        "the plugin does not multiplex its broker (field 7 of the handshake), and the host asked \
         for it; turn multiplexing off in the host, or update the plugin's SDK"
    )]
    MultiplexUnsupported,
    /// The seventh field is no boolean.
    #[error("the multiplexing support (field 7) of the handshake is {got}; print true or false")]
    MultiplexMalformed {
        /// The field, quoted.
        got: String,
    },
}

impl HandshakeError {
    /// Whether the same program will fail in the same way each time, so that trying again is idle.
    ///
    /// A line that is no handshake, a bad certificate or a bad address may be a passing state of the
    /// plugin's; what it speaks is not.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::CoreVersionMalformed { .. }
            | Self::CoreVersion { .. }
            | Self::AppVersionMalformed { .. }
            | Self::AppVersion { .. }
            | Self::Address(AddressError::Network { .. })
            | Self::Protocol { .. }
            | Self::CertificateMissing
            | Self::MultiplexUnsupported
            | Self::MultiplexMalformed { .. } => true,
            Self::Unrecognized { .. }
            | Self::Address(_)
            | Self::CertificateBase64(_)
            | Self::CertificateNotDer => false,
        }
    }
}

/// What someone else wrote, in quotes, escaped, and never long.
pub(crate) fn quote(bytes: &[u8]) -> String {
    // Four bytes are the most that one character takes.
    let head = &bytes[..bytes.len().min(LONGEST_QUOTE * 4)];
    let text = String::from_utf8_lossy(head);
    let shown: String = text.chars().take(LONGEST_QUOTE).collect();
    if shown.len() == text.len() && head.len() == bytes.len() {
        return format!("{shown:?}");
    }
    format!("{shown:?}... ({} bytes)", bytes.len())
}
