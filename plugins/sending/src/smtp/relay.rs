//! The mail server, and what its answers mean.

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::timeout;

use crate::answer::printable;

/// Answers to a password (RFC 4954). Nothing about the mail, and an operator can mend it.
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

/// Connections to one mail server, opened when they are needed.
pub struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// For one mail, from the connection on.
    timeout: Duration,
    /// What must not be shown, should the server repeat it.
    secrets: Vec<String>,
}

/// Why a mail was not sent, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// What happened.
    pub message: String,
    /// Whether it never will be.
    pub is_final: bool,
}

impl Relay {
    pub(super) fn new(
        transport: AsyncSmtpTransport<Tokio1Executor>,
        timeout: Duration,
        secrets: Vec<String>,
    ) -> Self {
        Self { transport, timeout, secrets }
    }

    /// Sends a mail to all its recipients, or to none of them.
    pub async fn send(&self, letter: Message) -> Result<(), NotSent> {
        match timeout(self.timeout, self.transport.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(not_now("the mail server did not answer in time".to_owned())),
        }
    }

    fn refused(&self, error: &Error) -> NotSent {
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        let why = self.secrets.iter().fold(why, |why, secret| why.replace(secret, "***"));
        let why = printable(&why);
        let Some(code) = error.status() else {
            let what = if error.is_timeout() {
                "the mail server did not answer in time"
            } else if error.is_tls() {
                "TLS with the mail server failed"
            } else {
                "the mail server can't be used"
            };
            return not_now(format!("{what}: {why}"));
        };
        let message = format!("the mail server answered {code}: {why}");
        let code: u16 = code.into();
        let is_final = error.is_permanent() && !ABOUT_US.contains(&code);
        NotSent { message, is_final }
    }
}

fn not_now(message: String) -> NotSent {
    NotSent { message, is_final: false }
}
