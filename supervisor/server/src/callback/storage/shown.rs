//! What is kept, as plugins are told.

use outboard_proto::host::v1 as wire;
use outboard_store::storage::{Done, Entry, Page, Tag};

use crate::clock::timestamp;

pub(super) fn entry(entry: Entry) -> wire::Entry {
    wire::Entry {
        key: entry.key,
        value: entry.value.into(),
        version: entry.version,
        expires_at: entry.expires_ms.map(timestamp),
        tags: entry.tags.into_iter().map(tag).collect(),
    }
}

fn tag(tag: Tag) -> wire::Tag {
    wire::Tag { name: tag.name, value: tag.value }
}

pub(super) fn page(page: Page) -> wire::ListEntriesResponse {
    let entries = page.entries.into_iter().map(entry).collect();
    wire::ListEntriesResponse { entries, more: page.has_more }
}

pub(super) fn done(done: Done) -> wire::OperationResult {
    wire::OperationResult { version: done.version, value: done.value }
}
