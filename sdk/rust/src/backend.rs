//! What plugins that keep users and those that keep clients have in common.

use std::error::Error;

use serde_json::{Map, Value};
use thiserror::Error as ThisError;
use tonic::Status;

use crate::problem::chain;

/// Which entries of a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendQuery {
    /// To be contained in what is searched. Empty: all.
    pub pattern: String,
    /// How many to leave out.
    pub offset: u64,
    /// At most so many. 0: none, only the total is asked for.
    pub limit: u32,
}

impl BackendQuery {
    /// That part of what matches, and how many these are in all. For backends that have it all in memory.
    pub fn page<T>(&self, matching: impl Iterator<Item = T>) -> BackendPage<T> {
        let all: Vec<T> = matching.collect();
        let total = all.len() as u64;
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        BackendPage { entries: all.into_iter().skip(offset).take(limit).collect(), total }
    }
}

/// A part of what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendPage<T> {
    /// By name.
    pub entries: Vec<T>,
    /// Of the pattern, offset and limit left aside.
    pub total: u64,
}

/// Why a backend did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum BackendError {
    /// The name is taken.
    #[error("that name is taken")]
    Exists,
    /// There is nobody of that name.
    #[error("there is nobody of that name")]
    NotFound,
    /// What was sent should not have been: it had been found wrong, or was never judged.
    #[error("{0}")]
    Invalid(String),
    /// Nothing can be written here.
    #[error("this backend is read-only")]
    ReadOnly,
    /// It can't be told, or done, now. For the log; never a secret.
    #[error("{0}")]
    Unavailable(String),
}

impl BackendError {
    /// What went wrong with something that the backend needs. Not for errors that may hold a secret.
    pub fn unavailable(error: impl Error) -> Self {
        Self::Unavailable(chain(&error))
    }
}

impl From<BackendError> for Status {
    fn from(error: BackendError) -> Self {
        let message = error.to_string();
        match error {
            BackendError::Exists => Self::already_exists(message),
            BackendError::NotFound => Self::not_found(message),
            BackendError::Invalid(_) => Self::invalid_argument(message),
            BackendError::ReadOnly => Self::unimplemented(message),
            BackendError::Unavailable(_) => Self::unavailable(message),
        }
    }
}

/// Replaces what a change names, and takes away what it has as null.
pub fn merge_properties(properties: &mut Map<String, Value>, change: Map<String, Value>) {
    for (name, value) in change {
        if value.is_null() {
            properties.remove(&name);
        } else {
            properties.insert(name, value);
        }
    }
}
