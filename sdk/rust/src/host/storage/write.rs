//! What can be changed in a storage.

use std::time::Duration;

use outboard_proto::host::v1;
use outboard_proto::host::v1::condition::Is;
use outboard_proto::host::v1::operation::Does;

use super::tag;

/// An entry to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Put(v1::PutEntryRequest);

impl Put {
    /// An entry that does not end, to be written in any case.
    pub fn new(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into().into();
        Self(v1::PutEntryRequest { key: key.into(), value, ..Default::default() })
    }

    /// Only if there is no such entry; one that was taken counts as there.
    #[must_use]
    pub fn if_absent(mut self) -> Self {
        self.0.condition = condition(Is::Absent(true));
        self
    }

    /// Only if the entry is there, was not taken, and has this version.
    #[must_use]
    pub fn if_version(mut self, version: u64) -> Self {
        self.0.condition = condition(Is::Version(version));
        self
    }

    /// It ends after that time, at most 100 years.
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.0.expires_in = time.try_into().ok();
        self
    }

    /// Something that it has in common with other entries. Limits: 16, of 64 and 512 bytes.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.0.tags.push(tag(name, value));
        self
    }

    pub(super) fn into_proto(self) -> v1::PutEntryRequest {
        self.0
    }
}

/// What to add to a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Increment(v1::IncrementRequest);

impl Increment {
    /// Adds to the number under a key.
    pub fn new(key: impl Into<String>, by: i64) -> Self {
        Self(v1::IncrementRequest { key: key.into(), by, ..Default::default() })
    }

    /// A number that is not there yet ends after that time. The end of one that is there stays.
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.0.expires_in = time.try_into().ok();
        self
    }

    /// For a number that is not there yet.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.0.tags.push(tag(name, value));
        self
    }

    pub(super) fn into_proto(self) -> v1::IncrementRequest {
        self.0
    }
}

/// One of several changes, for [`Storage::transact`](super::Storage::transact).
#[derive(Debug, Clone, PartialEq)]
pub struct Operation(Does);

impl Operation {
    /// Writes an entry.
    pub fn put(put: Put) -> Self {
        Self(Does::Put(put.0))
    }

    /// Adds to a number.
    pub fn increment(increment: Increment) -> Self {
        Self(Does::Increment(increment.0))
    }

    /// Removes an entry, if there is one.
    pub fn delete(key: impl Into<String>) -> Self {
        Self(Does::Delete(v1::DeleteEntryRequest { key: key.into(), condition: None }))
    }

    /// Changes nothing, but the entry must have this version.
    pub fn check_version(key: impl Into<String>, version: u64) -> Self {
        let condition = condition(Is::Version(version));
        Self(Does::Check(v1::Check { key: key.into(), condition }))
    }

    /// Changes nothing, but there must be no such entry.
    pub fn check_absent(key: impl Into<String>) -> Self {
        Self(Does::Check(v1::Check { key: key.into(), condition: condition(Is::Absent(true)) }))
    }

    pub(super) fn into_proto(self) -> v1::Operation {
        v1::Operation { does: Some(self.0) }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "that is how the wire has it")]
fn condition(is: Is) -> Option<v1::Condition> {
    Some(v1::Condition { is: Some(is) })
}
