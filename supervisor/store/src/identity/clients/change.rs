//! Changing clients: one transaction each.

use outboard_core::identity::client::Client;

use super::Clients;
use crate::error::StoreError;
use crate::identity::error::{IdentityError, Thing};
use crate::identity::handle::{names_stored, properties_stored};
use crate::outbox::rows::text;
use crate::pools::{Transaction, on, within};

impl Clients<'_> {
    /// Adds a client, at revision 1, with the hashes of its passwords.
    ///
    /// # Errors
    ///
    /// [`IdentityError::AlreadyExists`] if the id is taken.
    pub async fn insert(self, new: &Client, passwords: &[String]) -> Result<Client, IdentityError> {
        let inserted = self.try_insert(new, passwords).await;
        let name = new.id.to_string();
        if !self.told("add the client", inserted)? {
            return Err(IdentityError::AlreadyExists { thing: Thing::Client, name });
        }
        self.get(&name).await?.ok_or_else(|| missing(new))
    }

    async fn try_insert(self, new: &Client, passwords: &[String]) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            INSERT INTO client (id, name, description, enabled, confidential, scopes, properties,
                                revision, created_ms, updated_ms)
            SELECT $1, $2, $3, $4, $5, $6, $7, 1, now_ms, now_ms FROM clock WHERE TRUE
            ON CONFLICT (id) DO NOTHING";
        let mut transaction = self.store.pools.begin().await?;
        let added = within!(&mut transaction, connection => sqlx::query(SQL)
            .bind(text(new.id.as_str()))
            .bind(new.name.as_deref().map(text))
            .bind(new.description.as_deref().map(text))
            .bind(new.enabled)
            .bind(new.confidential)
            .bind(names_stored(&new.scopes))
            .bind(properties_stored(&new.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if added == 0 {
            return Ok(false);
        }
        write_passwords(&mut transaction, new.id.as_str(), passwords).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces everything but the id by what `client` has, if its revision is still the one that is stored; and
    /// the passwords' hashes, if there are any given.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Changed`] if the revision is another one by now.
    pub async fn update(
        self,
        client: &Client,
        passwords: Option<&[String]>,
    ) -> Result<Client, IdentityError> {
        let updated = self.try_update(client, passwords).await;
        let is_updated = self.told("change the client", updated)?;
        let found = self.get(client.id.as_str()).await?.ok_or_else(|| missing(client))?;
        if is_updated {
            return Ok(found);
        }
        Err(IdentityError::Changed {
            thing: Thing::Client,
            name: client.id.to_string(),
            expected: client.revision,
            found: found.revision,
        })
    }

    async fn try_update(
        self,
        client: &Client,
        passwords: Option<&[String]>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            UPDATE client
            SET name = $3, description = $4, enabled = $5, confidential = $6, scopes = $7, properties = $8,
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE id = $1 AND revision = $2";
        let mut transaction = self.store.pools.begin().await?;
        let changed = within!(&mut transaction, connection => sqlx::query(SQL)
            .bind(text(client.id.as_str()))
            .bind(client.revision)
            .bind(client.name.as_deref().map(text))
            .bind(client.description.as_deref().map(text))
            .bind(client.enabled)
            .bind(client.confidential)
            .bind(names_stored(&client.scopes))
            .bind(properties_stored(&client.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        if changed == 0 {
            return Ok(false);
        }
        if let Some(passwords) = passwords {
            write_passwords(&mut transaction, client.id.as_str(), passwords).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces one hash by a better one of the same password. False: it is not there any more.
    pub async fn upgrade_password(
        self,
        id: &str,
        old: &str,
        new: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE client_password SET hash = $3 WHERE client = $1 AND hash = $2";
        let upgraded = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(id))
            .bind(text(old))
            .bind(text(new))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("upgrade a password", upgraded)
    }

    /// Removes a client, and what users have granted to it. False: there was none.
    pub async fn delete(self, id: &str) -> Result<bool, StoreError> {
        const CONSENTS: &str = "DELETE FROM consent WHERE client_id = $1";
        const CLIENT: &str = "DELETE FROM client WHERE id = $1";
        let deleted = async {
            let mut transaction = self.store.pools.begin().await?;
            let mut count = 0;
            for sql in [CONSENTS, CLIENT] {
                count = within!(&mut transaction, connection => sqlx::query(sql)
                    .bind(text(id))
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected()))?;
            }
            transaction.commit().await?;
            Ok(count > 0)
        };
        self.told("delete the client", deleted.await)
    }
}

async fn write_passwords(
    transaction: &mut Transaction,
    client: &str,
    hashes: &[String],
) -> Result<(), sqlx::Error> {
    const CLEAR: &str = "DELETE FROM client_password WHERE client = $1";
    const ADD: &str = "INSERT INTO client_password (client, position, hash) VALUES ($1, $2, $3)";
    within!(transaction, connection => {
        sqlx::query(CLEAR).bind(text(client)).execute(connection).await.map(drop)
    })?;
    for (position, hash) in (0_i64..).zip(hashes) {
        within!(transaction, connection => sqlx::query(ADD)
            .bind(text(client))
            .bind(position)
            .bind(text(hash))
            .execute(connection)
            .await
            .map(drop))?;
    }
    Ok(())
}

fn missing(client: &Client) -> IdentityError {
    IdentityError::NotFound { thing: Thing::Client, name: client.id.to_string() }
}
