//! API keys, of which only the hashes are kept.

use sqlx::FromRow;

use super::handle::{count, handle, names_read, names_stored};
use super::listing::Listing;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

handle! {
    /// The API keys of a [`Store`](crate::Store).
    ApiKeys
}

/// A key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Of the key, in hex.
    pub hash: String,
    /// For people.
    pub label: String,
    pub scopes: Vec<String>,
    pub created_ms: i64,
    /// The user who has made it.
    pub issued_by: String,
    /// From where it was made.
    pub issued_for: String,
    pub user_agent: String,
    /// How often it was used.
    pub uses: u32,
    pub enabled: bool,
}

/// What a key begins with.
#[derive(Clone, Copy, Debug)]
pub struct NewApiKey<'a> {
    pub hash: &'a str,
    pub label: &'a str,
    pub scopes: &'a [String],
    pub issued_by: &'a str,
    pub issued_for: &'a str,
    pub user_agent: &'a str,
    pub now_ms: i64,
}

#[derive(FromRow)]
struct Row {
    hash: String,
    label: String,
    scopes: String,
    created_ms: i64,
    issued_by: String,
    issued_for: String,
    user_agent: String,
    uses: i64,
    enabled: bool,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            hash: row.hash,
            label: row.label,
            scopes: names_read(&row.scopes),
            created_ms: row.created_ms,
            issued_by: row.issued_by,
            issued_for: row.issued_for,
            user_agent: row.user_agent,
            uses: count(row.uses),
            enabled: row.enabled,
        }
    }
}

impl ApiKeys<'_> {
    /// Adds a key, enabled.
    pub async fn insert(self, new: &NewApiKey<'_>) -> Result<ApiKey, StoreError> {
        const SQL: &str = "
            INSERT INTO api_key (hash, label, scopes, created_ms, issued_by, issued_for, user_agent, uses, enabled)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 0, TRUE) RETURNING *";
        let row: Result<Row, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(new.hash))
            .bind(text(new.label))
            .bind(names_stored(new.scopes))
            .bind(new.now_ms)
            .bind(text(new.issued_by))
            .bind(text(new.issued_for))
            .bind(text(new.user_agent))
            .fetch_one(pool)
            .await);
        self.told("add the API key", row).map(ApiKey::from)
    }

    /// Enabled or not.
    pub async fn find(self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        const SQL: &str = "SELECT * FROM api_key WHERE hash = $1";
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(hash)).fetch_optional(pool).await
        });
        Ok(self.told("look for the API key", row)?.map(ApiKey::from))
    }

    /// The newest first. A pattern is looked for in label, user, address and user agent.
    pub async fn list(self, listing: &Listing<'_>) -> Result<Vec<ApiKey>, StoreError> {
        const SQL: &str = "
            SELECT * FROM api_key
            WHERE lower(label) LIKE $1 ESCAPE '\\' OR lower(issued_by) LIKE $1 ESCAPE '\\'
               OR lower(issued_for) LIKE $1 ESCAPE '\\' OR lower(user_agent) LIKE $1 ESCAPE '\\'
            ORDER BY created_ms DESC, hash LIMIT $2 OFFSET $3";
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(listing.like())
            .bind(listing.limit())
            .bind(listing.offset())
            .fetch_all(pool)
            .await);
        let rows = self.told("list the API keys", rows)?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// False: there is no such key.
    pub async fn set_enabled(self, hash: &str, enabled: bool) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE api_key SET enabled = $2 WHERE hash = $1";
        let changed = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(hash))
            .bind(enabled)
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("enable or disable the API key", changed)
    }

    /// False: there is no such key.
    pub async fn delete(self, hash: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM api_key WHERE hash = $1";
        let deleted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(hash))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("delete the API key", deleted)
    }

    pub async fn count_use(self, hash: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE api_key SET uses = uses + 1 WHERE hash = $1";
        let counted = on!(&self.store.pools, pool => {
            sqlx::query(SQL).bind(text(hash)).execute(pool).await.map(drop)
        });
        self.told("count a use of the API key", counted)
    }
}
