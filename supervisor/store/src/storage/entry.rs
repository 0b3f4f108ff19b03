//! Entries, and what is done with them.

use std::fmt;
use std::time::Duration;

/// Something that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Vec<u8>,
    pub version: u64,
    pub expires_ms: Option<i64>,
    /// By name, then by value.
    pub tags: Vec<Tag>,
}

/// Values may be secrets, and keys too.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Something that entries have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    pub name: String,
    pub value: String,
}

/// What must be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No such entry is there, not even one that was taken.
    Absent,
    /// It is there and was not taken.
    Present,
    /// The same, and it has this version.
    Version(u64),
}

/// An entry to write.
#[derive(Clone)]
pub struct Put {
    pub key: String,
    pub value: Vec<u8>,
    pub condition: Option<Condition>,
    /// From now. `None`: it does not end.
    pub expires_in: Option<Duration>,
    pub tags: Vec<Tag>,
}

/// What to add to what.
#[derive(Clone)]
pub struct Increment {
    pub key: String,
    pub by: i64,
    /// Of an entry that is not there yet, as are the tags.
    pub expires_in: Option<Duration>,
    pub tags: Vec<Tag>,
}

/// One change of several.
#[derive(Clone)]
pub enum Operation {
    Put(Put),
    Delete { key: String, condition: Option<Condition> },
    Increment(Increment),
    Check { key: String, condition: Condition },
}

/// What one of several changes came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Of what was written. 0: nothing was.
    pub version: u64,
    /// Of an increment.
    pub value: i64,
    /// Of a deletion: something was there.
    pub existed: bool,
}

/// What became of several changes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// All of it is on disk: what each came to.
    Done(Vec<Done>),
    /// Nothing was done: this one could not be, since its condition does not hold or no number is there.
    Conflict {
        operation: usize,
        /// Of what is there. 0: nothing is.
        version: u64,
    },
    /// Nothing was done: there would be too much.
    Full,
}

/// What became of taking an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is the caller's, and nobody else's.
    Now(Entry),
    /// Somebody has taken it before.
    Before {
        entry: Entry,
        taken_ms: i64,
    },
    Missing,
}

/// Which part of a long list.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Those with a key after this one. Empty: from the first on.
    pub after: &'a str,
    /// At most so many.
    pub limit: u32,
    /// The list stops with the entry that reaches this; at least one is read.
    pub bytes: u64,
}

/// Some entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// By key.
    pub entries: Vec<Entry>,
    /// Whether there are more after the last of them.
    pub has_more: bool,
}
