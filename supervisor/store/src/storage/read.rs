//! Entries, as they are read.

use sqlx::FromRow;

use super::Storage;
use super::entry::{Entry, Page, Slice, Tag};
use super::space::{Space, tags_read};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{on, within};

/// After whatever prefix: no key goes further. Keys have at most 512 bytes.
const FURTHEST: &str = "\u{10ffff}";
const LONGEST_KEY: usize = 512;

/// Around the keys that may come: those before which the entries are not too much, whole. `candidates` is how many may
/// come.
macro_rules! select_page {
    ($candidates:literal) => {
        concat!(
            "SELECT storage_entry.key, value, version, expires_ms, taken_ms, tags, candidates \
             FROM (SELECT key, COUNT(*) OVER () AS candidates, \
                   SUM(bytes) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (",
            $candidates,
            ") AS candidate) AS chosen \
             JOIN storage_entry ON storage_entry.instance = $1 AND storage_entry.key = chosen.key \
             WHERE before < $2 ORDER BY storage_entry.key"
        )
    };
}

#[derive(FromRow)]
pub(super) struct Row {
    key: String,
    value: Vec<u8>,
    version: i64,
    expires_ms: Option<i64>,
    pub(super) taken_ms: Option<i64>,
    tags: String,
}

#[derive(FromRow)]
struct PageRow {
    #[sqlx(flatten)]
    row: Row,
    candidates: i64,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            key: row.key,
            value: row.value,
            version: u64::try_from(row.version).unwrap_or_default(),
            expires_ms: row.expires_ms,
            tags: tags_read(&row.tags),
        }
    }
}

impl Storage<'_> {
    /// One that was taken is not found.
    pub async fn get(self, instance: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        const SQL: &str = "
            SELECT key, value, version, expires_ms, taken_ms, tags FROM storage_entry
            WHERE instance = $1 AND key = $2 AND taken_ms IS NULL
              AND (expires_ms IS NULL OR expires_ms > (SELECT now_ms FROM clock))";
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(text(key))
            .fetch_optional(pool)
            .await);
        Ok(self.told("read what an instance keeps", row)?.map(Entry::from))
    }

    /// Those whose keys begin with `prefix`, by key. Those that were taken are left out.
    pub async fn list(
        self,
        instance: &str,
        prefix: &str,
        slice: Slice<'_>,
    ) -> Result<Page, StoreError> {
        const SQL: &str = select_page!(
            "SELECT key, bytes FROM storage_entry \
             WHERE instance = $1 AND key > $3 AND key >= $4 AND key <= $5 AND taken_ms IS NULL \
             AND (expires_ms IS NULL OR expires_ms > (SELECT now_ms FROM clock)) \
             ORDER BY key LIMIT $6"
        );
        let prefix = text(prefix);
        let furthest = format!("{prefix}{}", FURTHEST.repeat(LONGEST_KEY / FURTHEST.len()));
        let rows: Result<Vec<PageRow>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(most_bytes(&slice))
            .bind(text(slice.after))
            .bind(&*prefix)
            .bind(furthest)
            .bind(i64::from(slice.limit) + 1)
            .fetch_all(pool)
            .await);
        self.page(rows, &slice)
    }

    /// Those with a tag, by key. Those that were taken are left out.
    pub async fn list_by_tag(
        self,
        instance: &str,
        tag: &Tag,
        slice: Slice<'_>,
    ) -> Result<Page, StoreError> {
        const SQL: &str = select_page!(
            "SELECT storage_entry.key, bytes FROM storage_tag JOIN storage_entry \
             ON storage_entry.instance = storage_tag.instance AND storage_entry.key = storage_tag.key \
             WHERE storage_tag.instance = $1 AND name = $4 AND storage_tag.value = $5 \
             AND storage_tag.key > $3 AND taken_ms IS NULL \
             AND (expires_ms IS NULL OR expires_ms > (SELECT now_ms FROM clock)) \
             ORDER BY storage_tag.key LIMIT $6"
        );
        let rows: Result<Vec<PageRow>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(most_bytes(&slice))
            .bind(text(slice.after))
            .bind(text(&tag.name))
            .bind(text(&tag.value))
            .bind(i64::from(slice.limit) + 1)
            .fetch_all(pool)
            .await);
        self.page(rows, &slice)
    }

    /// How many bytes an instance keeps, whether their end has come or not.
    pub async fn bytes(self, instance: &str) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT bytes FROM storage_space WHERE instance = $1";
        let bytes: Result<Option<i64>, _> = on!(&self.store.pools, pool => {
            sqlx::query_scalar(SQL).bind(text(instance)).fetch_optional(pool).await
        });
        let bytes = self.told("measure what an instance keeps", bytes)?;
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
    }

    fn page(
        self,
        rows: Result<Vec<PageRow>, sqlx::Error>,
        slice: &Slice<'_>,
    ) -> Result<Page, StoreError> {
        let rows = self.told("list what an instance keeps", rows)?;
        // One more was looked for than may be given.
        let candidates = rows.first().map_or(0, |row| row.candidates);
        let entries = rows.into_iter().take(slice.limit as usize);
        let entries: Vec<Entry> = entries.map(|row| row.row.into()).collect();
        let has_more = i64::try_from(entries.len()).is_ok_and(|count| count < candidates);
        Ok(Page { entries, has_more })
    }
}

impl Space<'_> {
    /// A row that is there.
    pub(super) async fn row(&mut self, key: &str) -> Result<Row, sqlx::Error> {
        const SQL: &str = "
            SELECT key, value, version, expires_ms, taken_ms, tags FROM storage_entry
            WHERE instance = $1 AND key = $2";
        let instance = text(self.instance()).into_owned();
        within!(self.transaction(), connection => {
            sqlx::query_as(SQL).bind(instance).bind(text(key)).fetch_one(connection).await
        })
    }
}

fn most_bytes(slice: &Slice<'_>) -> i64 {
    i64::try_from(slice.bytes.max(1)).unwrap_or(i64::MAX)
}
