//! Looking for users.

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{DATABASE, User, UserId};
use sqlx::FromRow;

use super::Users;
use crate::error::StoreError;
use crate::identity::handle::{count, names_read, properties_read};
use crate::identity::listing::Listing;
use crate::outbox::rows::text;
use crate::pools::on;

/// The users that are not deleted, and more of the statement.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT id, username, name_key, name, email, enabled, scopes, properties, \
             last_login_ms, revision, (SELECT COUNT(*) FROM user_password \
             WHERE user_password.account = id) AS passwords \
             FROM account JOIN user_detail ON user_detail.account = id \
             WHERE source = 'database' AND deleted_ms IS NULL ",
            $rest
        )
    };
}

/// What a pattern is looked for in.
macro_rules! like {
    () => {
        "AND (lower(username) LIKE $1 ESCAPE '\\' OR lower(name) LIKE $1 ESCAPE '\\' \
         OR lower(email) LIKE $1 ESCAPE '\\') "
    };
}

#[derive(FromRow)]
struct Row {
    id: String,
    username: String,
    name_key: String,
    name: Option<String>,
    email: Option<String>,
    enabled: bool,
    scopes: String,
    properties: String,
    last_login_ms: Option<i64>,
    revision: i64,
    passwords: i64,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId::stored(row.id),
            username: UserName::stored(row.username, row.name_key),
            name: row.name,
            email: row.email,
            enabled: row.enabled,
            scopes: names_read(&row.scopes),
            properties: properties_read(&row.properties),
            source: DATABASE.to_owned(),
            passwords: count(row.passwords),
            last_login_ms: row.last_login_ms,
            revision: row.revision,
        }
    }
}

impl Users<'_> {
    /// By what the name is compared by.
    pub async fn get(self, name_key: &str) -> Result<Option<User>, StoreError> {
        const SQL: &str = select_users!("AND name_key = $1");
        self.one(SQL, name_key).await
    }

    pub async fn get_by_id(self, id: &str) -> Result<Option<User>, StoreError> {
        const SQL: &str = select_users!("AND id = $1");
        self.one(SQL, id).await
    }

    /// By e-mail, without regard to ASCII case: at most so many, by name.
    pub async fn with_email(self, email: &str, limit: u32) -> Result<Vec<User>, StoreError> {
        const SQL: &str = select_users!("AND lower(email) = $1 ORDER BY name_key LIMIT $2");
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(&email.to_ascii_lowercase()))
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await);
        let rows = self.told("look for users by e-mail", rows)?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// By name, in the order of the bytes of what it is compared by.
    pub async fn list(self, listing: &Listing<'_>) -> Result<Vec<User>, StoreError> {
        const ALL: &str = select_users!("ORDER BY name_key LIMIT $1 OFFSET $2");
        const SOME: &str =
            concat!(select_users!(""), like!(), "ORDER BY name_key LIMIT $2 OFFSET $3");
        let (limit, offset) = (listing.limit(), listing.offset());
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            let query = if listing.pattern.is_empty() {
                sqlx::query_as(ALL)
            } else {
                sqlx::query_as(SOME).bind(listing.like())
            };
            query.bind(limit).bind(offset).fetch_all(pool).await
        });
        let rows = self.told("list the users", rows)?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// How many a listing without bounds would have.
    pub async fn count(self, pattern: &str) -> Result<u64, StoreError> {
        const ALL: &str = "SELECT COUNT(*) FROM account \
                           WHERE source = 'database' AND deleted_ms IS NULL";
        const SOME: &str = concat!(
            "SELECT COUNT(*) FROM account JOIN user_detail ON user_detail.account = id \
             WHERE source = 'database' AND deleted_ms IS NULL ",
            like!()
        );
        let listing = Listing { pattern, ..Listing::ALL };
        let counted: Result<i64, _> = on!(&self.store.pools, pool => {
            let query = if pattern.is_empty() {
                sqlx::query_scalar(ALL)
            } else {
                sqlx::query_scalar(SOME).bind(listing.like())
            };
            query.fetch_one(pool).await
        });
        Ok(u64::try_from(self.told("count the users", counted)?).unwrap_or_default())
    }

    /// The hashes of the user's passwords, in their order. Empty also if there is no such user.
    pub async fn passwords(self, id: &str) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT hash FROM user_password WHERE account = $1 ORDER BY position";
        let hashes = on!(&self.store.pools, pool => {
            sqlx::query_scalar(SQL).bind(text(id)).fetch_all(pool).await
        });
        self.told("read the passwords of a user", hashes)
    }

    async fn one(self, sql: &'static str, bound: &str) -> Result<Option<User>, StoreError> {
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(sql).bind(text(bound)).fetch_optional(pool).await
        });
        Ok(self.told("read the user", row)?.map(User::from))
    }
}
