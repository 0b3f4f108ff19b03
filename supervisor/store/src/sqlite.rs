//! The embedded database: one file, for its owner alone.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};
use tokio::fs::OpenOptions;

use crate::error::StoreError;
use crate::migrate;
use crate::store::Options;
use crate::url::DatabaseUrl;

const CONNECTIONS: u32 = 4;
const OWNER_ONLY: u32 = 0o600;
/// Of each connection, in KiB, below zero as SQLite wants it. Ids of events may be random, and so
/// are the pages of their index that are written to.
const CACHE: &str = "-16384";
/// Pages in the log (32 MiB) before they are copied into the file: a page that changes again and
/// again is copied once.
const CHECKPOINT: &str = "8000";
/// Rows that a connection reads ahead of who wants them.
const ROWS_AHEAD: usize = 256;

pub(crate) async fn open(
    url: &DatabaseUrl,
    path: &Path,
    options: &Options,
) -> Result<SqlitePool, StoreError> {
    create_private(path).await.map_err(|error| StoreError::from_file(url, &error))?;
    let connect = connect_options(path, options);
    migrate(url, &connect).await?;
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(options.wait)
        // A file does not hang up.
        .test_before_acquire(false)
        .connect_lazy_with(connect);
    Ok(pool)
}

/// SQLite would create the file with the modes of the umask. Its `-wal` and `-shm` files take over
/// the modes of the file itself.
async fn create_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(OWNER_ONLY)
        .open(path)
        .await?;
    if file.metadata().await?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(OWNER_ONLY)).await?;
    }
    Ok(())
}

fn connect_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL may lose the last commits in a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .row_buffer_size(ROWS_AHEAD)
        .busy_timeout(options.wait)
}

/// SQLite's migrator takes no lock of its own, so one immediate transaction around all of it does.
async fn migrate(url: &DatabaseUrl, connect: &SqliteConnectOptions) -> Result<(), StoreError> {
    let failed = |error: &sqlx::Error| StoreError::from_sqlx(url, "open the file", error);
    let mut connection = connect.connect().await.map_err(|error| failed(&error))?;
    let mut transaction =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(&error))?;
    migrate::run(url, &migrate::SQLITE, &mut *transaction).await?;
    transaction.commit().await.map_err(|error| failed(&error))?;
    connection.close().await.map_err(|error| failed(&error))
}
