//! What a plugin may ask of the host: its author asks, the operator gives, and what both say holds.
//!
//! The operator gives in `outboard.toml`, which counts for every version of the plugin, or by command, which is
//! kept in a [`Lock`] and counts for the one version (hash) that it was given to.

mod decision;
mod group;
mod lock;
#[cfg(test)]
mod tests;

pub use decision::Decision;
pub use group::{Group, Groups};
pub use lock::{Entry, Lock, LockError};

use crate::event::Types;

/// What goes beyond the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The plugin may listen on a TCP address that is not loopback.
    pub remote_tcp: bool,
    /// The plugin may announce events of these types.
    pub emit: Types,
    /// The plugin may make these calls to the host.
    pub callbacks: Groups,
}

impl Grants {
    /// What both grant.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            remote_tcp: self.remote_tcp && other.remote_tcp,
            emit: self.emit.and(&other.emit),
            callbacks: self.callbacks.and(&other.callbacks),
        }
    }

    /// What either grants.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            remote_tcp: self.remote_tcp || other.remote_tcp,
            emit: self.emit.or(&other.emit),
            callbacks: self.callbacks.or(&other.callbacks),
        }
    }

    /// What this grants and `other` does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self {
            remote_tcp: self.remote_tcp && !other.remote_tcp,
            emit: self.emit.without(&other.emit),
            callbacks: self.callbacks.without(&other.callbacks),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each of them by a word, as a person would name it.
    pub fn words(&self) -> Vec<String> {
        let remote_tcp = self.remote_tcp.then(|| "remote_tcp".to_owned());
        let callbacks = self.callbacks.iter().map(|group| group.word().to_owned());
        let emit = self.emit.patterns().map(|pattern| format!("emit {pattern}"));
        callbacks.chain(emit).chain(remote_tcp).collect()
    }
}
