//! Ids: one for whoever is known, from whatever source, and never one for two.

use sqlx::FromRow;

use super::error::{IdentityError, Thing};
use super::handle::handle;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

handle! {
    /// The accounts of a [`Store`](crate::Store).
    Accounts
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Account {
    pub id: String,
    /// "database", or the instance that keeps the user.
    pub source: String,
    /// What the name is compared by.
    pub name_key: String,
    /// The name as it is shown.
    pub username: String,
    pub created_ms: i64,
    /// Set: the user is gone, and not all instances have been told.
    pub deleted_ms: Option<i64>,
}

impl Accounts<'_> {
    /// The account of a user of a source. One that is not there yet is made, under `new_id`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Held`] while the deletion of that user is being told.
    pub async fn ensure(
        self,
        source: &str,
        name_key: &str,
        username: &str,
        new_id: &str,
    ) -> Result<Account, IdentityError> {
        const INSERT: &str = "
            INSERT INTO account (id, source, name_key, username, created_ms)
            SELECT $1, $2, $3, $4, now_ms FROM clock WHERE TRUE
            ON CONFLICT (source, name_key) DO NOTHING";
        if let Some(account) = self.find(source, name_key).await? {
            return live(account);
        }
        let inserted = on!(&self.store.pools, pool => sqlx::query(INSERT)
            .bind(new_id)
            .bind(text(source))
            .bind(text(name_key))
            .bind(text(username))
            .execute(pool)
            .await
            .map(drop));
        self.told("add the account", inserted)?;
        let account = self.find(source, name_key).await?;
        account.map_or_else(
            || Err(IdentityError::NotFound { thing: Thing::User, name: username.to_owned() }),
            live,
        )
    }

    /// By source and name, also one that was deleted.
    pub async fn find(self, source: &str, name_key: &str) -> Result<Option<Account>, StoreError> {
        const SQL: &str = "SELECT * FROM account WHERE source = $1 AND name_key = $2";
        let found = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(source))
            .bind(text(name_key))
            .fetch_optional(pool)
            .await);
        self.told("look for the account", found)
    }

    /// By id, also one that was deleted.
    pub async fn get(self, id: &str) -> Result<Option<Account>, StoreError> {
        const SQL: &str = "SELECT * FROM account WHERE id = $1";
        let found = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(id)).fetch_optional(pool).await
        });
        self.told("look for the account", found)
    }
}

fn live(account: Account) -> Result<Account, IdentityError> {
    match account.deleted_ms {
        None => Ok(account),
        Some(_) => Err(IdentityError::Held { name: account.username }),
    }
}
