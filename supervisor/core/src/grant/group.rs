//! The groups of calls that need a grant.

use std::collections::BTreeSet;
use std::fmt;

use crate::written::closest;

/// Calls that are granted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Who sent a request, and how far its session has come.
    Sessions,
    UsersRead,
    /// Passwords of users.
    UsersCheck,
    UsersWrite,
    ClientsRead,
    /// Passwords of clients.
    ClientsCheck,
    ClientsWrite,
    /// Ways to authenticate of whoever sent a request.
    Schemes,
    /// The same of anybody.
    SchemesAnyUser,
    /// What an instance keeps with the host.
    Storage,
    Locks,
    Schedules,
    /// Its pages belong to the host's own origin: browsers let them act as whoever looks at them.
    SameOrigin,
}

/// Some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(BTreeSet<Group>);

impl Group {
    pub const ALL: [Self; 13] = [
        Self::Sessions,
        Self::UsersRead,
        Self::UsersCheck,
        Self::UsersWrite,
        Self::ClientsRead,
        Self::ClientsCheck,
        Self::ClientsWrite,
        Self::Schemes,
        Self::SchemesAnyUser,
        Self::Storage,
        Self::Locks,
        Self::Schedules,
        Self::SameOrigin,
    ];

    /// Whether its calls name requests.
    pub fn uses_handles(self) -> bool {
        matches!(self, Self::Sessions | Self::Schemes | Self::UsersCheck | Self::ClientsCheck)
    }

    /// As it is written in manifests and configurations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::UsersRead => "users.read",
            Self::UsersCheck => "users.check",
            Self::UsersWrite => "users.write",
            Self::ClientsRead => "clients.read",
            Self::ClientsCheck => "clients.check",
            Self::ClientsWrite => "clients.write",
            Self::Schemes => "schemes",
            Self::SchemesAnyUser => "schemes.any_user",
            Self::Storage => "storage",
            Self::Locks => "locks",
            Self::Schedules => "schedules",
            Self::SameOrigin => "web.same_origin",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.word() == word)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Groups {
    /// Reads their words.
    ///
    /// # Errors
    /// The first that is none, and what was probably meant.
    pub fn read<T: AsRef<str>>(words: &[T]) -> Result<Self, String> {
        words.iter().map(|word| read(word.as_ref())).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, group: Group) -> bool {
        self.0.contains(&group)
    }

    pub fn iter(&self) -> impl Iterator<Item = Group> {
        self.0.iter().copied()
    }

    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    /// Their words, in the order of [`Group::ALL`].
    pub fn words(&self) -> Vec<&'static str> {
        self.iter().map(Group::word).collect()
    }
}

fn read(word: &str) -> Result<Group, String> {
    Group::of(word).ok_or_else(|| {
        let words = Group::ALL.map(Group::word);
        let advice = closest(word, words).map_or_else(
            || format!("write some of {}", words.join(", ")),
            |meant| format!("did you mean {meant:?}?"),
        );
        format!("{word:?} is not a group of calls; {advice}")
    })
}

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Self {
        Self(groups.into_iter().collect())
    }
}

/// As it would be written, with commas.
impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}
