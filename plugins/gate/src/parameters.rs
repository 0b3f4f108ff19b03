//! What an operator may configure, and what it means. Parameters go before Proctor's variables, and those before
//! what is usual. The variables come in as an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use outboard_sdk::Problems;
use serde::Deserialize;

use crate::owners::Binding;
use crate::request::{Mistake, Profiles};

/// `parameters` of an `[[instance]]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// `https`, or `http` where nobody can listen on the way. Default: `GATE_PLUGIN_PROTOCOL`, else `https`.
    protocol: Option<String>,
    /// Where Gate is, with a port or without. Default: `GATE_PLUGIN_HOST`.
    host: Option<String>,
    /// Default: `GATE_PLUGIN_PROFILE_PATH`, else `api/v1/users/profile`.
    profile_path: Option<String>,
    /// For the whole of a question to Gate, in milliseconds. Below `auth.timeout`, so that it is this plugin
    /// that says what was wrong. Default: 4000; limits: 100 to 60000.
    timeout_ms: Option<u64>,
    /// Lets whoever has any valid token be whoever they say.
    accept_unbound_tokens: bool,
    /// E-mail = SHA-256 of that user's token, in hex.
    token_owners: Option<BTreeMap<String, String>>,
}

/// Proctor's variables, where they are set and not empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    pub(crate) protocol: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) profile_path: Option<String>,
}

impl Variables {
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name| variable(name).filter(|value| !value.is_empty());
        Self { protocol: read(PROTOCOL), host: read(HOST), profile_path: read(PROFILE_PATH) }
    }
}

const PROTOCOL: &str = "GATE_PLUGIN_PROTOCOL";
const HOST: &str = "GATE_PLUGIN_HOST";
const PROFILE_PATH: &str = "GATE_PLUGIN_PROFILE_PATH";

/// What an instance works with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) profiles: Profiles,
    pub(crate) timeout: Duration,
    pub(crate) binding: Binding,
}

impl Parameters {
    /// Judges all of it, and tells everything that is wrong at once.
    pub(crate) fn settings(self, variables: &Variables) -> Result<Settings, Problems> {
        let mut problems = Problems::default();
        let profiles = self.profiles(variables, &mut problems);
        let timeout = self.timeout(&mut problems);
        let binding = Binding::new(self.accept_unbound_tokens, self.token_owners);
        let binding = binding.map_err(|found| {
            found.iter().for_each(|one| problems.add(&one.pointer, &one.message));
        });
        match (profiles, binding) {
            (Some(profiles), Ok(binding)) => problems.or(Settings { profiles, timeout, binding }),
            _ => Err(problems),
        }
    }

    fn profiles(&self, variables: &Variables, problems: &mut Problems) -> Option<Profiles> {
        let protocol = said(self.protocol.as_ref(), variables.protocol.as_ref()).unwrap_or("https");
        let path = said(self.profile_path.as_ref(), variables.profile_path.as_ref())
            .unwrap_or("api/v1/users/profile");
        let Some(host) = said(self.host.as_ref(), variables.host.as_ref()) else {
            problems.add("/host", format!("is missing; say where Gate is, here or in {HOST}"));
            return None;
        };
        let made = Profiles::new(protocol, host, path);
        made.map_err(|mistake| self.blame(mistake, problems)).ok()
    }

    /// A mistake stands where it was written.
    fn blame(&self, mistake: Mistake, problems: &mut Problems) {
        let (what, parameter, pointer, variable) = match mistake {
            Mistake::Protocol(what) => (what, &self.protocol, "/protocol", PROTOCOL),
            Mistake::Host(what) => (what, &self.host, "/host", HOST),
            Mistake::Path(what) => (what, &self.profile_path, "/profile_path", PROFILE_PATH),
        };
        match parameter {
            Some(_) => problems.add(pointer, what),
            None => problems.add("", format!("{variable} {what}")),
        }
    }

    fn timeout(&self, problems: &mut Problems) -> Duration {
        let milliseconds = self.timeout_ms.unwrap_or(4000);
        if !(100..=60_000).contains(&milliseconds) {
            problems.add("/timeout_ms", "must be 100 to 60000 milliseconds");
        }
        Duration::from_millis(milliseconds)
    }
}

fn said<'a>(parameter: Option<&'a String>, variable: Option<&'a String>) -> Option<&'a str> {
    parameter.or(variable).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(parameters: Value, variables: &[(&str, &str)]) -> Result<Settings, Problems> {
        let parameters: Parameters = serde_json::from_value(parameters).unwrap();
        let variables = Variables::of(|name| {
            let found = variables.iter().find(|(have, _)| *have == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        parameters.settings(&variables)
    }

    fn shown(parameters: Value, variables: &[(&str, &str)]) -> String {
        settings(parameters, variables).unwrap().profiles.shown().to_owned()
    }

    fn problems(parameters: Value, variables: &[(&str, &str)]) -> Vec<String> {
        let problems = settings(parameters, variables).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn proctors_variables_say_where_gate_is() {
        let unbound = || json!({ "accept_unbound_tokens": true });
        let host = ("GATE_PLUGIN_HOST", "gate.example.org");
        assert_eq!(shown(unbound(), &[host]), "https://gate.example.org/api/v1/users/profile");
        let all = [host, ("GATE_PLUGIN_PROTOCOL", "http"), ("GATE_PLUGIN_PROFILE_PATH", "me")];
        assert_eq!(shown(unbound(), &all), "http://gate.example.org/me");
        let empty = [host, ("GATE_PLUGIN_PROTOCOL", ""), ("GATE_PLUGIN_PROFILE_PATH", "")];
        assert_eq!(shown(unbound(), &empty), "https://gate.example.org/api/v1/users/profile");
    }

    #[test]
    fn parameters_go_before_variables() {
        let parameters =
            json!({ "accept_unbound_tokens": true, "host": "mine", "protocol": "https" });
        let variables = [("GATE_PLUGIN_HOST", "theirs"), ("GATE_PLUGIN_PROTOCOL", "http")];
        assert_eq!(shown(parameters, &variables), "https://mine/api/v1/users/profile");
    }

    #[test]
    fn nobody_is_asked_whom_the_operator_did_not_name() {
        let found = problems(json!({ "accept_unbound_tokens": true }), &[]);
        assert_eq!(found, ["/host: is missing; say where Gate is, here or in GATE_PLUGIN_HOST"]);
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_where_they_were_made() {
        let found = problems(json!({ "host": "a b", "timeout_ms": 5 }), &[]);
        let begins = |words: &str| found.iter().any(|one| one.starts_with(words));
        assert!(
            begins("/host: ") && begins("/timeout_ms: ") && begins("Gate does not say"),
            "{found:?}"
        );
        let found =
            problems(json!({ "accept_unbound_tokens": true }), &[("GATE_PLUGIN_HOST", "a/b")]);
        assert!(found[0].starts_with("GATE_PLUGIN_HOST must be"), "{found:?}");
    }
}
