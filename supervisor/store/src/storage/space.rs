//! One transaction that changes what an instance keeps.

use sqlx::FromRow;

use super::entry::Tag;
use super::judge::Found;
use crate::outbox::rows::text;
use crate::pools::{Transaction, within};
use crate::store::Store;

/// Entries that have ended and are removed in one statement.
const MOST_PURGED: i64 = 1000;

/// Whoever holds this is the only one who changes the instance's entries. Dropped without a commit, it changed nothing.
pub(super) struct Space<'a> {
    transaction: Transaction,
    instance: &'a str,
    pub(super) now_ms: i64,
    /// Of everything that is written in this transaction, and of nothing before.
    pub(super) version: i64,
    /// Of all rows.
    pub(super) bytes: i64,
}

#[derive(FromRow)]
struct FoundRow {
    version: i64,
    expires_ms: Option<i64>,
    taken_ms: Option<i64>,
    bytes: i64,
}

impl<'a> Space<'a> {
    pub(super) async fn begin(store: &Store, instance: &'a str) -> Result<Self, sqlx::Error> {
        // A write, so that others wait here; and the time after it, which is then not before theirs.
        const HOLD: &str = "
            INSERT INTO storage_space (instance, next_version, bytes) VALUES ($1, 2, 0)
            ON CONFLICT (instance) DO UPDATE SET next_version = storage_space.next_version + 1
            RETURNING next_version - 1, bytes";
        const NOW: &str = "SELECT now_ms FROM clock";
        let mut transaction = store.pools.begin().await?;
        let (version, bytes): (i64, i64) = within!(&mut transaction, connection => {
            sqlx::query_as(HOLD).bind(text(instance)).fetch_one(connection).await?
        });
        let now_ms: i64 = within!(&mut transaction, connection => {
            sqlx::query_scalar(NOW).fetch_one(connection).await?
        });
        Ok(Self { transaction, instance, now_ms, version, bytes })
    }

    /// The row, whether it has ended or not.
    pub(super) async fn find(&mut self, key: &str) -> Result<Option<Found>, sqlx::Error> {
        const SQL: &str = "SELECT version, expires_ms, taken_ms, bytes FROM storage_entry \
                           WHERE instance = $1 AND key = $2";
        let row: Option<FoundRow> = within!(&mut self.transaction, connection => sqlx::query_as(SQL)
            .bind(text(self.instance))
            .bind(text(key))
            .fetch_optional(connection)
            .await?);
        Ok(row.map(|row| Found {
            version: row.version,
            expires_ms: row.expires_ms,
            is_taken: row.taken_ms.is_some(),
            bytes: row.bytes,
        }))
    }

    pub(super) async fn value(&mut self, key: &str) -> Result<Vec<u8>, sqlx::Error> {
        const SQL: &str = "SELECT value FROM storage_entry WHERE instance = $1 AND key = $2";
        within!(&mut self.transaction, connection => sqlx::query_scalar(SQL)
            .bind(text(self.instance))
            .bind(text(key))
            .fetch_one(connection)
            .await)
    }

    /// Writes an entry in place of what is there. `tags`: sorted, each once.
    pub(super) async fn write(
        &mut self,
        key: &str,
        value: &[u8],
        expires_ms: Option<i64>,
        tags: &[Tag],
        bytes: i64,
    ) -> Result<(), sqlx::Error> {
        const ENTRY: &str = "
            INSERT INTO storage_entry (instance, key, value, version, expires_ms, taken_ms, bytes, tags)
            VALUES ($1, $2, $3, $4, $5, NULL, $6, $7)
            ON CONFLICT (instance, key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires_ms = excluded.expires_ms,
                taken_ms = NULL, bytes = excluded.bytes, tags = excluded.tags";
        const UNTAG: &str = "DELETE FROM storage_tag WHERE instance = $1 AND key = $2";
        const TAG: &str =
            "INSERT INTO storage_tag (instance, name, value, key) VALUES ($1, $2, $3, $4)";
        let (instance, key) = (text(self.instance), text(key));
        within!(&mut self.transaction, connection => {
            let entry = sqlx::query(ENTRY).bind(&*instance).bind(&*key).bind(value);
            let entry = entry.bind(self.version).bind(expires_ms).bind(bytes).bind(tags_stored(tags));
            entry.execute(&mut *connection).await?;
            sqlx::query(UNTAG).bind(&*instance).bind(&*key).execute(&mut *connection).await?;
            for tag in tags {
                let query = sqlx::query(TAG).bind(&*instance).bind(text(&tag.name));
                query.bind(text(&tag.value)).bind(&*key).execute(&mut *connection).await?;
            }
        });
        self.bytes += bytes;
        Ok(())
    }

    /// Gives an entry that is there another value.
    pub(super) async fn rewrite(
        &mut self,
        key: &str,
        value: &[u8],
        bytes: i64,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "UPDATE storage_entry SET value = $3, version = $4, bytes = $5 \
                           WHERE instance = $1 AND key = $2";
        within!(&mut self.transaction, connection => sqlx::query(SQL)
            .bind(text(self.instance))
            .bind(text(key))
            .bind(value)
            .bind(self.version)
            .bind(bytes)
            .execute(connection)
            .await
            .map(drop))?;
        self.bytes += bytes;
        Ok(())
    }

    pub(super) async fn remove(&mut self, key: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "DELETE FROM storage_entry WHERE instance = $1 AND key = $2";
        within!(&mut self.transaction, connection => sqlx::query(SQL)
            .bind(text(self.instance))
            .bind(text(key))
            .execute(connection)
            .await
            .map(drop))
    }

    /// Removes everything with a tag. Gives how many of that had not ended.
    pub(super) async fn remove_tagged(&mut self, tag: &Tag) -> Result<u64, sqlx::Error> {
        const SQL: &str = "
            DELETE FROM storage_entry WHERE instance = $1 AND key IN
            (SELECT key FROM storage_tag WHERE instance = $1 AND name = $2 AND value = $3)
            RETURNING bytes, expires_ms";
        let removed: Vec<(i64, Option<i64>)> = within!(&mut self.transaction, connection => {
            let query = sqlx::query_as(SQL).bind(text(self.instance));
            query.bind(text(&tag.name)).bind(text(&tag.value)).fetch_all(connection).await?
        });
        self.bytes -= removed.iter().map(|(bytes, _)| bytes).sum::<i64>();
        let there = removed.iter().filter(|(_, end)| end.is_none_or(|end| self.now_ms < end));
        Ok(there.count() as u64)
    }

    pub(super) async fn mark_taken(&mut self, key: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "UPDATE storage_entry SET taken_ms = $3 WHERE instance = $1 AND key = $2";
        within!(&mut self.transaction, connection => sqlx::query(SQL)
            .bind(text(self.instance))
            .bind(text(key))
            .bind(self.now_ms)
            .execute(connection)
            .await
            .map(drop))
    }

    /// Removes entries that have ended. Gives how many; where they are many, more are left.
    pub(super) async fn purge(&mut self) -> Result<usize, sqlx::Error> {
        const SQL: &str = "
            DELETE FROM storage_entry WHERE instance = $1 AND key IN
            (SELECT key FROM storage_entry WHERE instance = $1 AND expires_ms <= $2 LIMIT $3)
            RETURNING bytes";
        let freed: Vec<i64> = within!(&mut self.transaction, connection => {
            let query = sqlx::query_scalar(SQL).bind(text(self.instance)).bind(self.now_ms);
            query.bind(MOST_PURGED).fetch_all(connection).await?
        });
        self.bytes -= freed.iter().sum::<i64>();
        Ok(freed.len())
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "UPDATE storage_space SET bytes = $2 WHERE instance = $1";
        within!(&mut self.transaction, connection => sqlx::query(SQL)
            .bind(text(self.instance))
            .bind(self.bytes)
            .execute(connection)
            .await
            .map(drop))?;
        self.transaction.commit().await
    }

    pub(super) fn instance(&self) -> &'a str {
        self.instance
    }

    /// The rest of the transaction, for whoever else draws numbers from the space.
    pub(super) fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }
}

fn tags_stored(tags: &[Tag]) -> String {
    let tags = tags.iter().map(|tag| serde_json::json!([tag.name, tag.value]));
    tags.collect::<serde_json::Value>().to_string()
}

/// Only ever written by [`tags_stored`].
pub(super) fn tags_read(stored: &str) -> Vec<Tag> {
    let tags: Vec<(String, String)> = serde_json::from_str(stored).unwrap_or_default();
    tags.into_iter().map(|(name, value)| Tag { name, value }).collect()
}
