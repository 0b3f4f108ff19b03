//! What instances keep: entries with a version, an end and tags; locks; schedules.
//!
//! Each instance has a space of its own. Everything that changes entries does so in a [`space::Space`]:
//! one transaction that begins by writing to the instance's one row of `storage_space`. So changes of one
//! instance come one after the other, also those of several supervisors: what a condition was judged by is
//! still so when the change is written, versions only grow, and the bytes are those of the rows.
//!
//! Time is that of the database. An entry that has ended is not there, whether its row is still there or not.

mod change;
mod entry;
mod judge;
mod locks;
mod read;
mod schedules;
mod space;
mod take;
mod upkeep;

pub use entry::{
    Changed, Condition, Done, Entry, Increment, Operation, Page, Put, Slice, Tag, Taken,
};
pub use locks::Locks;
pub use schedules::{NewSchedule, Schedule, Schedules};

use crate::identity::handle;

handle! {
    /// What instances keep in a [`Store`](crate::Store).
    Storage
}
