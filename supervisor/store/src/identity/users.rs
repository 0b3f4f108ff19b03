//! The users that this database keeps.

mod load;

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{DATABASE, User, UserId};
use sqlx::FromRow;

use super::error::{IdentityError, Thing};
use super::handle::{count, names_read, names_stored, properties_read, properties_stored};
use super::principals::{Principal, Principals};
use crate::outbox::rows::text;
use crate::pools::{Transaction, on, within};
use crate::{Store, StoreError};

/// The users of a [`Store`].
pub type Users<'a> = Principals<'a, User>;

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
pub struct Row {
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

/// A row for each of the passwords, and one for a user without.
#[derive(FromRow)]
struct WithHash {
    #[sqlx(flatten)]
    user: Row,
    hash: Option<String>,
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

impl Principal for User {
    type Row = Row;

    const THING: Thing = Thing::User;

    const BY_NAME: &'static str = select_users!("AND name_key = $1");
    const BY_ID: &'static str = select_users!("AND id = $1");
    const LIST: &'static str = select_users!("ORDER BY name_key LIMIT $1 OFFSET $2");
    const LIST_LIKE: &'static str =
        concat!(select_users!(""), like!(), "ORDER BY name_key LIMIT $2 OFFSET $3");
    const COUNT: &'static str =
        "SELECT COUNT(*) FROM account WHERE source = 'database' AND deleted_ms IS NULL";
    const COUNT_LIKE: &'static str = concat!(
        "SELECT COUNT(*) FROM account JOIN user_detail ON user_detail.account = id \
         WHERE source = 'database' AND deleted_ms IS NULL ",
        like!()
    );

    const PASSWORDS: &'static str =
        "SELECT hash FROM user_password WHERE account = $1 ORDER BY position";
    const ADD_PASSWORD: &'static str =
        "INSERT INTO user_password (account, position, hash) VALUES ($1, $2, $3)";
    const UPGRADE_PASSWORD: &'static str =
        "UPDATE user_password SET hash = $3 WHERE account = $1 AND hash = $2";
    const CLEAR_PASSWORDS: &'static str = "DELETE FROM user_password WHERE account = $1";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn shown(&self) -> &str {
        self.username.shown()
    }

    fn revision(&self) -> i64 {
        self.revision
    }

    async fn write_new(&self, transaction: &mut Transaction) -> Result<bool, sqlx::Error> {
        const ACCOUNT: &str = "
            INSERT INTO account (id, source, name_key, username, created_ms)
            SELECT $1, 'database', $2, $3, now_ms FROM clock WHERE TRUE
            ON CONFLICT (source, name_key) DO NOTHING";
        const DETAIL: &str = "
            INSERT INTO user_detail (account, name, email, enabled, scopes, properties, revision, updated_ms)
            SELECT $1, $2, $3, $4, $5, $6, 1, now_ms FROM clock";
        let added = within!(&mut *transaction, connection => sqlx::query(ACCOUNT)
            .bind(text(self.id.as_str()))
            .bind(text(self.username.key()))
            .bind(text(self.username.shown()))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if added == 0 {
            return Ok(false);
        }
        within!(transaction, connection => sqlx::query(DETAIL)
            .bind(text(self.id.as_str()))
            .bind(self.name.as_deref().map(text))
            .bind(self.email.as_deref().map(text))
            .bind(self.enabled)
            .bind(names_stored(&self.scopes))
            .bind(properties_stored(&self.properties))
            .execute(connection)
            .await
            .map(|_| true))
    }

    async fn write(&self, transaction: &mut Transaction) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            UPDATE user_detail
            SET name = $3, email = $4, enabled = $5, scopes = $6, properties = $7,
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE account = $1 AND revision = $2";
        within!(transaction, connection => sqlx::query(SQL)
            .bind(text(self.id.as_str()))
            .bind(self.revision)
            .bind(self.name.as_deref().map(text))
            .bind(self.email.as_deref().map(text))
            .bind(self.enabled)
            .bind(names_stored(&self.scopes))
            .bind(properties_stored(&self.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected() > 0))
    }

    async fn taken(&self, store: &Store) -> IdentityError {
        let name = self.username.shown().to_owned();
        match store.accounts().find(DATABASE, self.username.key()).await {
            Ok(Some(account)) if account.deleted_ms.is_some() => IdentityError::Held { name },
            Ok(_) => IdentityError::AlreadyExists { thing: Thing::User, name },
            Err(error) => error.into(),
        }
    }
}

impl Users<'_> {
    /// By what the name is compared by, with the hashes of the passwords in their order: one statement, since each log-in
    /// asks.
    pub async fn get_with_passwords(
        self,
        name_key: &str,
    ) -> Result<Option<(User, Vec<String>)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT found.*, hash FROM (",
            select_users!("AND name_key = $1"),
            ") AS found LEFT JOIN user_password ON user_password.account = found.id ORDER BY position"
        );
        let rows: Result<Vec<WithHash>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(name_key)).fetch_all(pool).await
        });
        let mut user = None;
        let mut hashes = Vec::new();
        for row in self.told("read the user and the passwords", rows)? {
            hashes.extend(row.hash);
            user = Some(User::from(row.user));
        }
        Ok(user.map(|user| (user, hashes)))
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
}
