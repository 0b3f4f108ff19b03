//! Opening: migrations, rights, and errors that an operator can act on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::harness::{Database, Place, on_both_databases};
use outboard_store::{DatabaseUrl, Fault, Options, Parameters, Store, StoreError};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

const NEWEST: i64 = 5;

async fn fails(url: &DatabaseUrl) -> StoreError {
    let options = Options { wait: Duration::from_millis(500), ..Options::default() };
    Store::open(url, &options).await.unwrap_err()
}

on_both_databases! {
    async fn the_schema_reaches_the_newest_version_and_stays(database: Database) {
        for _ in 0..3 {
            let store = database.open().await;
            assert_eq!(store.schema_version().await.unwrap(), NEWEST);
            store.close().await;
        }
    }

    async fn supervisors_that_start_together_do_not_disturb_each_other(database: Database) {
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.open().await.schema_version().await.unwrap() })
            })
            .collect();
        for start in starts {
            assert_eq!(start.await.unwrap(), NEWEST);
        }
    }

    async fn a_database_of_a_newer_outboard_is_refused_and_left_alone(database: Database) {
        database.open().await.close().await;
        let newer = "INSERT INTO _sqlx_migrations \
                     (version, description, success, checksum, execution_time) \
                     SELECT 900, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        database.meddle(newer).await;
        let error = fails(&database.url).await;
        assert_eq!(error.fault(), Fault::NewerSchema);
        let text = error.to_string();
        assert!(text.contains("version 900") && text.contains(&format!("versions up to {NEWEST}")), "{text}");
        assert!(text.contains("start a version of Outboard that is at least as new"), "{text}");
        database.meddle("DELETE FROM _sqlx_migrations WHERE version = 900").await;
        assert_eq!(database.open().await.schema_version().await.unwrap(), NEWEST);
    }

    async fn a_schema_that_someone_else_made_is_refused(database: Database) {
        database.open().await.close().await;
        let bytes = match database.place {
            Place::Sqlite { .. } => "BLOB",
            Place::Postgres { .. } => "BYTEA",
        };
        let sql = format!("UPDATE _sqlx_migrations SET checksum = CAST('other' AS {bytes})");
        database.meddle(&sql).await;
        let error = fails(&database.url).await;
        assert_eq!(error.fault(), Fault::ChangedSchema, "{error}");
    }

    async fn a_migration_that_fails_leaves_nothing_behind(database: Database) {
        database.meddle("CREATE VIEW clock AS SELECT 1 AS now_ms").await;
        let error = fails(&database.url).await;
        assert!(error.to_string().contains("could not migrate the schema to version 1"), "{error}");
        database.meddle("DROP VIEW clock").await;
        assert_eq!(database.open().await.schema_version().await.unwrap(), NEWEST);
    }

    async fn a_statement_that_fails_does_not_show_the_parameters(database: Database) {
        let store = database.open().await;
        database.meddle("DROP VIEW clock").await;
        database.meddle("CREATE VIEW clock AS SELECT NULL AS now_ms").await;
        let parameters = Parameters::parse(r#"{"password":"s3cret-parameter"}"#).unwrap();
        let new = outboard_store::NewInstance {
            plugin: "p",
            name: "n",
            display_name: "d",
            parameters: &parameters,
            enabled: true,
            kind: outboard_core::identity::kind::InstanceKind::Plugin,
            rank: 0,
            readonly: false,
        };
        let error = store.instances().insert(new).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("could not add the instance"), "{text}");
        assert!(!text.contains("s3cret-parameter"), "{text}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_of_sqlite_and_its_companions_are_the_owners_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("outboard.db");
    let store = Store::open(&DatabaseUrl::sqlite(&path), &Options::default()).await.unwrap();
    store.instances().list().await.unwrap();
    let files: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    store.close().await;
}

#[tokio::test]
async fn a_file_that_others_could_read_is_closed_to_them() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("outboard.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&DatabaseUrl::sqlite(&path), &Options::default()).await.unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn sqlite_keeps_a_write_ahead_log() {
    let dir = TempDir::new().unwrap();
    let url = DatabaseUrl::sqlite(dir.path().join("outboard.db"));
    Store::open(&url, &Options::default()).await.unwrap().close().await;
    let header = fs::read(dir.path().join("outboard.db")).unwrap();
    assert_eq!(header[18..20], [2, 2], "read and write version of the file format");
}

#[tokio::test]
async fn each_thing_wrong_with_the_file_has_its_own_advice() {
    let dir = TempDir::new().unwrap();
    let missing = DatabaseUrl::sqlite(dir.path().join("no/such/outboard.db"));
    let error = fails(&missing).await;
    assert_eq!(error.fault(), Fault::File);
    assert!(error.to_string().contains("create its directory"), "{error}");

    let error = fails(&DatabaseUrl::sqlite(dir.path())).await;
    assert_eq!(error.fault(), Fault::File, "{error}");

    let text = dir.path().join("notes.txt");
    fs::write(&text, "not a database, and long enough to be sure of it\n".repeat(100)).unwrap();
    let error = fails(&DatabaseUrl::sqlite(&text)).await;
    assert_eq!(error.fault(), Fault::Damaged, "{error}");
    assert!(fs::read_to_string(&text).unwrap().starts_with("not a database"));
}

#[tokio::test]
async fn a_writer_that_holds_the_file_is_waited_for_and_then_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("outboard.db");
    let url = DatabaseUrl::sqlite(&path);
    Store::open(&url, &Options::default()).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = options.connect().await.unwrap();
    let transaction = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = fails(&url).await;
    assert_eq!(error.fault(), Fault::Busy, "{error}");
    assert!(error.fault().is_temporary());
    transaction.rollback().await.unwrap();
    Store::open(&url, &Options::default()).await.unwrap();
}

/// The test server's URL, with something else in one place.
fn changed(change: impl FnOnce(Parts) -> Parts) -> DatabaseUrl {
    let url = crate::harness::postgres_url();
    let rest = url.split_once("://").unwrap().1;
    let (who, rest) = rest.rsplit_once('@').unwrap();
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let (host, name) = rest.split_once('/').unwrap();
    let parts = change(Parts {
        user: user.to_owned(),
        password: password.to_owned(),
        host: host.to_owned(),
        name: name.to_owned(),
    });
    let Parts { user, password, host, name } = parts;
    format!("postgres://{user}:{password}@{host}/{name}").parse().unwrap()
}

struct Parts {
    user: String,
    password: String,
    host: String,
    name: String,
}

#[track_caller]
fn shows_no_password(error: &StoreError) {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let url = "postgres://outboard:s3cret@127.0.0.1:1/outboard".parse().unwrap();
    let error = fails(&url).await;
    assert_eq!(error.fault(), Fault::Unreachable, "{error}");
    assert!(error.fault().is_temporary());
    assert!(
        error
            .to_string()
            .starts_with("postgres://outboard@127.0.0.1:1/outboard: could not connect")
    );
    assert!(error.to_string().ends_with("correct host and port of the database URL"), "{error}");
    shows_no_password(&error);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://o:s3cret@{}/n", silent.local_addr().unwrap()).parse().unwrap();
    let error = fails(&url).await;
    assert_eq!(error.fault(), Fault::Unreachable, "{error}");
    assert!(error.to_string().contains("no answer within 500ms"), "{error}");
    shows_no_password(&error);
}

/// A server that says no to TLS, as one without a certificate does.
fn server_without_tls() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut ssl_request = [0; 8];
        client.read_exact(&mut ssl_request).unwrap();
        client.write_all(b"N").unwrap();
    });
    address
}

#[tokio::test]
async fn a_server_without_tls_is_not_used_where_the_url_asks_for_tls() {
    let address = server_without_tls();
    let url = format!("postgres://o:s3cret@{address}/n?sslmode=require").parse().unwrap();
    let error = fails(&url).await;
    assert_eq!(error.fault(), Fault::Settings, "{error}");
    assert!(error.to_string().contains("TLS"), "{error}");
    shows_no_password(&error);
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_to_be_created() {
    let url = changed(|parts| Parts { name: "no_such_database".to_owned(), ..parts });
    let error = fails(&url).await;
    assert_eq!(error.fault(), Fault::NoDatabase, "{error}");
    assert!(error.to_string().contains("create the database"), "{error}");
}

#[tokio::test]
async fn a_user_that_may_not_create_tables_is_told_so() {
    let mut server = crate::harness::connect_to_postgres().await;
    let user = format!("outboard_test_{}", uuid::Uuid::new_v4().simple());
    crate::harness::execute(&mut server, format!("CREATE USER {user} PASSWORD 's3cret'")).await;
    let url = changed(|parts| Parts { user: user.clone(), password: "s3cret".to_owned(), ..parts });
    let error = fails(&url).await;
    crate::harness::execute(&mut server, format!("DROP USER {user}")).await;
    assert_eq!(error.fault(), Fault::Refused, "{error}");
    assert!(error.to_string().contains("the right to create tables"), "{error}");
    shows_no_password(&error);
}

#[tokio::test]
async fn a_database_that_stores_no_unicode_is_refused() {
    let mut server = crate::harness::connect_to_postgres().await;
    let name = format!("outboard_test_{}", uuid::Uuid::new_v4().simple());
    crate::harness::execute(
        &mut server,
        format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc"),
    )
    .await;
    let url = changed(|parts| Parts { name: name.clone(), ..parts });
    let error = fails(&url).await;
    crate::harness::execute(&mut server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    assert_eq!(error.fault(), Fault::Encoding, "{error}");
    assert!(error.to_string().contains("its encoding is SQL_ASCII"), "{error}");
}
