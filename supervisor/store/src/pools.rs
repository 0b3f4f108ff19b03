//! The two drivers behind one name.

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Several statements that count together or not at all. Dropped without a commit, none does.
pub enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Pools {
    /// A transaction that is going to write. One that began as a reader could not always become a
    /// writer on SQLite: what it has read may be old by then.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            Self::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
        }
    }
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
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

/// The same inside a [`Transaction`].
macro_rules! within {
    ($transaction:expr, $connection:ident => $run:expr) => {
        match $transaction {
            $crate::pools::Transaction::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $run
            }
            $crate::pools::Transaction::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $run
            }
        }
    };
}

pub(crate) use {on, within};
