//! What an instance keeps in its host.

mod write;

use std::time::SystemTime;

use outboard_proto::host::v1;
use outboard_proto::host::v1::storage_client::StorageClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::{Host, HostError, HostErrorKind, Stamp};

pub use write::{Increment, Operation, Put};

type Client = StorageClient<InterceptedService<Channel, Stamp>>;

/// More than the largest entry, and than a page of a list.
const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// What this instance keeps in its host: entries by key, with a version and, if wanted, an end and tags. They survive
/// restarts, upgrades and `close`, and go when the instance is deleted. Its manifest has `grants.callbacks =
/// ["storage"]`, and the operator grants it.
///
/// Each call is one change, on disk when it comes back, whole or not at all. Keys have 1 to 512 bytes, values at most
/// 1 MiB, and all of it together what the operator allows (64 MiB, `storage.quota`). Cloning it is cheap.
///
/// ```no_run
/// use std::time::Duration;
///
/// use outboard_sdk::{Host, HostError, Put, Taken};
///
/// async fn once(host: &Host, code: &str) -> Result<bool, HostError> {
///     let storage = host.storage();
///     storage.put(Put::new("code/7", "ann").expires_in(Duration::from_mins(10))).await?;
///     // Of all who try, here and in other processes, one gets it.
///     Ok(matches!(storage.take(&format!("code/{code}")).await?, Taken::Value(_)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Storage(Host);

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Under which it is kept.
    pub key: String,
    /// What is kept.
    pub value: Vec<u8>,
    /// Grows with each change, and is never used again.
    pub version: u64,
    /// When it ends, if it does.
    pub expires_at: Option<SystemTime>,
    /// Names and values.
    pub tags: Vec<(String, String)>,
}

/// What became of [`Storage::take`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// It is the caller's, and nobody else's.
    Value(Entry),
    /// Somebody has taken it before.
    Consumed {
        /// What it was.
        entry: Entry,
        /// When it was taken.
        at: SystemTime,
    },
    /// There is no such entry.
    Missing,
}

/// Some entries, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entries {
    /// In the order of their keys' bytes.
    pub entries: Vec<Entry>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

impl Storage {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Reads an entry. One that was taken, or has ended, is not there.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Denied`] without the grant, [`HostErrorKind::Invalid`] for a key that is none.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, HostError> {
        let request = v1::GetEntryRequest { key: key.to_owned() };
        let answer = self.client()?.get(request).await?.into_inner();
        match answer.result() {
            v1::ResultCode::Ok => answer.entry.map(Entry::from_proto).map(Some).ok_or_else(odd),
            v1::ResultCode::NotFound => Ok(None),
            other => Err(refused(other)),
        }
    }

    /// Writes an entry in place of the one that is there, and gives its version.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Conflict`], if the condition does not hold; [`HostErrorKind::Limit`], if there is no room.
    pub async fn put(&self, put: Put) -> Result<u64, HostError> {
        let answer = self.client()?.put(put.into_proto()).await?.into_inner();
        only_ok(answer.result()).map(|()| answer.version)
    }

    /// Removes an entry, also one that was taken, and tells whether there was one.
    ///
    /// # Errors
    ///
    /// As with [`get`](Self::get).
    pub async fn delete(&self, key: &str) -> Result<bool, HostError> {
        let request = v1::DeleteEntryRequest { key: key.to_owned(), condition: None };
        match self.client()?.delete(request).await?.into_inner().result() {
            v1::ResultCode::NotFound => Ok(false),
            result => only_ok(result).map(|()| true),
        }
    }

    /// Adds to a number, and gives the sum. One that is not there is 0.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Conflict`], if what is there is no number, or the sum is beyond 64 bits.
    pub async fn increment(&self, increment: Increment) -> Result<i64, HostError> {
        let answer = self.client()?.increment(increment.into_proto()).await?.into_inner();
        only_ok(answer.result()).map(|()| answer.value)
    }

    /// Takes an entry, which only one caller ever does, in whatever process. It stays until its end, so that another
    /// `take` tells that it was taken: a one-time code that comes again is not one that somebody guessed.
    ///
    /// # Errors
    ///
    /// As with [`get`](Self::get).
    pub async fn take(&self, key: &str) -> Result<Taken, HostError> {
        let request = v1::TakeEntryRequest { key: key.to_owned() };
        let answer = self.client()?.take(request).await?.into_inner();
        let take = answer.take();
        let entry = answer.entry.map(Entry::from_proto);
        let at = answer.taken_at.and_then(|at| SystemTime::try_from(at).ok());
        match (take, entry) {
            (v1::Take::Taken, Some(entry)) => Ok(Taken::Value(entry)),
            (v1::Take::Consumed, Some(entry)) => {
                Ok(Taken::Consumed { entry, at: at.unwrap_or(SystemTime::UNIX_EPOCH) })
            }
            (v1::Take::Missing, _) => Ok(Taken::Missing),
            _ => Err(odd()),
        }
    }

    /// Lists entries whose key begins with `prefix` and comes after `after`. `limit` is at most 1000, and there may be
    /// fewer even if there are more.
    ///
    /// # Errors
    ///
    /// As with [`get`](Self::get).
    pub async fn list(&self, prefix: &str, after: &str, limit: u32) -> Result<Entries, HostError> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        let request = v1::ListEntriesRequest { prefix, after, limit };
        Ok(Entries::from_proto(self.client()?.list(request).await?.into_inner()))
    }

    /// Lists entries with a tag, as [`list`](Self::list) does.
    ///
    /// # Errors
    ///
    /// As with [`get`](Self::get).
    pub async fn list_by_tag(
        &self,
        name: &str,
        value: &str,
        after: &str,
        limit: u32,
    ) -> Result<Entries, HostError> {
        let after = after.to_owned();
        let request = v1::ListByTagRequest { tag: Some(tag(name, value)), after, limit };
        Ok(Entries::from_proto(self.client()?.list_by_tag(request).await?.into_inner()))
    }

    /// Removes all entries with a tag, also those that were taken, and tells how many there were.
    ///
    /// # Errors
    ///
    /// As with [`get`](Self::get).
    pub async fn delete_by_tag(&self, name: &str, value: &str) -> Result<u64, HostError> {
        let request = v1::DeleteByTagRequest { tag: Some(tag(name, value)) };
        Ok(self.client()?.delete_by_tag(request).await?.into_inner().deleted)
    }

    /// Makes up to 64 changes in their order, all or none; each sees what those before it did.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Conflict`], if a condition does not hold, or an increment is none.
    pub async fn transact(&self, operations: Vec<Operation>) -> Result<(), HostError> {
        let operations = operations.into_iter().map(Operation::into_proto).collect();
        let request = v1::TransactRequest { operations };
        only_ok(self.client()?.transact(request).await?.into_inner().result())
    }

    fn client(&self) -> Result<Client, HostError> {
        let client = StorageClient::new(self.0.channel()?);
        Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES))
    }
}

impl Entry {
    fn from_proto(entry: v1::Entry) -> Self {
        Self {
            key: entry.key,
            value: entry.value.into(),
            version: entry.version,
            expires_at: entry.expires_at.and_then(|at| SystemTime::try_from(at).ok()),
            tags: entry.tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
        }
    }
}

impl Entries {
    fn from_proto(page: v1::ListEntriesResponse) -> Self {
        let entries = page.entries.into_iter().map(Entry::from_proto).collect();
        Self { entries, more: page.more }
    }
}

fn tag(name: &str, value: &str) -> v1::Tag {
    v1::Tag { name: name.to_owned(), value: value.to_owned() }
}

fn only_ok(result: v1::ResultCode) -> Result<(), HostError> {
    match result {
        v1::ResultCode::Ok => Ok(()),
        v1::ResultCode::Conflict => {
            Err(HostError::new(HostErrorKind::Conflict, "the entry is not as the condition has it"))
        }
        other => Err(refused(other)),
    }
}

fn refused(result: v1::ResultCode) -> HostError {
    HostError::new(HostErrorKind::Failed, format!("the host answered {}", result.as_str_name()))
}

fn odd() -> HostError {
    HostError::new(HostErrorKind::Failed, "the host's answer contradicts itself")
}
