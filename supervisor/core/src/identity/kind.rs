//! What an instance is there for.

use std::fmt;
use std::str::FromStr;

use outboard_proto::plugin::v1 as wire;

use crate::written::Choice;

/// What an operator has made an instance for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKind {
    /// Endpoints, events, or anything else that is none of the others.
    #[default]
    Plugin,
    /// It authenticates users beyond their password.
    Scheme,
    /// It keeps users.
    UserBackend,
    /// It keeps clients.
    ClientBackend,
}

/// A text that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of instance; use \"plugin\", \"scheme\", \"user\" or \"client\"")]
pub struct UnknownKind(String);

impl Choice for InstanceKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("plugin", Self::Plugin),
        ("scheme", Self::Scheme),
        ("user", Self::UserBackend),
        ("client", Self::ClientBackend),
    ];
}

impl InstanceKind {
    /// As it is written, stored, and found in the paths of the HTTP API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Scheme => "scheme",
            Self::UserBackend => "user",
            Self::ClientBackend => "client",
        }
    }
}

impl fmt::Display for InstanceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for InstanceKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let known = Self::WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, kind)| *kind).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

impl From<InstanceKind> for wire::InstanceKind {
    fn from(kind: InstanceKind) -> Self {
        match kind {
            InstanceKind::Plugin => Self::Plugin,
            InstanceKind::Scheme => Self::Scheme,
            InstanceKind::UserBackend => Self::UserBackend,
            InstanceKind::ClientBackend => Self::ClientBackend,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_as_it_is_written() {
        for (word, kind) in InstanceKind::WORDS {
            assert_eq!(kind.as_str(), *word);
            assert_eq!(word.parse(), Ok(*kind));
        }
        let unknown = "Scheme".parse::<InstanceKind>().unwrap_err();
        assert!(unknown.to_string().contains("\"Scheme\" is no kind"), "{unknown}");
    }
}
