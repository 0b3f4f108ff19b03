//! The mail server, and what its answers mean.

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use outboard_sdk::NotifyError;
use outboard_sending::answer::printable;
use tokio::time::timeout;

/// Answers to a password (RFC 4954). Nothing about the mail, and an operator can mend it.
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

/// Connections to one mail server, opened when they are needed.
pub(crate) struct Relay {
    pub(crate) transport: AsyncSmtpTransport<Tokio1Executor>,
    /// For one mail, from the connection on.
    pub(crate) timeout: Duration,
    /// What must not be shown, should the server repeat it.
    pub(crate) secrets: Vec<String>,
}

impl Relay {
    /// Sends a mail to all its recipients, or to none of them.
    pub(crate) async fn send(&self, letter: Message) -> Result<(), NotifyError> {
        match timeout(self.timeout, self.transport.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(NotifyError::retry("the mail server did not answer in time")),
        }
    }

    fn refused(&self, error: &Error) -> NotifyError {
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
            return NotifyError::retry(format!("{what}: {why}"));
        };
        let message = format!("the mail server answered {code}: {why}");
        let code: u16 = code.into();
        if error.is_permanent() && !ABOUT_US.contains(&code) {
            NotifyError::reject(message)
        } else {
            NotifyError::retry(message)
        }
    }
}
