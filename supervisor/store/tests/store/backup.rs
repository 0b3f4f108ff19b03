//! Copies of a SQLite file, and the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use outboard_store::backup::{self, Attached, BackupError, prepare};
use outboard_store::storage::{Operation, Put};
use outboard_store::{DatabaseUrl, Options, Store};
use tempfile::TempDir;

async fn open(url: &DatabaseUrl) -> Store {
    Store::open(url, &Options::default()).await.unwrap()
}

async fn put(store: &Store, value: &str) {
    let (key, value) = ("k".to_owned(), value.as_bytes().to_vec());
    let put = Put { key, value, condition: None, expires_in: None, tags: Vec::new() };
    store.storage().change("otp", &[Operation::Put(put)], 1 << 20).await.unwrap();
}

async fn value(store: &Store) -> String {
    let entry = store.storage().get("otp", "k").await.unwrap().unwrap();
    String::from_utf8(entry.value).unwrap()
}

async fn back_up(url: &DatabaseUrl, file: &Path) -> Result<(), BackupError> {
    backup::back_up(url, file, &Attached::new()).await
}

async fn restore(url: &DatabaseUrl, file: &Path) -> Result<Option<PathBuf>, BackupError> {
    prepare(url, file).await?.put_in_place().await
}

fn database(dir: &Path) -> DatabaseUrl {
    DatabaseUrl::sqlite(dir.join("outboard.db"))
}

#[tokio::test]
async fn a_backup_is_of_the_moment_and_comes_back_in_place_of_what_came_after() {
    let dir = TempDir::new().unwrap();
    let (url, file) = (database(dir.path()), dir.path().join("backup.db"));
    let store = open(&url).await;
    put(&store, "before").await;
    // While it is open, and its log has what the file has not.
    back_up(&url, &file).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    put(&store, "after").await;
    store.close().await;

    let old = restore(&url, &file).await.unwrap().unwrap();
    let store = open(&url).await;
    assert_eq!(value(&store).await, "before");
    put(&store, "later").await;
    store.close().await;
    let kept = open(&DatabaseUrl::sqlite(&old)).await;
    assert_eq!(value(&kept).await, "after");
    kept.close().await;
    // The copy is still good, and so is doing it again.
    restore(&url, &file).await.unwrap();
    let store = open(&url).await;
    assert_eq!(value(&store).await, "before");
    let left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("restoring")), "{left:?}");
}

#[tokio::test]
async fn what_a_killed_supervisor_left_in_its_log_is_kept_too() {
    let dir = TempDir::new().unwrap();
    let (url, file) = (database(dir.path()), dir.path().join("backup.db"));
    let store = open(&url).await;
    put(&store, "before").await;
    back_up(&url, &file).await.unwrap();
    put(&store, "after").await;
    // As after a kill: the log is there. Whoever has the old file open goes on with that.
    assert!(dir.path().join("outboard.db-wal").exists());
    let old = restore(&url, &file).await.unwrap().unwrap();
    drop(store);
    assert_eq!(value(&open(&url).await).await, "before");
    assert_eq!(value(&open(&DatabaseUrl::sqlite(&old)).await).await, "after");
}

#[tokio::test]
async fn a_backup_goes_where_there_was_nothing() {
    let dir = TempDir::new().unwrap();
    let (url, file) = (database(dir.path()), dir.path().join("backup.db"));
    let store = open(&url).await;
    put(&store, "before").await;
    back_up(&url, &file).await.unwrap();
    store.close().await;
    let elsewhere = TempDir::new().unwrap();
    let other = database(elsewhere.path());
    assert_eq!(restore(&other, &file).await.unwrap(), None);
    assert_eq!(value(&open(&other).await).await, "before");
}

#[tokio::test]
async fn what_is_attached_travels_with_a_copy_and_stays_out_of_the_database() {
    let dir = TempDir::new().unwrap();
    let (url, first) = (database(dir.path()), dir.path().join("first.db"));
    let store = open(&url).await;
    put(&store, "before").await;
    let attached =
        Attached::from([("a".to_owned(), "über\n".to_owned()), ("b".to_owned(), String::new())]);
    backup::back_up(&url, &first, &attached).await.unwrap();
    store.close().await;
    let prepared = prepare(&url, &first).await.unwrap();
    assert_eq!(prepared.attached(), &attached);
    prepared.put_in_place().await.unwrap();
    // What was restored can be copied again, with something else.
    let second = dir.path().join("second.db");
    back_up(&url, &second).await.unwrap();
    let prepared = prepare(&url, &second).await.unwrap();
    assert_eq!(prepared.attached(), &Attached::new());
    prepared.drop().await.unwrap();
    assert!(!dir.path().join("outboard.db.restoring").exists());
    assert_eq!(value(&open(&url).await).await, "before");
}

#[tokio::test]
async fn no_file_is_written_over_by_a_backup() {
    let dir = TempDir::new().unwrap();
    let url = database(dir.path());
    open(&url).await.close().await;
    let file = dir.path().join("precious");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), dir.path().join("no/such/directory")] {
        let error = back_up(&url, &path).await.unwrap_err();
        assert!(matches!(error, BackupError::File { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_the_database_stays() {
    let dir = TempDir::new().unwrap();
    let (url, good) = (database(dir.path()), dir.path().join("backup.db"));
    let store = open(&url).await;
    put(&store, "mine").await;
    back_up(&url, &good).await.unwrap();
    store.close().await;
    let write = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let whole = fs::read(&good).unwrap();
    let mut damaged = whole.clone();
    for byte in &mut damaged[4096..20_000] {
        *byte = 0xff;
    }
    for file in [
        write("empty", b""),
        write("text", b"this is no database, but it is longer than a header of one would be, by far, is it not?"),
        write("short", &whole[..whole.len() / 2]),
        write("damaged", &damaged),
        dir.path().join("missing"),
    ] {
        let error = restore(&url, &file).await.unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        let store = open(&url).await;
        assert_eq!(value(&store).await, "mine", "{}", file.display());
        store.close().await;
    }
    assert!(!dir.path().join("outboard.db.restoring").exists());
}

#[tokio::test]
async fn postgres_has_its_own_tools() {
    let url: DatabaseUrl = "postgres://u@h/n".parse().unwrap();
    for error in [
        back_up(&url, Path::new("/tmp/x")).await.unwrap_err(),
        restore(&url, Path::new("/tmp/x")).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("pg_dump"), "{error}");
    }
}
