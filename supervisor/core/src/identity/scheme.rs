//! Ways to authenticate beyond the password: what an operator says of one, and what it says of a user.

use outboard_proto::plugin::v1 as wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest that an authentication may be said to count: ten years.
pub const LONGEST_EXPIRATION_S: u64 = 10 * 365 * 24 * 60 * 60;
/// The most uses that can be counted.
pub const MOST_USES: u32 = 0x7fff_ffff;

/// What an operator says of an instance of kind scheme, beside its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeSettings {
    /// How long an authentication counts. 0: as long as the session.
    pub expiration_s: u64,
    /// How often it may be used. 0: any number of times.
    pub max_use: u32,
    /// Whether users may register it themselves.
    pub allow_user_register: bool,
    /// Whether users may not see it on their profile.
    pub forbid_user_profile: bool,
    /// Whether it is no way to get back into an account.
    pub forbid_user_reset_credential: bool,
}

/// Whether a user can use a scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Not for this user, or the scheme can't say.
    #[default]
    NotAvailable,
    /// The user could register it.
    Available,
    /// The user has registered it, and can authenticate with it.
    Registered,
}

impl SchemeSettings {
    /// Of an object as the HTTP API has it; what it does not say is `0` and `true` for `allow_user_register`, else
    /// `false`.
    ///
    /// # Errors
    /// All that is wrong, each beginning with the name of the key.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let mut number = |key: &str, most: u64| match object.get(key) {
            None | Some(Value::Null) => 0,
            Some(value) => value.as_u64().filter(|number| *number <= most).unwrap_or_else(|| {
                errors.push(format!("{key} must be a whole number from 0 to {most}"));
                0
            }),
        };
        let expiration_s = number("expiration", LONGEST_EXPIRATION_S);
        let max_use = number("max_use", u64::from(MOST_USES));
        let mut flag = |key: &str, default: bool| match object.get(key) {
            None | Some(Value::Null) => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                errors.push(format!("{key} must be true or false"));
                default
            }
        };
        let settings = Self {
            expiration_s,
            max_use: u32::try_from(max_use).unwrap_or(MOST_USES),
            allow_user_register: flag("allow_user_register", true),
            forbid_user_profile: flag("forbid_user_profile", false),
            forbid_user_reset_credential: flag("forbid_user_reset_credential", false),
        };
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Adds its keys to an object of the HTTP API.
    pub fn add_to(&self, object: &mut Map<String, Value>) {
        object.insert("expiration".into(), self.expiration_s.into());
        object.insert("max_use".into(), self.max_use.into());
        object.insert("allow_user_register".into(), self.allow_user_register.into());
        object.insert("forbid_user_profile".into(), self.forbid_user_profile.into());
        object.insert(
            "forbid_user_reset_credential".into(),
            self.forbid_user_reset_credential.into(),
        );
    }

    /// Until when an authentication of now counts. `None`: as long as the session.
    pub fn expires_ms(&self, now_ms: i64) -> Option<i64> {
        let length = self.expiration_s.min(LONGEST_EXPIRATION_S).saturating_mul(1000);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        (length > 0).then(|| now_ms.saturating_add(length))
    }
}

impl From<wire::Availability> for Availability {
    fn from(availability: wire::Availability) -> Self {
        match availability {
            wire::Availability::Unspecified | wire::Availability::NotAvailable => {
                Self::NotAvailable
            }
            wire::Availability::Available => Self::Available,
            wire::Availability::Registered => Self::Registered,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<SchemeSettings, Vec<String>> {
        let Value::Object(object) = value else { panic!("no object") };
        SchemeSettings::from_json(&object)
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let settings = read(json!({ "name": "otp", "max_use": null })).unwrap();
        assert_eq!(
            settings,
            SchemeSettings { allow_user_register: true, ..SchemeSettings::default() }
        );
    }

    #[test]
    fn what_is_read_is_shown_again() {
        let all = json!({
            "expiration": 600, "max_use": 3, "allow_user_register": false,
            "forbid_user_profile": true, "forbid_user_reset_credential": true,
        });
        let mut shown = Map::new();
        read(all.clone()).unwrap().add_to(&mut shown);
        assert_eq!(Value::Object(shown), all);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let errors = read(json!({
            "expiration": -1, "max_use": 1.5, "allow_user_register": "yes",
            "forbid_user_profile": 0, "forbid_user_reset_credential": [],
        }))
        .unwrap_err();
        let keys: Vec<_> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
        assert_eq!(
            keys,
            [
                "expiration",
                "max_use",
                "allow_user_register",
                "forbid_user_profile",
                "forbid_user_reset_credential"
            ]
        );
        assert!(read(json!({ "max_use": 4_294_967_296_u64 })).is_err());
        assert!(read(json!({ "expiration": u64::MAX })).is_err());
    }

    #[test]
    fn an_authentication_counts_as_long_as_is_said() {
        let settings = SchemeSettings { expiration_s: 600, ..SchemeSettings::default() };
        assert_eq!(settings.expires_ms(1000), Some(601_000));
        assert_eq!(SchemeSettings::default().expires_ms(1000), None);
        let endless = SchemeSettings { expiration_s: u64::MAX, ..settings };
        assert!(endless.expires_ms(i64::MAX).is_some());
    }
}
