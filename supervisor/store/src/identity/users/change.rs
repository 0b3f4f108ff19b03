//! Changing users: one transaction each.

use outboard_core::identity::user::{DATABASE, User};

use super::Users;
use crate::error::StoreError;
use crate::identity::error::{IdentityError, Thing};
use crate::identity::handle::{names_stored, properties_stored};
use crate::outbox::rows::text;
use crate::pools::{Transaction, on, within};

impl Users<'_> {
    /// Adds a user, at revision 1, with the hashes of the passwords. The id was never used before; source, login
    /// time and revision do not matter.
    ///
    /// # Errors
    ///
    /// [`IdentityError::AlreadyExists`] if the name is taken, [`IdentityError::Held`] if it was that of a
    /// user whose deletion is still being told.
    pub async fn insert(self, new: &User, passwords: &[String]) -> Result<User, IdentityError> {
        let inserted = self.try_insert(new, passwords).await;
        if self.told("add the user", inserted)? {
            return self.get_by_id(new.id.as_str()).await?.ok_or_else(|| missing(new));
        }
        let name = new.username.shown().to_owned();
        let account = self.store.accounts().find(DATABASE, new.username.key()).await?;
        Err(match account {
            Some(account) if account.deleted_ms.is_some() => IdentityError::Held { name },
            Some(_) | None => IdentityError::AlreadyExists { thing: Thing::User, name },
        })
    }

    async fn try_insert(self, new: &User, passwords: &[String]) -> Result<bool, sqlx::Error> {
        const ACCOUNT: &str = "
            INSERT INTO account (id, source, name_key, username, created_ms)
            SELECT $1, 'database', $2, $3, now_ms FROM clock WHERE TRUE
            ON CONFLICT (source, name_key) DO NOTHING";
        const DETAIL: &str = "
            INSERT INTO user_detail (account, name, email, enabled, scopes, properties, revision, updated_ms)
            SELECT $1, $2, $3, $4, $5, $6, 1, now_ms FROM clock";
        let mut transaction = self.store.pools.begin().await?;
        let added = within!(&mut transaction, connection => sqlx::query(ACCOUNT)
            .bind(text(new.id.as_str()))
            .bind(text(new.username.key()))
            .bind(text(new.username.shown()))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if added == 0 {
            return Ok(false);
        }
        within!(&mut transaction, connection => sqlx::query(DETAIL)
            .bind(text(new.id.as_str()))
            .bind(new.name.as_deref().map(text))
            .bind(new.email.as_deref().map(text))
            .bind(new.enabled)
            .bind(names_stored(&new.scopes))
            .bind(properties_stored(&new.properties))
            .execute(connection)
            .await
            .map(drop))?;
        write_passwords(&mut transaction, new.id.as_str(), passwords).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces everything but id, name and login times by what `user` has, if its revision is still the
    /// one that is stored; and the passwords' hashes, if there are any given.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Changed`] if the revision is another one by now.
    pub async fn update(
        self,
        user: &User,
        passwords: Option<&[String]>,
    ) -> Result<User, IdentityError> {
        let updated = self.try_update(user, passwords).await;
        let is_updated = self.told("change the user", updated)?;
        let found = self.get_by_id(user.id.as_str()).await?.ok_or_else(|| missing(user))?;
        if is_updated {
            return Ok(found);
        }
        Err(IdentityError::Changed {
            thing: Thing::User,
            name: user.username.shown().to_owned(),
            expected: user.revision,
            found: found.revision,
        })
    }

    async fn try_update(
        self,
        user: &User,
        passwords: Option<&[String]>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            UPDATE user_detail
            SET name = $3, email = $4, enabled = $5, scopes = $6, properties = $7,
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE account = $1 AND revision = $2";
        let mut transaction = self.store.pools.begin().await?;
        let changed = within!(&mut transaction, connection => sqlx::query(SQL)
            .bind(text(user.id.as_str()))
            .bind(user.revision)
            .bind(user.name.as_deref().map(text))
            .bind(user.email.as_deref().map(text))
            .bind(user.enabled)
            .bind(names_stored(&user.scopes))
            .bind(properties_stored(&user.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if changed == 0 {
            return Ok(false);
        }
        if let Some(passwords) = passwords {
            write_passwords(&mut transaction, user.id.as_str(), passwords).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces all passwords of a user by these hashes. False: there is no such user.
    pub async fn set_passwords(self, id: &str, hashes: &[String]) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE user_detail SET revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE account = $1";
        let set = async {
            let mut transaction = self.store.pools.begin().await?;
            let changed = within!(&mut transaction, connection => sqlx::query(SQL)
                .bind(text(id))
                .execute(connection)
                .await
                .map(|done| done.rows_affected()))?;
            if changed > 0 {
                write_passwords(&mut transaction, id, hashes).await?;
            }
            transaction.commit().await?;
            Ok(changed > 0)
        };
        self.told("set the passwords of a user", set.await)
    }

    /// Replaces one hash by a better one of the same password. False: it is not there any more.
    pub async fn upgrade_password(
        self,
        id: &str,
        old: &str,
        new: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE user_password SET hash = $3 WHERE account = $1 AND hash = $2";
        let upgraded = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(id))
            .bind(text(old))
            .bind(text(new))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("upgrade a password", upgraded)
    }
}

async fn write_passwords(
    transaction: &mut Transaction,
    account: &str,
    hashes: &[String],
) -> Result<(), sqlx::Error> {
    const CLEAR: &str = "DELETE FROM user_password WHERE account = $1";
    const ADD: &str = "INSERT INTO user_password (account, position, hash) VALUES ($1, $2, $3)";
    within!(transaction, connection => {
        sqlx::query(CLEAR).bind(text(account)).execute(connection).await.map(drop)
    })?;
    for (position, hash) in (0_i64..).zip(hashes) {
        within!(transaction, connection => sqlx::query(ADD)
            .bind(text(account))
            .bind(position)
            .bind(text(hash))
            .execute(connection)
            .await
            .map(drop))?;
    }
    Ok(())
}

fn missing(user: &User) -> IdentityError {
    IdentityError::NotFound { thing: Thing::User, name: user.username.shown().to_owned() }
}
