//! What an operator configures, and what is wrong with it.

use std::time::Duration;

use outboard_sdk::{Problems, Subject};
use serde::Deserialize;

use crate::codes::Kind;
use crate::vault::Attempts;

/// docs/plugins/otp.md says what each is for. Named as in Glewlwyd, where it has them.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Parameters {
    issuer: String,
    otp_length: u8,
    secret_minimum_size: usize,
    totp_allow: bool,
    totp_window: u64,
    totp_start_offset: u64,
    hotp_allow: bool,
    hotp_window: u64,
    attempts: u32,
    attempts_window: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            otp_length: 6,
            secret_minimum_size: 20,
            totp_allow: true,
            totp_window: 30,
            totp_start_offset: 0,
            hotp_allow: true,
            hotp_window: 5,
            attempts: 5,
            attempts_window: 300,
        }
    }
}

/// The same, found good.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    issuer: Option<String>,
    pub(crate) digits: u8,
    /// In bytes.
    pub(crate) least_secret: usize,
    pub(crate) totp: bool,
    pub(crate) hotp: bool,
    /// How many seconds a clock may be wrong.
    pub(crate) totp_window: u64,
    /// When the first time step began, in seconds since 1970.
    pub(crate) totp_start: u64,
    /// How many codes may have been shown and not been used.
    pub(crate) hotp_window: u64,
    pub(crate) attempts: Attempts,
}

impl Parameters {
    /// All that is wrong at once.
    pub(crate) fn read(self) -> Result<Rules, Problems> {
        let mut problems = Problems::default();
        let issuer = self.issuer.trim();
        if issuer.chars().count() > 64 || issuer.contains(':') || issuer.contains(char::is_control)
        {
            problems.add("/issuer", "must be at most 64 characters without a colon");
        }
        if !self.totp_allow && !self.hotp_allow {
            problems.add("/totp-allow", "is false, and hotp-allow too; allow one of them");
        }
        problems.within("/otp-length", self.otp_length, 6..=8);
        problems.within("/secret-minimum-size", self.secret_minimum_size, 16..=64);
        problems.within("/totp-window", self.totp_window, 0..=300);
        problems.within("/totp-start-offset", self.totp_start_offset, 0..=u64::from(u32::MAX));
        problems.within("/hotp-window", self.hotp_window, 0..=100);
        problems.within("/attempts", self.attempts, 1..=1000);
        problems.within("/attempts-window", self.attempts_window, 1..=86_400);
        problems.or(Rules {
            issuer: Some(issuer.to_owned()).filter(|issuer| !issuer.is_empty()),
            digits: self.otp_length,
            least_secret: self.secret_minimum_size,
            totp: self.totp_allow,
            hotp: self.hotp_allow,
            totp_window: self.totp_window,
            totp_start: self.totp_start_offset,
            hotp_window: self.hotp_window,
            attempts: Attempts {
                most: self.attempts,
                window: Duration::from_secs(self.attempts_window),
            },
        })
    }
}

impl Rules {
    pub(crate) fn allows(&self, kind: Kind) -> bool {
        match kind {
            Kind::Totp => self.totp,
            Kind::Hotp => self.hotp,
        }
    }

    /// What apps call the place where the code is good.
    pub(crate) fn issuer(&self, subject: &Subject) -> String {
        let host = subject.origin.as_deref().and_then(|origin| {
            let (_, authority) = origin.split_once("://")?;
            Some(authority.split(':').next().unwrap_or(authority))
        });
        let host = host.filter(|host| !host.is_empty());
        self.issuer.clone().unwrap_or_else(|| host.unwrap_or("Outboard").to_owned())
    }
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
    fn glewlwyds_names_are_understood() {
        let rules = read(json!({
            "issuer": "Example", "otp-length": 8, "secret-minimum-size": 16, "hotp-allow": false,
            "hotp-window": 0, "totp-allow": true, "totp-window": 0, "totp-start-offset": 7,
        }));
        let rules = rules.unwrap();
        assert_eq!((rules.digits, rules.least_secret, rules.totp_start), (8, 16, 7));
        assert!(rules.allows(Kind::Totp) && !rules.allows(Kind::Hotp));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let problems = read(json!({
            "issuer": "a:b", "otp-length": 9, "secret-minimum-size": 15, "hotp-allow": false,
            "totp-allow": false, "totp-window": 301, "hotp-window": 101, "attempts": 0,
            "attempts-window": 0,
        }));
        let problems = problems.unwrap_err();
        assert_eq!(problems.len(), 8, "{problems:#?}");
        assert!(problems.contains(&"/otp-length: must be 6 to 8".to_owned()), "{problems:#?}");
    }

    #[test]
    fn the_issuer_is_what_the_operator_says_or_else_the_place() {
        let mut subject = Subject::new("u-1", "ann");
        let (silent, said) = (read(json!({})).unwrap(), read(json!({ "issuer": "Ex" })).unwrap());
        assert_eq!(
            (silent.issuer(&subject), said.issuer(&subject)),
            ("Outboard".into(), "Ex".into())
        );
        subject.origin = Some("https://example.org:8443".to_owned());
        assert_eq!(
            (silent.issuer(&subject), said.issuer(&subject)),
            ("example.org".into(), "Ex".into())
        );
    }
}
