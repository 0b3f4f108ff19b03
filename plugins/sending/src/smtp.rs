//! Mail: whom to give it to, as an operator configures that, and what the server's answers mean.

mod relay;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use outboard_sdk::Problems;
use serde::Deserialize;

pub use relay::{NotSent, Relay};

/// A mail server has better things to do than to keep our connections.
const MOST_CONNECTIONS: u32 = 4;

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// After a greeting in clear; without it nothing is sent.
    #[default]
    StartTls,
    /// At once.
    Tls,
    /// Never.
    None,
}

/// A mail server, as it was configured: each field is a parameter of that name.
#[derive(Clone)]
pub struct MailServer {
    /// Its name or address.
    pub server: String,
    /// Instead of the usual one.
    pub port: Option<u16>,
    /// When TLS begins.
    pub tls: Encryption,
    /// Whether a server other than this host may be used without TLS.
    pub unencrypted: bool,
    /// An authority to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// Both or none.
    pub user: Option<String>,
    /// Both or none.
    pub password: Option<String>,
    /// What we call ourselves.
    pub hello: Option<String>,
    /// For one mail, from the connection on.
    pub timeout: Duration,
}

impl Encryption {
    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl MailServer {
    /// Notes all that is wrong. Connections are opened when they are needed.
    pub fn relay(&self, from: Option<&Mailbox>, problems: &mut Problems) -> Option<Relay> {
        self.judge_server(problems);
        let credentials = self.credentials(problems);
        let tls = self.tls(problems)?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.server.trim())
            .port(self.port.unwrap_or(self.tls.port()))
            .tls(tls)
            .timeout(Some(self.timeout))
            .hello_name(ClientId::Domain(self.hello(from, problems)))
            .pool_config(PoolConfig::new().max_size(MOST_CONNECTIONS));
        let secrets = credentials.as_ref().map(secrets).unwrap_or_default();
        let builder = match credentials {
            Some((user, password)) => builder.credentials(Credentials::new(user, password)),
            None => builder,
        };
        let transport = AsyncSmtpTransportBuilder::build(builder);
        Some(Relay::new(transport, self.timeout, secrets))
    }

    fn judge_server(&self, problems: &mut Problems) {
        let server = self.server.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if server.is_empty() {
            problems.add("/server", "is empty; write the mail server's name");
        } else if server.len() > 253 || !server.chars().all(is_name) {
            problems.add("/server", "is no name of a host, and no address");
        } else if self.tls == Encryption::None && !is_loopback(server) && !self.unencrypted {
            let message = "is \"none\", so everybody on the way could read mails and password; use \"starttls\" or \
                           \"tls\", or, if that does not matter, set unencrypted = true";
            problems.add("/tls", message);
        }
        if self.port == Some(0) {
            problems.add("/port", "must be 1 to 65535");
        }
    }

    fn credentials(&self, problems: &mut Problems) -> Option<(String, String)> {
        match (&self.user, &self.password) {
            (Some(user), Some(password)) if !user.is_empty() && !password.is_empty() => {
                Some((user.clone(), password.clone()))
            }
            (None, None) => None,
            (Some(_), None) => {
                problems.add("/password", "is missing, and there is a user");
                None
            }
            (None, Some(_)) => {
                problems.add("/user", "is missing, and there is a password");
                None
            }
            _ => {
                problems.add("/user", "or the password is empty; write both or none");
                None
            }
        }
    }

    fn tls(&self, problems: &mut Problems) -> Option<Tls> {
        if self.tls == Encryption::None {
            return Some(Tls::None);
        }
        let mut parameters = TlsParameters::builder(self.server.trim().to_owned());
        if let Some(ca) = &self.ca {
            let certificate =
                certificates(ca).map_err(|message| problems.add("/ca", message)).ok()?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters
            .build_rustls()
            .map_err(|error| problems.add("", format!("TLS can't be set up: {error}")))
            .ok()?;
        Some(match self.tls {
            Encryption::Tls => Tls::Wrapper(parameters),
            _ => Tls::Required(parameters),
        })
    }

    /// What we call ourselves: servers like a name with a dot in it.
    fn hello(&self, from: Option<&Mailbox>, problems: &mut Problems) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.[]:".contains(c);
        match &self.hello {
            Some(hello) if hello.is_empty() || hello.len() > 253 || !hello.chars().all(is_name) => {
                problems.add("/hello", "is no name of a host");
                String::new()
            }
            Some(hello) => hello.clone(),
            None => from.map(|from| from.email.domain().to_owned()).unwrap_or_default(),
        }
    }
}

/// `ann@example.org`, or `Ann <ann@example.org>`.
pub fn mailbox(text: &str, pointer: &str, problems: &mut Problems) -> Option<Mailbox> {
    if text.chars().any(char::is_control) {
        problems.add(pointer, "has a line break or another control character in it");
        return None;
    }
    let wrong =
        |_| problems.add(pointer, "is no address such as ann@example.org or Ann <ann@example.org>");
    text.trim().parse().map_err(wrong).ok()
}

/// All that are in the file.
fn certificates(ca: &PathBuf) -> Result<Certificate, String> {
    let pem = fs::read(ca).map_err(|error| format!("can't be read: {error}"))?;
    let is_pem = pem.windows(11).any(|it| it == b"-----BEGIN ");
    let certificate = Certificate::from_pem(&pem).ok().filter(|_| is_pem);
    certificate.ok_or_else(|| "holds no certificate in PEM".to_owned())
}

/// The password, and how it goes over the wire.
fn secrets((user, password): &(String, String)) -> Vec<String> {
    let plain = STANDARD.encode(format!("\0{user}\0{password}"));
    vec![plain, STANDARD.encode(password), password.clone()]
}

/// Whether a host is this one, without asking anybody.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
