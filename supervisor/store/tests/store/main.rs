//! The store on real databases: SQLite in a temporary directory, and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
mod instances;
mod opening;
