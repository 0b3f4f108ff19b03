//! Brings a schema up to date, and only ever forward.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use crate::error::StoreError;
use crate::url::DatabaseUrl;

pub(crate) static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
pub(crate) static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

pub(crate) async fn run(
    url: &DatabaseUrl,
    migrator: &Migrator,
    connection: &mut impl Migrate,
) -> Result<(), StoreError> {
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(|error| explain(url, migrator, &error))
}

fn explain(url: &DatabaseUrl, migrator: &Migrator, error: &MigrateError) -> StoreError {
    let newest = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::VersionMissing(found) if *found > newest => {
            StoreError::newer_schema(url, *found, newest)
        }
        MigrateError::VersionMissing(version)
        | MigrateError::VersionMismatch(version)
        | MigrateError::Dirty(version) => StoreError::changed_schema(url, *version),
        MigrateError::Execute(error) => {
            StoreError::from_sqlx(url, "read the schema version", error)
        }
        MigrateError::ExecuteMigration(error, version) => {
            StoreError::from_sqlx(url, &format!("migrate the schema to version {version}"), error)
        }
        other => StoreError::migration(url, other),
    }
}
