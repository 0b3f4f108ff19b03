//! Changes, all or none.

use std::time::Duration;

use super::Storage;
use super::entry::{Changed, Condition, Done, Increment, Operation, Put, Tag};
use super::judge::{Found, add, bytes, holds, there};
use super::space::Space;
use crate::error::StoreError;

/// Why one change could not be made: what is there has this version.
struct Refused(u64);

impl Storage<'_> {
    /// Makes changes of what an instance keeps, in their order, all or none. `quota`: most bytes that it may keep; what
    /// makes it no larger is never too much.
    pub async fn change(
        self,
        instance: &str,
        operations: &[Operation],
        quota: u64,
    ) -> Result<Changed, StoreError> {
        let changed = self.try_change(instance, operations, quota).await;
        self.told("change what an instance keeps", changed)
    }

    async fn try_change(
        self,
        instance: &str,
        operations: &[Operation],
        quota: u64,
    ) -> Result<Changed, sqlx::Error> {
        let mut space = Space::begin(self.store, instance).await?;
        let before = space.bytes;
        let mut done = Vec::with_capacity(operations.len());
        for (operation, change) in operations.iter().enumerate() {
            match apply(&mut space, change).await? {
                Ok(one) => done.push(one),
                Err(Refused(version)) => return Ok(Changed::Conflict { operation, version }),
            }
        }
        if before < space.bytes && !fits(&mut space, quota).await? {
            return Ok(Changed::Full);
        }
        space.commit().await?;
        Ok(Changed::Done(done))
    }

    /// Removes everything of an instance that has a tag. Gives how many there were.
    pub async fn delete_by_tag(self, instance: &str, tag: &Tag) -> Result<u64, StoreError> {
        let deleted = async {
            let mut space = Space::begin(self.store, instance).await?;
            let count = space.remove_tagged(tag).await?;
            space.commit().await?;
            Ok(count)
        };
        self.told("delete by tag what an instance keeps", deleted.await)
    }
}

/// Whether it is not too much, once what has ended is gone.
async fn fits(space: &mut Space<'_>, quota: u64) -> Result<bool, sqlx::Error> {
    let quota = i64::try_from(quota).unwrap_or(i64::MAX);
    while space.bytes > quota {
        if space.purge().await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn apply(
    space: &mut Space<'_>,
    operation: &Operation,
) -> Result<Result<Done, Refused>, sqlx::Error> {
    match operation {
        Operation::Put(one) => put(space, one).await,
        Operation::Delete { key, condition } => delete(space, key, *condition).await,
        Operation::Increment(one) => increment(space, one).await,
        Operation::Check { key, condition } => {
            let found = space.find(key).await?;
            let there = there(found.as_ref(), space.now_ms);
            Ok(judged(Some(*condition), there).map(|()| Done::default()))
        }
    }
}

async fn put(space: &mut Space<'_>, put: &Put) -> Result<Result<Done, Refused>, sqlx::Error> {
    let found = space.find(&put.key).await?;
    if let Err(refused) = judged(put.condition, there(found.as_ref(), space.now_ms)) {
        return Ok(Err(refused));
    }
    let tags = sorted(&put.tags);
    let end = end(space.now_ms, put.expires_in);
    space.bytes -= found.map_or(0, |found| found.bytes);
    let bytes = bytes(&put.key, put.value.len(), &tags);
    space.write(&put.key, &put.value, end, &tags, bytes).await?;
    Ok(Ok(Done { version: number(space.version), ..Done::default() }))
}

async fn delete(
    space: &mut Space<'_>,
    key: &str,
    condition: Option<Condition>,
) -> Result<Result<Done, Refused>, sqlx::Error> {
    let found = space.find(key).await?;
    let there = there(found.as_ref(), space.now_ms);
    if let Err(refused) = judged(condition, there) {
        return Ok(Err(refused));
    }
    let existed = there.is_some();
    if let Some(found) = found {
        space.bytes -= found.bytes;
        space.remove(key).await?;
    }
    Ok(Ok(Done { existed, ..Done::default() }))
}

async fn increment(
    space: &mut Space<'_>,
    increment: &Increment,
) -> Result<Result<Done, Refused>, sqlx::Error> {
    let Increment { key, by, expires_in, tags } = increment;
    let found = space.find(key).await?;
    let there = there(found.as_ref(), space.now_ms);
    let value = match there {
        Some(_) => Some(space.value(key).await?),
        None => None,
    };
    let sum = add(value.as_deref(), *by).filter(|_| there.is_none_or(|found| !found.is_taken));
    let Some(sum) = sum else { return Ok(Err(refused(there))) };
    let digits = sum.to_string().into_bytes();
    let done = Done { version: number(space.version), value: sum, existed: false };
    if let (Some(there), Some(value)) = (there, &value) {
        let bytes = there.bytes - size(value) + size(&digits);
        space.bytes -= there.bytes;
        space.rewrite(key, &digits, bytes).await?;
    } else {
        let tags = sorted(tags);
        let end = end(space.now_ms, *expires_in);
        space.bytes -= found.map_or(0, |found| found.bytes);
        space.write(key, &digits, end, &tags, bytes(key, digits.len(), &tags)).await?;
    }
    Ok(Ok(done))
}

fn size(value: &[u8]) -> i64 {
    i64::try_from(value.len()).unwrap_or(i64::MAX)
}

fn judged(condition: Option<Condition>, there: Option<&Found>) -> Result<(), Refused> {
    if holds(condition, there) { Ok(()) } else { Err(refused(there)) }
}

fn refused(there: Option<&Found>) -> Refused {
    Refused(there.map_or(0, |found| number(found.version)))
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

fn end(now_ms: i64, expires_in: Option<Duration>) -> Option<i64> {
    let length = |it: Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
    expires_in.map(|it| now_ms.saturating_add(length(it)))
}

fn sorted(tags: &[Tag]) -> Vec<Tag> {
    let mut tags = tags.to_vec();
    tags.sort();
    tags.dedup();
    tags
}
