//! Taking an entry, which only one ever does.

use super::Storage;
use super::entry::Taken;
use super::read::Row;
use super::space::Space;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

impl Storage<'_> {
    pub async fn take(self, instance: &str, key: &str) -> Result<Taken, StoreError> {
        let taken = self.try_take(instance, key).await;
        self.told("take an entry", taken)
    }

    async fn try_take(self, instance: &str, key: &str) -> Result<Taken, sqlx::Error> {
        // Who guesses keys, or comes late, makes nobody wait and writes nothing.
        match self.look(instance, key).await? {
            Taken::Now(_) => {}
            late => return Ok(late),
        }
        let mut space = Space::begin(self.store, instance).await?;
        let there = space.find(key).await?.filter(|found| found.is_there(space.now_ms));
        if there.is_none_or(|found| found.is_taken) {
            drop(space);
            return self.look(instance, key).await;
        }
        space.mark_taken(key).await?;
        let row = space.row(key).await?;
        space.commit().await?;
        Ok(Taken::Now(row.into()))
    }

    /// How it stands. [`Taken::Now`]: nobody has taken it yet.
    async fn look(self, instance: &str, key: &str) -> Result<Taken, sqlx::Error> {
        const SQL: &str = "
            SELECT key, value, version, expires_ms, taken_ms, tags FROM storage_entry
            WHERE instance = $1 AND key = $2
              AND (expires_ms IS NULL OR expires_ms > (SELECT now_ms FROM clock))";
        let row: Option<Row> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(text(key))
            .fetch_optional(pool)
            .await?);
        Ok(match row {
            None => Taken::Missing,
            Some(row) => match row.taken_ms {
                None => Taken::Now(row.into()),
                Some(taken_ms) => Taken::Before { entry: row.into(), taken_ms },
            },
        })
    }
}
