//! The one line a plugin prints on stdout before it does anything else, read and written.
//!
//! `CORE|APP|NETWORK|ADDRESS[|PROTOCOL[|CERT[|MUX]]]`, as go-plugin has it. Pure: it never looks at
//! whether the address exists, and a certificate is only unpacked, not judged.

mod address;
mod error;

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use address::{Address, AddressError};
pub use error::HandshakeError;
pub(crate) use error::quote;

/// The only value of the first field that there is.
pub const CORE_VERSION: u32 = 1;

/// The longest line a host should read before it gives up, in bytes; go-plugin's own limit.
pub const MAX_LINE: usize = 64 * 1024;

/// Certificate fields up to this length are left-overs of ancient plugins and mean nothing.
const LONGEST_JUNK_CERT: usize = 50;

/// Standard alphabet without padding. Stray bits at the end are let pass, as Go's decoder does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A handshake that has been checked; holding one is the proof.
///
/// Outside this crate [`Handshake::parse`] is the only way to get one.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// One of [`Expect::versions`].
    pub app_version: u32,
    /// Where the plugin listens.
    pub address: Address,
    /// The plugin's certificate in DER: there if and only if [`Expect::auto_mtls`] was set.
    pub server_cert: Option<Vec<u8>>,
    /// Brokered connections share the main one. Only true where [`Expect::multiplex`] asked for it.
    pub multiplex: bool,
}

/// What the host asked for, against which the answer is judged.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The application protocol versions that the host speaks.
    pub versions: &'a [u32],
    /// The host gave the plugin its certificate.
    pub auto_mtls: bool,
    /// The host asked for a multiplexed broker.
    pub multiplex: bool,
}

impl Handshake {
    /// Judges the first line of a plugin's stdout, with or without its line end.
    ///
    /// The checks and their order are go-plugin's, so both hosts blame the same field, except that a
    /// missing certificate is an error here. Of a certificate, whether asked for or not, only the form
    /// is checked: base64 without padding, and one DER SEQUENCE in it. What is inside is judged where
    /// it is pinned. One that nobody asked for is then ignored. Of an address, the form and the
    /// length are checked, not whether anything is there; of the fields after the certificate, the
    /// seventh, and only where multiplexing was asked for.
    ///
    /// # Errors
    ///
    /// Every error names the field that was wrong and what would have been right.
    pub fn parse(line: &[u8], expect: &Expect<'_>) -> Result<Self, HandshakeError> {
        let line = first_line(line);
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b'|').collect();
        let [core, app, network, address, rest @ ..] = fields.as_slice() else {
            return Err(HandshakeError::Unrecognized { line: quote(line) });
        };
        check_core(core)?;
        let app_version = check_app(app, expect.versions)?;
        let address = Address::parse(network, address)?;
        check_protocol(rest.first().copied())?;
        let certificate = check_certificate(rest.get(1).copied())?;
        let server_cert = match certificate {
            None if expect.auto_mtls => return Err(HandshakeError::CertificateMissing),
            certificate => certificate.filter(|_| expect.auto_mtls),
        };
        let multiplex = expect.multiplex && check_multiplex(rest.get(2).copied())?;
        Ok(Self { app_version, address, server_cert, multiplex })
    }
}

/// Cuts at the first newline before it trims, so that a blank first line stays one.
fn first_line(bytes: &[u8]) -> &[u8] {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.trim_ascii()
}

/// Signed decimal with leading zeros allowed and no blanks: what Go's `Atoi` takes.
fn integer(field: &[u8]) -> Option<i64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn check_core(field: &[u8]) -> Result<(), HandshakeError> {
    match integer(field) {
        None => Err(HandshakeError::CoreVersionMalformed { got: quote(field) }),
        Some(got) if got != i64::from(CORE_VERSION) => Err(HandshakeError::CoreVersion { got }),
        Some(_) => Ok(()),
    }
}

fn check_app(field: &[u8], accepted: &[u32]) -> Result<u32, HandshakeError> {
    let Some(got) = integer(field) else {
        return Err(HandshakeError::AppVersionMalformed { got: quote(field) });
    };
    u32::try_from(got)
        .ok()
        .filter(|version| accepted.contains(version))
        .ok_or_else(|| HandshakeError::AppVersion { got, accepted: accepted.to_owned() })
}

/// Plugins older than the field meant Go's net/rpc by leaving it out; an empty one means nothing.
fn check_protocol(field: Option<&[u8]>) -> Result<(), HandshakeError> {
    let protocol = field.unwrap_or(b"netrpc");
    if protocol == b"grpc" {
        return Ok(());
    }
    Err(HandshakeError::Protocol { got: quote(protocol) })
}

fn check_certificate(field: Option<&[u8]>) -> Result<Option<Vec<u8>>, HandshakeError> {
    let Some(field) = field.filter(|field| field.len() > LONGEST_JUNK_CERT) else {
        return Ok(None);
    };
    let der = BASE64.decode(field).map_err(HandshakeError::CertificateBase64)?;
    if is_one_der_sequence(&der) {
        return Ok(Some(der));
    }
    Err(HandshakeError::CertificateNotDer)
}

/// Whether the bytes are one DER SEQUENCE and nothing after it, as every X.509 certificate is.
fn is_one_der_sequence(der: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = der else { return false };
    if *length < 0x80 {
        return rest.len() == usize::from(*length);
    }
    let length_bytes = usize::from(length & 0x7f);
    if !(1..=3).contains(&length_bytes) || rest.len() < length_bytes {
        return false;
    }
    let (length, body) = rest.split_at(length_bytes);
    length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) == body.len()
}

fn check_multiplex(field: Option<&[u8]>) -> Result<bool, HandshakeError> {
    let Some(field) = field else { return Err(HandshakeError::MultiplexUnsupported) };
    match go_bool(field) {
        None => Err(HandshakeError::MultiplexMalformed { got: quote(field) }),
        Some(false) => Err(HandshakeError::MultiplexUnsupported),
        Some(true) => Ok(true),
    }
}

/// The spellings of a boolean that Go's `ParseBool` takes.
fn go_bool(field: &[u8]) -> Option<bool> {
    match field {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Some(false),
        _ => None,
    }
}

/// What a plugin prints: its `Display` is the whole line, without the newline.
///
/// Bind first, print, flush, then serve. The protocol is always `grpc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The outcome of [`negotiate`](crate::env::negotiate).
    pub app_version: u32,
    /// Where the plugin already listens. The line has no escapes: see [`Address::is_printable`].
    pub address: Address,
    /// The plugin's certificate in DER. Only when the host sent its own: a Go host that did not
    /// crashes on it.
    pub server_cert: Option<Vec<u8>>,
    /// Whether the broker is multiplexed. `None` unless the host asked: hosts before go-plugin 1.6
    /// take a seventh field for a part of the certificate.
    pub multiplex: Option<bool>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (app, network, address) = (self.app_version, self.address.network(), &self.address);
        write!(f, "{CORE_VERSION}|{app}|{network}|{address}|grpc|")?;
        if let Some(der) = &self.server_cert {
            f.write_str(&BASE64.encode(der))?;
        }
        match self.multiplex {
            Some(is_multiplexed) => write!(f, "|{is_multiplexed}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
