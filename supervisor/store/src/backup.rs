//! Copies of a SQLite file: one that is whole while others write, and the way back.
//!
//! What is restored was looked at first: it is a whole file, of Outboard, and no newer than this one. The file that it
//! takes the place of is kept beside it. PostgreSQL has tools of its own for both.
//!
//! A copy has room for short texts besides, so that what belongs to a database and is kept elsewhere can travel with it.

mod attached;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::fs;

pub use self::attached::Attached;
use crate::error::StoreError;
use crate::store::{Options, Store};
use crate::url::{DatabaseUrl, Target};

const OWNER_ONLY: u32 = 0o600;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "the database is PostgreSQL's; use its own pg_dump, and pg_restore or psql for the way back"
    )]
    Postgres,
    #[error("{path}: {source}; {advice}")]
    File { path: PathBuf, source: io::Error, advice: &'static str },
    #[error("{path}: {problem}; name a file that `outboard backup` has written")]
    NoBackup { path: PathBuf, problem: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A copy that can take the place of the database. Until it does, nothing is changed.
#[derive(Debug)]
#[must_use = "it takes no place by itself"]
pub struct Prepared {
    database: PathBuf,
    new: PathBuf,
    attached: Attached,
}

/// Writes a copy of the database into a new file, for its owner alone, and `attached` with it. Supervisors may go on
/// meanwhile: the copy is of one moment.
pub async fn back_up(
    url: &DatabaseUrl,
    file: &Path,
    attached: &Attached,
) -> Result<(), BackupError> {
    let database = sqlite_file(url)?;
    let unwritable = |source| BackupError::File {
        path: file.to_owned(),
        source,
        advice: "name a file that is not there yet, in a directory that you may write",
    };
    create(file).await.map_err(unwritable)?;
    let copied = async {
        copy_database(url, database, file).await?;
        let failed = |error: sqlx::Error| StoreError::from_sqlx(url, "write the copy", &error);
        attached::add(file, attached).await.map_err(failed)
    };
    let copied = copied.await;
    if copied.is_err() {
        // It is worth nothing, and in the way of another attempt.
        let _ = fs::remove_file(file).await;
    }
    copied?;
    sync(file).await.map_err(unwritable)
}

async fn copy_database(url: &DatabaseUrl, database: &Path, file: &Path) -> Result<(), StoreError> {
    const SQL: &str = "VACUUM INTO $1";
    let failed = |error: &sqlx::Error| StoreError::from_sqlx(url, "copy the database", error);
    let wait = Options::default().wait;
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(wait);
    let mut connection = options.connect().await.map_err(|error| failed(&error))?;
    let path = file.to_string_lossy().into_owned();
    let copied = sqlx::query(SQL).bind(path).execute(&mut connection).await;
    copied.map_err(|error| failed(&error))?;
    connection.close().await.map_err(|error| failed(&error))
}

/// Looks at a copy, and makes it ready beside the database.
pub async fn prepare(url: &DatabaseUrl, file: &Path) -> Result<Prepared, BackupError> {
    let database = sqlite_file(url)?;
    let new = beside(database, ".restoring");
    remove(&new).await?;
    create(&new).await.map_err(|error| unusable(&new, error))?;
    let copied = copy(file, &new).await;
    if copied.is_err() {
        let _ = remove(&new).await;
    }
    Ok(Prepared { database: database.to_owned(), new, attached: copied? })
}

impl Prepared {
    /// What came with the copy.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Takes the place of the database, which no supervisor may use meanwhile. What was there is kept under the name that
    /// this gives, if there was anything.
    pub async fn put_in_place(self) -> Result<Option<PathBuf>, BackupError> {
        let Self { database, new, .. } = self;
        let old = keep(&database).await?;
        fs::rename(&new, &database).await.map_err(|error| unusable(&database, error))?;
        Ok(old)
    }

    /// Is given up: the database stays as it is.
    pub async fn drop(self) -> Result<(), BackupError> {
        remove(&self.new).await
    }
}

/// Makes `new` a copy of `file` that this Outboard can open, and takes out what came with it.
async fn copy(file: &Path, new: &Path) -> Result<Attached, BackupError> {
    fs::copy(file, new).await.map_err(|source| BackupError::File {
        path: file.to_owned(),
        source,
        advice: "name a file that can be read",
    })?;
    // Copying took over the modes of the file.
    let modes = fs::set_permissions(new, Permissions::from_mode(OWNER_ONLY)).await;
    modes.map_err(|error| unusable(new, error))?;
    look_at(file, new).await?;
    let none = |error: sqlx::Error| no_backup(file, error.to_string());
    let attached = attached::take(new).await.map_err(none)?;
    let url = DatabaseUrl::sqlite(new);
    let store = Store::open(&url, &Options::default()).await?;
    store.close().await;
    sync(new).await.map_err(|error| unusable(new, error))?;
    Ok(attached)
}

/// Whether it is a whole database of Outboard. An empty one would be one too, once it was opened.
async fn look_at(file: &Path, new: &Path) -> Result<(), BackupError> {
    const WHOLE: &str = "PRAGMA integrity_check(1)";
    const OURS: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' \
                        AND name IN ('_sqlx_migrations', 'plugin_instance')";
    let none = |problem| no_backup(file, problem);
    let failed = |error: sqlx::Error| match error {
        sqlx::Error::Database(error) => none(error.message().to_owned()),
        other => none(other.to_string()),
    };
    let mut connection =
        SqliteConnectOptions::new().filename(new).connect().await.map_err(failed)?;
    let whole: String =
        sqlx::query_scalar(WHOLE).fetch_one(&mut connection).await.map_err(failed)?;
    let ours: i64 = sqlx::query_scalar(OURS).fetch_one(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    match (whole.as_str(), ours) {
        ("ok", 2) => Ok(()),
        ("ok", _) => Err(none("it is not a database of Outboard".to_owned())),
        (problem, _) => Err(none(format!("it is damaged: {problem}"))),
    }
}

/// Keeps the database, with what its log has, under another name. Its log must not stay beside what comes in its place.
async fn keep(database: &Path) -> Result<Option<PathBuf>, BackupError> {
    if !fs::try_exists(database).await.map_err(|error| unusable(database, error))? {
        return Ok(None);
    }
    let old = beside(database, ".before-restore");
    for part in ["-wal", "-shm", ""] {
        remove(&beside(&old, part)).await?;
    }
    for part in ["", "-wal"] {
        let from = beside(database, part);
        match fs::hard_link(&from, beside(&old, part)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unusable(&from, error));
            }
            _ => {}
        }
    }
    for part in ["-wal", "-shm"] {
        remove(&beside(database, part)).await?;
    }
    Ok(Some(old))
}

fn sqlite_file(url: &DatabaseUrl) -> Result<&Path, BackupError> {
    match url.target() {
        Target::Sqlite(path) => Ok(path),
        Target::Postgres(_) => Err(BackupError::Postgres),
    }
}

async fn create(file: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(OWNER_ONLY).open(file).await.map(drop)
}

async fn sync(file: &Path) -> io::Result<()> {
    fs::File::open(file).await?.sync_all().await
}

async fn remove(file: &Path) -> Result<(), BackupError> {
    match fs::remove_file(file).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(file, error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn no_backup(file: &Path, problem: String) -> BackupError {
    BackupError::NoBackup { path: file.to_owned(), problem }
}

fn unusable(path: &Path, source: io::Error) -> BackupError {
    let advice = "make its directory writable for the user that runs this";
    BackupError::File { path: path.to_owned(), source, advice }
}
