//! What an operator configures, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use outboard_sdk::{HeaderMap, HeaderName, HeaderValue, Problems};
use outboard_sending::{Client, Settings, Span, Target};
use serde::Deserialize;

use crate::Instance;
use crate::signature::{Signer, Signers};

const MOST_SECRETS: usize = 4;
const MOST_HEADERS: usize = 20;

/// What this plugin or HTTP itself says.
const TAKEN: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// docs/plugins/webhook.md says what each is for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    url: String,
    secrets: Vec<String>,
    unsigned: bool,
    headers: BTreeMap<String, String>,
    timeout: Span,
    ca: Option<PathBuf>,
    plain_http: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            url: String::new(),
            secrets: Vec::new(),
            unsigned: false,
            headers: BTreeMap::new(),
            timeout: Span::seconds(15),
            ca: None,
            plain_http: false,
        }
    }
}

impl Parameters {
    /// All that is wrong at once, and nothing of the URL, of the secrets, and of the headers' values.
    pub(crate) fn read(self) -> Result<Instance, Problems> {
        let mut problems = Problems::default();
        let target = Target::read(&self.url, self.plain_http)
            .map_err(|message| problems.add("/url", message))
            .ok();
        let signers = self.signers(&mut problems);
        let headers = self.headers(&mut problems);
        let (least, most) = (Duration::from_millis(100), Duration::from_mins(5));
        self.timeout.judge("/timeout", least, most, &mut problems);
        let agent = concat!("outboard-webhook/", env!("CARGO_PKG_VERSION"));
        let client = Client::new(&Settings { agent, timeout: self.timeout.0, ca: self.ca });
        match (target, client) {
            (Some(target), Ok(client)) => {
                problems.or(Instance { target, client, signers, headers })
            }
            (_, client) => {
                for problem in client.err().iter().flat_map(Problems::iter) {
                    problems.add(&problem.pointer, &problem.message);
                }
                Err(problems)
            }
        }
    }

    fn signers(&self, problems: &mut Problems) -> Signers {
        match (self.secrets.len(), self.unsigned) {
            (0, false) => {
                let message = "is empty; write the secret that the receiver knows, too, or set unsigned = true if \
                               it has no way to check signatures";
                problems.add("/secrets", message);
            }
            (1.., true) => problems.add("/unsigned", "is set, and so is a secret; remove one"),
            (count, _) if count > MOST_SECRETS => {
                problems.add("/secrets", format!("holds more than {MOST_SECRETS}"));
            }
            _ => {}
        }
        let mut signers = Signers::default();
        for (index, secret) in self.secrets.iter().take(MOST_SECRETS).enumerate() {
            match Signer::read(secret) {
                Ok(signer) => signers.0.push(signer),
                Err(message) => problems.add(format!("/secrets/{index}"), message),
            }
        }
        signers
    }

    fn headers(&self, problems: &mut Problems) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.headers.len() > MOST_HEADERS {
            problems.add("/headers", format!("holds more than {MOST_HEADERS}"));
        }
        for (name, value) in self.headers.iter().take(MOST_HEADERS) {
            match header(name, value) {
                Ok((name, value)) => {
                    headers.insert(name, value);
                }
                Err(message) => {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    problems.add(format!("/headers/{escaped}"), message);
                }
            }
        }
        headers
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::try_from(name).map_err(|_| "is no name of a header field".to_owned())?;
    if TAKEN.contains(&name.as_str()) || name.as_str().starts_with("webhook-") {
        return Err("is written by the plugin itself; remove it".to_owned());
    }
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| "has a value with a line break or another control character".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}
