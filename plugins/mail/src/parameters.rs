//! What an operator configures, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use outboard_sdk::Problems;
use outboard_sending::smtp::{Encryption, MailServer, mailbox};
use outboard_sending::{Span, Templates};
use serde::Deserialize;

use crate::Instance;
use crate::letter::Letters;

const MOST_RECIPIENTS: usize = 100;

/// docs/plugins/mail.md says what each is for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    server: String,
    port: Option<u16>,
    tls: Encryption,
    unencrypted: bool,
    ca: Option<PathBuf>,
    user: Option<String>,
    password: Option<String>,
    hello: Option<String>,
    from: String,
    to: Vec<String>,
    subjects: BTreeMap<String, String>,
    templates: BTreeMap<String, String>,
    timeout: Span,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: None,
            tls: Encryption::default(),
            unencrypted: false,
            ca: None,
            user: None,
            password: None,
            hello: None,
            from: String::new(),
            to: Vec::new(),
            subjects: BTreeMap::new(),
            templates: BTreeMap::new(),
            timeout: Span::seconds(20),
        }
    }
}

impl Parameters {
    /// All that is wrong at once, and nothing of the password.
    pub(crate) fn read(self) -> Result<Instance, Problems> {
        let mut problems = Problems::default();
        let from = mailbox(&self.from, "/from", &mut problems);
        let to = self.recipients(&mut problems);
        let subjects = Templates::read("/subjects", &self.subjects, as_it_is, &mut problems);
        let texts = Templates::read("/templates", &self.templates, as_it_is, &mut problems);
        let (least, most) = (Duration::from_millis(100), Duration::from_mins(10));
        self.timeout.judge("/timeout", least, most, &mut problems);
        let relay = self.server().relay(from.as_ref(), &mut problems);
        match (from, relay) {
            (Some(from), Some(relay)) => {
                problems.or(Instance { letters: Letters { from, to, subjects, texts }, relay })
            }
            _ => Err(problems),
        }
    }

    fn recipients(&self, problems: &mut Problems) -> Vec<Mailbox> {
        if self.to.is_empty() {
            problems.add("/to", "is empty; write the addresses to send to");
        }
        if self.to.len() > MOST_RECIPIENTS {
            problems.add(
                "/to",
                format!("holds more than {MOST_RECIPIENTS}; use a list of your mail server's"),
            );
        }
        let all = self.to.iter().take(MOST_RECIPIENTS).enumerate();
        all.filter_map(|(index, text)| mailbox(text, &format!("/to/{index}"), problems)).collect()
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

/// A mail is text: nothing has to be escaped.
fn as_it_is(text: &str) -> String {
    text.to_owned()
}
