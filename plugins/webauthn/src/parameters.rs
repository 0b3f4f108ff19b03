//! What an operator configures, and what is wrong with it.

use std::time::Duration;

use outboard_sdk::{Problems, SchemeError, Subject};
use passki::UserVerificationRequirement;
use serde::Deserialize;

use crate::party::Party;

/// docs/plugins/webauthn.md says what each is for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Parameters {
    rp_name: String,
    rp_id: String,
    rp_origins: Vec<String>,
    user_verification: Verification,
    challenge_duration: u64,
    most_keys: usize,
}

/// Whether a key must make sure who uses it, by a PIN or a finger.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verification {
    Required,
    Preferred,
    Discouraged,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rp_name: String::new(),
            rp_id: String::new(),
            rp_origins: Vec::new(),
            user_verification: Verification::Preferred,
            challenge_duration: 300,
            most_keys: 10,
        }
    }
}

/// The same, found good.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    name: Option<String>,
    id: Option<String>,
    origins: Vec<String>,
    pub(crate) verification: UserVerificationRequirement,
    /// How long a challenge is good.
    pub(crate) challenge: Duration,
    /// Of one user.
    pub(crate) most_keys: usize,
}

impl Parameters {
    /// All that is wrong at once.
    pub(crate) fn read(self) -> Result<Rules, Problems> {
        let mut problems = Problems::default();
        let name = self.rp_name.trim();
        if name.chars().count() > 64 || name.contains(char::is_control) {
            problems.add("/rp-name", "must be at most 64 characters");
        }
        let is_host = |host: &str| {
            host.len() <= 253 && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
        };
        if !is_host(&self.rp_id) {
            problems.add("/rp-id", "must be the name of a host, such as example.org");
        }
        for (index, origin) in self.rp_origins.iter().enumerate() {
            if host_of(origin).is_none_or(|host| !is_host(host)) {
                let message = "must be an origin, such as https://login.example.org";
                problems.add(format!("/rp-origins/{index}"), message);
            }
        }
        problems.within("/challenge-duration", self.challenge_duration, 10..=3600);
        problems.within("/most-keys", self.most_keys, 1..=50);
        problems.or(Rules {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            id: Some(self.rp_id).filter(|id| !id.is_empty()),
            origins: self.rp_origins,
            verification: match self.user_verification {
                Verification::Required => UserVerificationRequirement::Required,
                Verification::Preferred => UserVerificationRequirement::Preferred,
                Verification::Discouraged => UserVerificationRequirement::Discouraged,
            },
            challenge: Duration::from_secs(self.challenge_duration),
            most_keys: self.most_keys,
        })
    }
}

impl Rules {
    /// To whom keys are bound: what the operator said, or else the place where the pages are.
    pub(crate) fn party(&self, subject: &Subject) -> Result<Party, SchemeError> {
        let own: Vec<String> = subject.origin.clone().into_iter().collect();
        let origins = if self.origins.is_empty() { own } else { self.origins.clone() };
        let host = origins.first().and_then(|origin| host_of(origin)).map(str::to_owned);
        let id = self.id.clone().or(host).ok_or_else(|| {
            let message = "it is not known where the pages are; set external_url, or rp-origins";
            SchemeError::failed(message)
        })?;
        let name = self.name.clone().unwrap_or_else(|| id.clone());
        Ok(Party::new(&id, &origins, &name, self.verification, self.challenge))
    }
}

/// Of `https://example.org:8443`, without the port. Nothing behind it is an origin's.
fn host_of(origin: &str) -> Option<&str> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    (!host.is_empty() && port.parse::<u16>().is_ok()).then_some(host)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(parameters: Value) -> Result<Rules, Vec<String>> {
        let parameters: Parameters = serde_json::from_value(parameters).unwrap();
        parameters.read().map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let problems = read(json!({
            "rp-name": "a\nb", "rp-id": "https://example.org", "challenge-duration": 9,
            "rp-origins": ["https://good.example:1", "example.org", "https://a.example/", "http://"],
            "most-keys": 0,
        }));
        let problems = problems.unwrap_err();
        let pointers = [
            "/rp-name",
            "/rp-id",
            "/rp-origins/1",
            "/rp-origins/2",
            "/rp-origins/3",
            "/challenge-duration",
            "/most-keys",
        ];
        assert_eq!(problems.len(), pointers.len(), "{problems:#?}");
        for (problem, pointer) in problems.iter().zip(pointers) {
            assert!(problem.starts_with(&format!("{pointer}: ")), "{problem} at {pointer}");
        }
    }

    #[test]
    fn without_a_place_nobody_can_have_a_key() {
        let rules = read(json!({})).unwrap();
        let mut subject = Subject::new("u-1", "ann");
        let error = rules.party(&subject).err().unwrap();
        assert!(error.to_string().contains("external_url"), "{error}");
        subject.origin = Some("https://example.org:8443".to_owned());
        assert_eq!(rules.party(&subject).unwrap().id(), "example.org");
        let said = read(json!({ "rp-id": "example.org", "rp-origins": ["https://a.example.org"] }));
        assert_eq!(said.unwrap().party(&Subject::new("u-1", "ann")).unwrap().id(), "example.org");
    }
}
