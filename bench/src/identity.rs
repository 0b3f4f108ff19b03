//! What plugins ask the host about people, and how long a log-in takes, with many users in the database.
//!
//! From outside: the real supervisor, a plugin that calls back, and log-ins over HTTP beside a bare verification of the
//! same hash.

mod log_in;
mod questions;
mod stage;

use std::fmt::Write as _;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use stage::Stage;

/// So many users in each of the databases, `rounds` of `seconds`.
pub(crate) fn measure(
    runtime: &Runtime,
    users: usize,
    rounds: usize,
    seconds: u64,
) -> Result<String> {
    let postgres = std::env::var("OUTBOARD_BENCH_POSTGRES_URL")
        .context("there is no PostgreSQL; run this by `cargo xtask bench`")?;
    let mut text = format!(
        "{users} users with the same password, in each database. PostgreSQL is on the loopback, and does not wait for its \
         disk.\n"
    );
    for (name, url) in [("SQLite", None), ("PostgreSQL", Some(postgres.as_str()))] {
        eprintln!("bench: identity, {name}");
        let mut stage = Stage::open(runtime, url, users)?;
        let session = stage.log_in("user-0")?.session;
        writeln!(text, "\n### {name}\n")?;
        text.push_str(&questions::measure(&stage, &session, users, rounds, seconds)?);
        text.push_str(&log_in::measure(&mut stage, rounds * 20)?);
    }
    Ok(text)
}
