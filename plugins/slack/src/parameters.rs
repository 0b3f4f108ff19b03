//! What an operator configures, and what is wrong with it.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use outboard_sdk::Problems;
use outboard_sending::{Client, Settings, Span, Target, Templates};
use serde::Deserialize;

use crate::Instance;
use crate::message::escaped;

/// Where the URL may stand instead.
pub(crate) const VARIABLE: &str = "SLACK_PLUGIN_URL";

/// docs/plugins/slack.md says what each is for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    url: Option<String>,
    timeout: Span,
    ca: Option<PathBuf>,
    plain_http: bool,
    templates: BTreeMap<String, String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Span::seconds(10),
            ca: None,
            plain_http: false,
            templates: BTreeMap::new(),
        }
    }
}

impl Parameters {
    /// All that is wrong at once, and nothing of the URL.
    pub(crate) fn read(self) -> Result<Instance, Problems> {
        self.read_with(env::var(VARIABLE).ok())
    }

    /// The same; `variable` is what the environment says.
    pub(crate) fn read_with(self, variable: Option<String>) -> Result<Instance, Problems> {
        let mut problems = Problems::default();
        let target = self.target(variable, &mut problems);
        let (least, most) = (Duration::from_millis(100), Duration::from_mins(5));
        self.timeout.judge("/timeout", least, most, &mut problems);
        let templates = Templates::read("/templates", &self.templates, escaped, &mut problems);
        let agent = concat!("outboard-slack/", env!("CARGO_PKG_VERSION"));
        let client = Client::new(&Settings { agent, timeout: self.timeout.0, ca: self.ca });
        match (target, client) {
            (Some(target), Ok(client)) => problems.or(Instance { target, client, templates }),
            (_, client) => {
                for problem in client.err().iter().flat_map(Problems::iter) {
                    problems.add(&problem.pointer, &problem.message);
                }
                Err(problems)
            }
        }
    }

    fn target(&self, variable: Option<String>, problems: &mut Problems) -> Option<Target> {
        let (place, url) = match (&self.url, variable) {
            (Some(url), _) => (String::new(), url.clone()),
            (None, Some(url)) => (format!("{VARIABLE} "), url),
            (None, None) => {
                let message = format!(
                    "is missing; write the incoming webhook's URL as a secret, or set {VARIABLE}"
                );
                problems.add("/url", message);
                return None;
            }
        };
        let read = Target::read(&url, self.plain_http);
        read.map_err(|message| problems.add("/url", place + &message)).ok()
    }
}
