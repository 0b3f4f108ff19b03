//! What Outboard remembers, and the only SQL.
//!
//! A [`Store`] is one database: a SQLite file, or PostgreSQL shared by several supervisors. Callers
//! see rows as types and failures as sentences, and never learn which of the two it is.
//!
//! Each statement is written once and runs on both. What differs between the two is in
//! `migrations/`: column types, collations, and the view `clock`, so that a query can say
//! `(SELECT now_ms FROM clock)` and mean the database's own time, which is one time for all
//! supervisors that share it. Parameters are always bound, never pasted in. `pools.rs` has the one
//! macro that picks the driver.
//!
//! [`identity`] is who may use what. [`storage`] is what plugins keep. [`outbox`] is where many rows change at once; it says itself how they stay in step.
//!
//! Migrations only go forward. A database that a newer Outboard has migrated is refused.

pub mod backup;
mod error;
pub mod identity;
mod instance;
mod instances;
mod migrate;
pub mod outbox;
mod pools;
mod postgres;
mod sqlite;
pub mod storage;
mod store;
mod url;

pub use error::{Fault, StoreError};
pub use instance::{Instance, InvalidParameters, NewInstance, Parameters};
pub use instances::{InstanceError, Instances, Mark};
pub use store::{Options, Store};
pub use url::{DatabaseUrl, InvalidUrl};
