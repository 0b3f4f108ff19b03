//! Every test runs on both databases, each time on an empty one of its own.

use std::future::Future;
use std::panic::resume_unwind;
use std::path::PathBuf;

use outboard_store::{DatabaseUrl, Options, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

const POSTGRES_URL: &str = "OUTBOARD_TEST_POSTGRES_URL";

/// Declares tests that take a [`Database`], one for each kind.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($database:ident: Database) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn check($database: Database) $body

            #[tokio::test]
            async fn on_sqlite() {
                crate::harness::on_sqlite(check).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                crate::harness::on_postgres(check).await;
            }
        }
    )*};
}

pub(crate) use on_both_databases;

/// An empty database.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    pub(crate) place: Place,
}

#[derive(Clone)]
pub(crate) enum Place {
    Sqlite { file: PathBuf },
    Postgres { schema: String },
}

impl Database {
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url, &Options::default()).await.unwrap()
    }

    /// Changes the database behind Outboard's back.
    pub(crate) async fn meddle(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::Sqlite { file } => {
                let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
                let mut connection = options.connect().await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            Place::Postgres { schema } => {
                let mut connection = connect_to_postgres().await;
                execute(&mut connection, format!("SET search_path = {schema}")).await;
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(
    check: impl FnOnce(Database) -> F,
) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("outboard.db");
    let url = DatabaseUrl::sqlite(&file);
    check(Database { url, place: Place::Sqlite { file } }).await;
}

/// In a schema of its own, which goes afterwards, whatever the test did.
pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(
    check: impl FnOnce(Database) -> F,
) {
    let schema = format!("outboard_test_{}", Uuid::new_v4().simple());
    let mut server = connect_to_postgres().await;
    execute(&mut server, format!("CREATE SCHEMA {schema}")).await;

    let url = url_of_schema(&schema).parse().unwrap();
    let place = Place::Postgres { schema: schema.clone() };
    let outcome = tokio::spawn(check(Database { url, place })).await;

    execute(&mut server, format!("DROP SCHEMA {schema} CASCADE")).await;
    server.close().await.unwrap();
    if let Err(failure) = outcome {
        resume_unwind(failure.into_panic());
    }
}

pub(crate) async fn connect_to_postgres() -> PgConnection {
    let options: PgConnectOptions =
        postgres_url().parse().unwrap_or_else(|_| panic!("{POSTGRES_URL} is not a URL"));
    options.connect().await.unwrap_or_else(|error| panic!("{POSTGRES_URL}: {error}"))
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: String) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// No test is left out in silence: without a server the half that needs one fails.
pub(crate) fn postgres_url() -> String {
    std::env::var(POSTGRES_URL).unwrap_or_else(|_| {
        panic!(
            "{POSTGRES_URL} is not set: run the tests with `cargo xtask test`, which starts a \
             PostgreSQL, or set it to postgres://USER:PASSWORD@HOST:PORT/DATABASE of a server \
             made for tests, with a user who may create schemas, databases and users"
        )
    })
}

fn url_of_schema(schema: &str) -> String {
    let url = postgres_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options=-csearch_path%3D{schema}")
}
