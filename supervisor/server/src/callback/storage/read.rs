//! What plugins send, as far as it can be kept.

use std::time::Duration;

use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::condition::Is;
use outboard_proto::host::v1::operation::Does;
use outboard_store::storage::{Condition, Increment, Operation, Put, Tag};
use tonic::Status;

use crate::callback::stored::{length, text};

const LONGEST_KEY: usize = 512;
const MOST_VALUE: usize = 1 << 20;
const MOST_TAGS: usize = 16;
const LONGEST_TAG_NAME: usize = 64;
const LONGEST_TAG_VALUE: usize = 512;
/// A hundred years.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

pub(super) fn key(key: String) -> Result<String, Status> {
    text(key, "key", 1, LONGEST_KEY)
}

/// Of a key, or nothing.
pub(super) fn part(part: String, field: &str) -> Result<String, Status> {
    text(part, field, 0, LONGEST_KEY)
}

pub(super) fn tag(tag: Option<wire::Tag>) -> Result<Tag, Status> {
    let tag = tag.ok_or_else(|| Status::invalid_argument("tag is missing"))?;
    Ok(Tag {
        name: text(tag.name, "tag.name", 1, LONGEST_TAG_NAME)?,
        value: text(tag.value, "tag.value", 0, LONGEST_TAG_VALUE)?,
    })
}

fn tags(tags: Vec<wire::Tag>) -> Result<Vec<Tag>, Status> {
    if tags.len() > MOST_TAGS {
        return Err(Status::invalid_argument(format!(
            "there are {} tags; at most {MOST_TAGS} are kept with an entry",
            tags.len()
        )));
    }
    tags.into_iter().map(|it| tag(Some(it))).collect()
}

pub(super) fn put(put: wire::PutEntryRequest) -> Result<Put, Status> {
    if put.value.len() > MOST_VALUE {
        return Err(Status::invalid_argument(format!(
            "value has {} bytes; at most {MOST_VALUE} are kept in an entry",
            put.value.len()
        )));
    }
    Ok(Put {
        key: key(put.key)?,
        value: put.value.into(),
        condition: condition(put.condition)?,
        expires_in: expires_in(put.expires_in)?,
        tags: tags(put.tags)?,
    })
}

pub(super) fn delete(delete: wire::DeleteEntryRequest) -> Result<Operation, Status> {
    Ok(Operation::Delete { key: key(delete.key)?, condition: condition(delete.condition)? })
}

pub(super) fn increment(increment: wire::IncrementRequest) -> Result<Increment, Status> {
    Ok(Increment {
        key: key(increment.key)?,
        by: increment.by,
        expires_in: expires_in(increment.expires_in)?,
        tags: tags(increment.tags)?,
    })
}

pub(super) fn operation(operation: wire::Operation) -> Result<Operation, Status> {
    match operation.does {
        Some(Does::Put(one)) => put(one).map(Operation::Put),
        Some(Does::Delete(one)) => delete(one),
        Some(Does::Increment(one)) => increment(one).map(Operation::Increment),
        Some(Does::Check(check)) => {
            let condition = condition(check.condition)?
                .ok_or_else(|| Status::invalid_argument("a check has no condition"))?;
            Ok(Operation::Check { key: key(check.key)?, condition })
        }
        None => Err(Status::invalid_argument(
            "an operation does nothing that this host knows; use put, delete, increment or check",
        )),
    }
}

fn condition(condition: Option<wire::Condition>) -> Result<Option<Condition>, Status> {
    let Some(condition) = condition else { return Ok(None) };
    // One that this host does not know is none that it may pass over.
    match condition.is {
        Some(Is::Absent(true)) => Ok(Some(Condition::Absent)),
        Some(Is::Present(true)) => Ok(Some(Condition::Present)),
        Some(Is::Version(version)) => Ok(Some(Condition::Version(version))),
        Some(Is::Absent(false) | Is::Present(false)) | None => Err(Status::invalid_argument(
            "a condition is empty or false; leave it out, or say absent, present or a version",
        )),
    }
}

fn expires_in(expires_in: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    expires_in.map(|it| length(it, "expires_in", Duration::from_millis(1), LONGEST)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> wire::PutEntryRequest {
        wire::PutEntryRequest { key: key.to_owned(), ..wire::PutEntryRequest::default() }
    }

    fn tagged(name: &str, value: &str, count: usize) -> wire::PutEntryRequest {
        let tag = wire::Tag { name: name.to_owned(), value: value.to_owned() };
        wire::PutEntryRequest { tags: vec![tag; count], ..entry("k") }
    }

    fn ending(seconds: i64, nanos: i32) -> wire::PutEntryRequest {
        let expires_in = Some(prost_types::Duration { seconds, nanos });
        wire::PutEntryRequest { expires_in, ..entry("k") }
    }

    fn only_if(is: Option<Is>) -> wire::PutEntryRequest {
        wire::PutEntryRequest { condition: Some(wire::Condition { is }), ..entry("k") }
    }

    #[test]
    fn what_is_at_its_limit_is_kept() {
        for request in [
            entry(&"k".repeat(LONGEST_KEY)),
            wire::PutEntryRequest { value: vec![0; MOST_VALUE].into(), ..entry("k") },
            tagged(&"n".repeat(LONGEST_TAG_NAME), &"v".repeat(LONGEST_TAG_VALUE), MOST_TAGS),
            tagged("n", "", 1),
            ending(0, 1_000_000),
            ending(100 * 366 * 86_400, 0),
            only_if(Some(Is::Version(0))),
        ] {
            assert!(put(request).is_ok());
        }
    }

    #[test]
    fn what_is_beyond_it_is_refused_with_the_field() {
        for (request, field) in [
            (entry(""), "key"),
            (entry(&"k".repeat(LONGEST_KEY + 1)), "key"),
            (entry("a\0"), "key"),
            (
                wire::PutEntryRequest { value: vec![0; MOST_VALUE + 1].into(), ..entry("k") },
                "value",
            ),
            (tagged("", "v", 1), "tag.name"),
            (tagged(&"n".repeat(LONGEST_TAG_NAME + 1), "v", 1), "tag.name"),
            (tagged("n", &"v".repeat(LONGEST_TAG_VALUE + 1), 1), "tag.value"),
            (tagged("n", "\0", 1), "tag.value"),
            (tagged("n", "v", MOST_TAGS + 1), "17 tags"),
            (ending(0, 0), "expires_in"),
            (ending(-1, 0), "expires_in"),
            (ending(0, 999_999), "expires_in"),
            (ending(i64::MAX, i32::MAX), "expires_in"),
            (only_if(None), "condition"),
            (only_if(Some(Is::Absent(false))), "condition"),
        ] {
            let status = put(request).err().unwrap_or_else(|| panic!("{field}"));
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().contains(field), "{field}: {}", status.message());
        }
    }

    #[test]
    fn an_operation_that_nobody_knows_is_refused() {
        assert!(operation(wire::Operation { does: None }).is_err());
        let check = wire::Check { key: "k".to_owned(), condition: None };
        assert!(operation(wire::Operation { does: Some(Does::Check(check)) }).is_err());
    }
}
