//! The two drivers behind one name.

use sqlx::{PgPool, SqlitePool};

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs one expression on the pool that is there.
///
/// The expression is compiled once per driver, so the SQL in it is written once and yet each driver
/// sees its own types.
macro_rules! on {
    ($pools:expr, $pool:ident => $run:expr) => {
        match $pools {
            $crate::pools::Pools::Sqlite($pool) => $run,
            $crate::pools::Pools::Postgres($pool) => $run,
        }
    };
}

pub(crate) use on;
