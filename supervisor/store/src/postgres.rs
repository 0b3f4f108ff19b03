//! The database that several supervisors can share.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::time::timeout;

use crate::error::StoreError;
use crate::migrate;
use crate::store::Options;
use crate::url::DatabaseUrl;

/// A connection that was used so short a time ago is believed to be there. To ask it before each statement would double
/// what a statement waits for.
const FRESH: Duration = Duration::from_secs(1);

pub(crate) async fn open(
    url: &DatabaseUrl,
    server: &PgConnectOptions,
    options: &Options,
) -> Result<PgPool, StoreError> {
    let mut connection = connect(url, server, options).await?;
    require_utf8(url, &mut connection).await?;
    migrate(url, &mut connection).await?;
    connection.close().await.map_err(|error| StoreError::from_sqlx(url, "connect", &error))?;
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.wait)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > FRESH {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(server.clone());
    Ok(pool)
}

/// Not from a pool: a pool keeps trying a refused connection and then says no more than that time
/// is up.
async fn connect(
    url: &DatabaseUrl,
    server: &PgConnectOptions,
    options: &Options,
) -> Result<PgConnection, StoreError> {
    match timeout(options.wait, server.connect()).await {
        Ok(connection) => connection.map_err(|error| StoreError::from_sqlx(url, "connect", &error)),
        Err(_) => Err(StoreError::no_answer(url, options.wait)),
    }
}

/// Any other encoding refuses some text, and only once a user has typed it.
async fn require_utf8(url: &DatabaseUrl, connection: &mut PgConnection) -> Result<(), StoreError> {
    let encoding: String =
        sqlx::query_scalar("SHOW server_encoding")
            .fetch_one(connection)
            .await
            .map_err(|error| StoreError::from_sqlx(url, "ask for the encoding", &error))?;
    if encoding == "UTF8" { Ok(()) } else { Err(StoreError::encoding(url, &encoding)) }
}

/// The migrator holds an advisory lock, so a second supervisor waits here for the first: bounded,
/// because the first may be stuck. The lock goes with the connection, also after an error.
async fn migrate(url: &DatabaseUrl, connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SET lock_timeout = '60s'")
        .execute(&mut *connection)
        .await
        .map_err(|error| StoreError::from_sqlx(url, "prepare the migration", &error))?;
    migrate::run(url, &migrate::POSTGRES, connection).await
}
