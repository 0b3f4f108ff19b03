//! What an operator configures, and what is wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use outboard_sdk::Problems;
use outboard_sending::Span;
use outboard_sending::smtp::{Encryption, MailServer, Relay, mailbox};
use serde::Deserialize;

use crate::letter::{Letters, PLACE};
use crate::vault::Limits;

const SUBJECT: &str = "Your code";
const BODY: &str = "Your code is {CODE}\n\nNobody but you needs it. If you did not ask for it, somebody else did, and \
                    does not have it.\n";

/// docs/plugins/email-code.md says what each is for. Those of the code are named as in Glewlwyd, those of the mail
/// server as in the plugin mail.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Parameters {
    code_length: u32,
    code_duration: u64,
    attempts: u32,
    mails: u32,
    mails_window: u64,
    subject: String,
    body_pattern: String,
    from: String,
    #[serde(alias = "host")]
    server: String,
    port: Option<u16>,
    tls: Encryption,
    unencrypted: bool,
    ca: Option<PathBuf>,
    user: Option<String>,
    password: Option<String>,
    hello: Option<String>,
    timeout: Span,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            code_length: 6,
            code_duration: 600,
            attempts: 5,
            mails: 5,
            mails_window: 600,
            subject: SUBJECT.to_owned(),
            body_pattern: BODY.to_owned(),
            from: String::new(),
            server: String::new(),
            port: None,
            tls: Encryption::default(),
            unencrypted: false,
            ca: None,
            user: None,
            password: None,
            hello: None,
            timeout: Span::seconds(8),
        }
    }
}

/// The same, found good.
pub(crate) struct Read {
    pub(crate) digits: u32,
    pub(crate) letters: Letters,
    pub(crate) relay: Relay,
    pub(crate) limits: Limits,
}

impl Parameters {
    /// All that is wrong at once, and nothing of the password.
    pub(crate) fn read(self) -> Result<Read, Problems> {
        let mut problems = Problems::default();
        self.judge(&mut problems);
        let from = mailbox(&self.from, "/from", &mut problems);
        let relay = self.server().relay(from.as_ref(), &mut problems);
        let limits = Limits {
            code: Duration::from_secs(self.code_duration),
            attempts: self.attempts,
            mails: self.mails,
            mails_window: Duration::from_secs(self.mails_window),
        };
        let (digits, subject, body) = (self.code_length, self.subject, self.body_pattern);
        match (from, relay) {
            (Some(from), Some(relay)) => {
                let letters = Letters { from, subject, body };
                problems.or(Read { digits, letters, relay, limits })
            }
            _ => Err(problems),
        }
    }

    fn judge(&self, problems: &mut Problems) {
        problems.within("/code-length", self.code_length, 6..=32);
        problems.within("/code-duration", self.code_duration, 30..=86_400);
        problems.within("/attempts", self.attempts, 1..=100);
        problems.within("/mails", self.mails, 1..=1000);
        problems.within("/mails-window", self.mails_window, 1..=86_400);
        let (least, most) = (Duration::from_millis(100), Duration::from_mins(1));
        self.timeout.judge("/timeout", least, most, problems);
        let is_line = !self.subject.trim().is_empty() && !self.subject.contains(char::is_control);
        if !is_line || self.subject.chars().count() > 200 {
            problems.add("/subject", "must be a line of at most 200 characters");
        }
        if !self.body_pattern.contains(PLACE) || self.body_pattern.len() > 16 * 1024 {
            problems.add("/body-pattern", "must have {CODE} in it, and at most 16 KiB");
        }
    }

    fn server(&self) -> MailServer {
        MailServer {
            server: self.server.clone(),
            port: self.port,
            tls: self.tls,
            unencrypted: self.unencrypted,
            ca: self.ca.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            hello: self.hello.clone(),
            timeout: self.timeout.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(parameters: Value) -> Result<Read, Vec<String>> {
        let parameters: Parameters = serde_json::from_value(parameters).unwrap();
        parameters.read().map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn a_server_and_a_sender_are_enough() {
        let read = read(json!({ "host": "mail.example.org", "from": "a@example.org" }));
        let read = read.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!((read.digits, read.limits.attempts), (6, 5));
    }

    #[tokio::test]
    async fn all_mistakes_are_told_at_once_and_the_password_is_not() {
        let problems = read(json!({
            "code-length": 5, "code-duration": 0, "attempts": 0, "mails": 0, "mails-window": 0,
            "subject": "a\nb", "body-pattern": "no place", "from": "nobody", "server": "a b",
            "password": "TOPSECRET", "timeout": "2m",
        }));
        let problems = problems.err().unwrap();
        let pointers = [
            "/code-length",
            "/code-duration",
            "/attempts",
            "/mails",
            "/mails-window",
            "/timeout",
            "/subject",
            "/body-pattern",
            "/from",
            "/server",
            "/user",
        ];
        assert_eq!(problems.len(), pointers.len(), "{problems:#?}");
        for (problem, pointer) in problems.iter().zip(pointers) {
            assert!(problem.starts_with(&format!("{pointer}: ")), "{problem} at {pointer}");
            assert!(!problem.contains("TOPSECRET"), "{problem}");
        }
    }
}
