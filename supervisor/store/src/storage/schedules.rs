//! Schedules: what is due, and which supervisor calls.

mod change;
mod run;

use sqlx::FromRow;

use crate::identity::handle;

handle! {
    /// The schedules of the instances of a [`Store`](crate::Store).
    Schedules
}

/// What is to be done later, or again and again.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    pub instance: String,
    pub name: String,
    /// `None`: it goes off once.
    pub every_ms: Option<i64>,
    pub due_ms: i64,
    pub data: Vec<u8>,
    /// In a row.
    pub failures: u32,
    /// Why the last time failed.
    pub last_error: Option<String>,
}

/// What to set.
#[derive(Clone, Copy)]
pub struct NewSchedule<'a> {
    pub name: &'a str,
    pub every_ms: Option<i64>,
    /// `None`: `every_ms` from now.
    pub at_ms: Option<i64>,
    pub data: &'a [u8],
}

#[derive(FromRow)]
struct Row {
    instance: String,
    name: String,
    every_ms: Option<i64>,
    due_ms: i64,
    data: Vec<u8>,
    failures: i64,
    last_error: Option<String>,
}

impl From<Row> for Schedule {
    fn from(row: Row) -> Self {
        Self {
            instance: row.instance,
            name: row.name,
            every_ms: row.every_ms,
            due_ms: row.due_ms,
            data: row.data,
            failures: u32::try_from(row.failures).unwrap_or_default(),
            last_error: row.last_error,
        }
    }
}
