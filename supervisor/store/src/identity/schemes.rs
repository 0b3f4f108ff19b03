//! What operators say of instances of kind scheme, beside their parameters.

use std::collections::BTreeMap;

use outboard_core::identity::scheme::SchemeSettings;
use sqlx::FromRow;

use super::handle::{count, handle};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

handle! {
    /// The settings of schemes in a [`Store`](crate::Store).
    Schemes
}

#[derive(FromRow)]
struct Row {
    instance: String,
    expiration_s: i64,
    max_use: i64,
    allow_user_register: bool,
    forbid_user_profile: bool,
    forbid_user_reset_credential: bool,
}

impl From<Row> for SchemeSettings {
    fn from(row: Row) -> Self {
        Self {
            expiration_s: u64::try_from(row.expiration_s).unwrap_or_default(),
            max_use: count(row.max_use),
            allow_user_register: row.allow_user_register,
            forbid_user_profile: row.forbid_user_profile,
            forbid_user_reset_credential: row.forbid_user_reset_credential,
        }
    }
}

impl Schemes<'_> {
    /// By instance.
    pub async fn list(self) -> Result<BTreeMap<String, SchemeSettings>, StoreError> {
        const SQL: &str = "SELECT * FROM scheme_setting";
        let rows: Result<Vec<Row>, _> =
            on!(&self.store.pools, pool => sqlx::query_as(SQL).fetch_all(pool).await);
        let rows = self.told("list the schemes", rows)?;
        Ok(rows.into_iter().map(|row| (row.instance.clone(), row.into())).collect())
    }

    pub async fn get(self, instance: &str) -> Result<Option<SchemeSettings>, StoreError> {
        const SQL: &str = "SELECT * FROM scheme_setting WHERE instance = $1";
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(instance)).fetch_optional(pool).await
        });
        Ok(self.told("read the settings of a scheme", row)?.map(SchemeSettings::from))
    }

    /// Adds or replaces.
    pub async fn set(self, instance: &str, settings: &SchemeSettings) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO scheme_setting (instance, expiration_s, max_use, allow_user_register,
                                        forbid_user_profile, forbid_user_reset_credential)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (instance) DO UPDATE
            SET expiration_s = excluded.expiration_s, max_use = excluded.max_use,
                allow_user_register = excluded.allow_user_register,
                forbid_user_profile = excluded.forbid_user_profile,
                forbid_user_reset_credential = excluded.forbid_user_reset_credential";
        let set = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .bind(i64::try_from(settings.expiration_s).unwrap_or(i64::MAX))
            .bind(i64::from(settings.max_use))
            .bind(settings.allow_user_register)
            .bind(settings.forbid_user_profile)
            .bind(settings.forbid_user_reset_credential)
            .execute(pool)
            .await
            .map(drop));
        self.told("write the settings of a scheme", set)
    }

    pub async fn delete(self, instance: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM scheme_setting WHERE instance = $1";
        let deleted = on!(&self.store.pools, pool => {
            sqlx::query(SQL).bind(text(instance)).execute(pool).await.map(drop)
        });
        self.told("remove the settings of a scheme", deleted)
    }
}
