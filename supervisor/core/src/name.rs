//! Names of plugins and instances: what is a name, and which names the host keeps for itself.
//!
//! A name is the first path segment of an instance's endpoints, a directory, a metric label and a
//! word in a command line, so it is kept to characters that need quoting in none of these.

use std::fmt;
use std::str::FromStr;

/// The longest name, in characters.
pub const LONGEST: usize = 64;

/// Names under the gateway's prefix that are, or will be, the host's own API. An instance of such a
/// name would shadow it, or be shadowed by it.
pub const RESERVED: [&str; 18] = [
    "admin",
    "client",
    "config",
    "delegate",
    "event",
    "events",
    "health",
    "key",
    "metrics",
    "misc",
    "mod",
    "outboard",
    "profile",
    "profile_list",
    "ready",
    "scope",
    "session",
    "user",
];

/// Every name that begins so is the host's too: logging in is nobody else's business.
pub const RESERVED_PREFIX: &str = "auth";

/// The name of an installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(String);

/// The name of a configured copy of a plugin. It is never one that the host keeps for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "{0:?} is not a name; use 1 to {LONGEST} characters of a-z, 0-9, \"-\" and \"_\", a letter first{hint}",
        hint = hint(.0)
    )]
    Malformed(String),
    #[error(
        "the name {0:?} is kept for the host's own API; choose another name for the instance, such as \"my-{tail}\"",
        tail = tail(.0)
    )]
    Reserved(String),
}

impl PluginName {
    pub fn new(text: &str) -> Result<Self, NameError> {
        check(text).map(|()| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InstanceName {
    pub fn new(text: &str) -> Result<Self, NameError> {
        // Before the characters, so that "Auth" is told the reason that lower case would not mend.
        if is_reserved(text) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        check(text).map(|()| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A plugin that nobody configured gets one instance of its own name. That fails for a plugin named
/// like a part of the host's API: such a plugin needs an instance with another name.
impl TryFrom<&PluginName> for InstanceName {
    type Error = NameError;

    fn try_from(plugin: &PluginName) -> Result<Self, NameError> {
        Self::new(plugin.as_str())
    }
}

/// Whether the host keeps a name for itself, in whatever case it is written.
pub fn is_reserved(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with(RESERVED_PREFIX) || RESERVED.contains(&text.as_str())
}

fn check(text: &str) -> Result<(), NameError> {
    let is_name = text.len() <= LONGEST
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_name_byte);
    if is_name { Ok(()) } else { Err(NameError::Malformed(text.to_owned())) }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

/// The nearest thing that is a name, if there is one worth showing.
fn hint(text: &str) -> String {
    let near: String = text
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' })
        .skip_while(|c| !c.is_ascii_lowercase())
        .take(LONGEST)
        .collect();
    let near = near.trim_end_matches('-');
    if near.is_empty() { String::new() } else { format!(" (such as {near:?})") }
}

/// What a reserved name may keep of itself behind a prefix of its own.
fn tail(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>().to_lowercase()
}

macro_rules! text_of_a_name {
    ($($name:ident)*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    )* };
}

text_of_a_name!(PluginName InstanceName);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_short_lower_case_and_begin_with_a_letter() {
        for good in ["a", "slack", "email-code", "x_1", &"a".repeat(64)] {
            assert_eq!(PluginName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "_a", "Slack", "a b", "a.b", "a/b", "é", &"a".repeat(65)] {
            assert_eq!(PluginName::new(bad), Err(NameError::Malformed(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn the_hosts_own_paths_are_no_instances_in_any_case() {
        for taken in
            ["user", "mod", "auth", "authz", "Auth", "AUTHENTICATE", "Metrics", "profile_list"]
        {
            assert_eq!(InstanceName::new(taken), Err(NameError::Reserved(taken.to_owned())));
        }
        assert!(InstanceName::new("users-of-mine").is_ok());
        assert!(PluginName::new("user").is_ok(), "a plugin may be called so, its instance may not");
    }

    #[test]
    fn a_plugin_named_like_the_hosts_api_has_no_default_instance() {
        let plugin = PluginName::new("config").unwrap();
        assert!(InstanceName::try_from(&plugin).is_err());
    }

    #[test]
    fn a_bad_name_is_answered_with_one_that_would_do() {
        let error = PluginName::new("2 Slack Bot!").unwrap_err().to_string();
        assert!(error.ends_with("a letter first (such as \"slack-bot\")"), "{error}");
        let error = InstanceName::new("Auth").unwrap_err().to_string();
        assert!(error.ends_with("such as \"my-auth\""), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_an_error(text in ".*") {
            let plugin = PluginName::new(&text);
            if let Err(error) = &plugin {
                prop_assert!(!error.to_string().is_empty());
            }
            if InstanceName::new(&text).is_ok() {
                prop_assert!(plugin.is_ok());
            }
        }

        #[test]
        fn what_a_hint_shows_is_a_name(text in ".*") {
            let hint = hint(&text);
            if !hint.is_empty() {
                let name = hint.trim_start_matches(" (such as \"").trim_end_matches("\")");
                prop_assert!(PluginName::new(name).is_ok(), "{}", name);
            }
        }
    }
}
