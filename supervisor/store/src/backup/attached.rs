//! Texts that travel in a copy: a table that no database has while it is used.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// By name.
pub type Attached = BTreeMap<String, String>;

/// Puts them into a copy.
pub(super) async fn add(copy: &Path, attached: &Attached) -> Result<(), sqlx::Error> {
    const TABLE: &str =
        "CREATE TABLE attached (name TEXT PRIMARY KEY NOT NULL, text TEXT NOT NULL)";
    const ADD: &str = "INSERT INTO attached (name, text) VALUES ($1, $2)";
    let mut connection = open(copy).await?;
    sqlx::query(TABLE).execute(&mut connection).await?;
    for (name, text) in attached {
        sqlx::query(ADD).bind(name).bind(text).execute(&mut connection).await?;
    }
    connection.close().await
}

/// Takes them out of it. There are none in a copy of before there were any.
pub(super) async fn take(copy: &Path) -> Result<Attached, sqlx::Error> {
    const IS_THERE: &str =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'attached'";
    const ALL: &str = "SELECT name, text FROM attached";
    const END: &str = "DROP TABLE attached";
    let mut connection = open(copy).await?;
    let is_there: i64 = sqlx::query_scalar(IS_THERE).fetch_one(&mut connection).await?;
    let mut attached = Vec::new();
    if is_there > 0 {
        attached = sqlx::query_as(ALL).fetch_all(&mut connection).await?;
        sqlx::query(END).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(attached.into_iter().collect())
}

async fn open(copy: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(copy).connect().await
}
