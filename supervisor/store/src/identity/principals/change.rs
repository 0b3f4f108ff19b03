//! Changing users and clients: one transaction each.

use super::{Principal, Principals};
use crate::error::StoreError;
use crate::identity::error::IdentityError;
use crate::outbox::rows::text;
use crate::pools::{Transaction, on, within};

impl<P: Principal> Principals<'_, P> {
    /// Adds one, at revision 1, with the hashes of the passwords. The id was never used before; source, login time
    /// and revision do not matter.
    ///
    /// # Errors
    ///
    /// [`IdentityError::AlreadyExists`] if the name is taken, [`IdentityError::Held`] if it was that of a
    /// user whose deletion is still being told.
    pub async fn insert(self, new: &P, passwords: &[String]) -> Result<P, IdentityError> {
        let inserted = self.try_insert(new, passwords).await;
        if self.told(format_args!("add the {}", P::THING), inserted)? {
            return self.get_by_id(new.id()).await?.ok_or_else(|| missing(new));
        }
        Err(new.taken(self.store).await)
    }

    async fn try_insert(self, new: &P, passwords: &[String]) -> Result<bool, sqlx::Error> {
        let mut transaction = self.store.pools.begin().await?;
        if !new.write_new(&mut transaction).await? {
            return Ok(false);
        }
        write_passwords::<P>(&mut transaction, new.id(), passwords).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Replaces everything but id, name and login times by what is given, if its revision is still the one that is
    /// stored; and the passwords' hashes, if there are any given.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Changed`] if the revision is another one by now.
    pub async fn update(
        self,
        changed: &P,
        passwords: Option<&[String]>,
    ) -> Result<P, IdentityError> {
        let updated = self.try_update(changed, passwords).await;
        let is_updated = self.told(format_args!("change the {}", P::THING), updated)?;
        let found = self.get_by_id(changed.id()).await?.ok_or_else(|| missing(changed))?;
        if is_updated {
            return Ok(found);
        }
        Err(IdentityError::Changed {
            thing: P::THING,
            name: changed.shown().to_owned(),
            expected: changed.revision(),
            found: found.revision(),
        })
    }

    async fn try_update(
        self,
        changed: &P,
        passwords: Option<&[String]>,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.store.pools.begin().await?;
        if !changed.write(&mut transaction).await? {
            return Ok(false);
        }
        if let Some(passwords) = passwords {
            write_passwords::<P>(&mut transaction, changed.id(), passwords).await?;
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
        let upgraded = on!(&self.store.pools, pool => sqlx::query(P::UPGRADE_PASSWORD)
            .bind(text(id))
            .bind(text(old))
            .bind(text(new))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("upgrade a password", upgraded)
    }
}

/// Replaces all passwords.
async fn write_passwords<P: Principal>(
    transaction: &mut Transaction,
    id: &str,
    hashes: &[String],
) -> Result<(), sqlx::Error> {
    within!(transaction, connection => {
        sqlx::query(P::CLEAR_PASSWORDS).bind(text(id)).execute(connection).await.map(drop)
    })?;
    for (position, hash) in (0_i64..).zip(hashes) {
        within!(transaction, connection => sqlx::query(P::ADD_PASSWORD)
            .bind(text(id))
            .bind(position)
            .bind(text(hash))
            .execute(connection)
            .await
            .map(drop))?;
    }
    Ok(())
}

fn missing<P: Principal>(one: &P) -> IdentityError {
    IdentityError::NotFound { thing: P::THING, name: one.shown().to_owned() }
}
