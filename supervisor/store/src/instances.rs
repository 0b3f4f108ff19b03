//! Reading and changing instances: one statement each, so that each is whole or not at all.

use outboard_core::identity::kind::InstanceKind;
use sqlx::FromRow;
use time::{Duration, OffsetDateTime};

use crate::error::StoreError;
use crate::instance::{Instance, NewInstance, Parameters};
use crate::pools::{on, within};
use crate::store::Store;

const MAX_NAME: usize = 128;
const MAX_DISPLAY_NAME: usize = 256;

/// The instances of a [`Store`].
#[derive(Clone, Copy, Debug)]
pub struct Instances<'a> {
    store: &'a Store,
}

/// Where the instances stand. An addition brings an id that is higher than any before, a change a revision more, and
/// a deletion leaves one less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    count: i64,
    revisions: i64,
    newest: i64,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("there is an instance {name:?} already; choose another name, or change that one")]
    AlreadyExists { name: String },
    #[error("there is no instance {name:?}; add it first")]
    NotFound { name: String },
    #[error(
        "instance {name:?} was changed meanwhile (revision {found}, expected {expected}); \
         read it again and repeat the change"
    )]
    Changed { name: String, expected: i64, found: i64 },
    #[error("the {field} has {length} bytes; use {least} to {most}")]
    Length { field: &'static str, length: usize, least: usize, most: usize },
    #[error("the {field} has a NUL character; leave it out")]
    Nul { field: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    id: i64,
    plugin: String,
    name: String,
    display_name: String,
    parameters: String,
    applied: Option<String>,
    enabled: bool,
    kind: String,
    rank: i64,
    readonly: bool,
    revision: i64,
    created_ms: i64,
    updated_ms: i64,
}

impl From<Row> for Instance {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            plugin: row.plugin,
            name: row.name,
            display_name: row.display_name,
            parameters: Parameters::stored(row.parameters),
            applied: row.applied.map(Parameters::stored),
            enabled: row.enabled,
            kind: row.kind.parse().unwrap_or(InstanceKind::Plugin),
            rank: row.rank,
            readonly: row.readonly,
            revision: row.revision,
            created: time_of(row.created_ms),
            updated: time_of(row.updated_ms),
        }
    }
}

fn time_of(since_1970_ms: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::milliseconds(since_1970_ms))
}

impl<'a> Instances<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// All, by plugin, then by name, in the order of their bytes.
    pub async fn list(self) -> Result<Vec<Instance>, StoreError> {
        const SQL: &str = "SELECT * FROM plugin_instance ORDER BY plugin, name";
        let rows: Result<Vec<Row>, _> =
            on!(&self.store.pools, pool => sqlx::query_as(SQL).fetch_all(pool).await);
        let rows = rows.map_err(|error| self.store.failed("list the instances", &error))?;
        Ok(rows.into_iter().map(Instance::from).collect())
    }

    /// Where they stand: another one after each change of any of them.
    pub async fn mark(self) -> Result<Mark, StoreError> {
        const SQL: &str = "
            SELECT COUNT(*), CAST(COALESCE(SUM(revision), 0) AS BIGINT), COALESCE(MAX(id), 0) FROM plugin_instance";
        let mark: Result<(i64, i64, i64), _> =
            on!(&self.store.pools, pool => sqlx::query_as(SQL).fetch_one(pool).await);
        let (count, revisions, newest) =
            mark.map_err(|error| self.store.failed("look at the instances", &error))?;
        Ok(Mark { count, revisions, newest })
    }

    pub async fn get(self, name: &str) -> Result<Option<Instance>, StoreError> {
        const SQL: &str = "SELECT * FROM plugin_instance WHERE name = $1";
        // No name has a NUL, and PostgreSQL would refuse to look.
        if name.contains('\0') {
            return Ok(None);
        }
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL).bind(name).fetch_optional(pool).await);
        self.one("read the instance", row)
    }

    /// Adds an instance, at revision 1.
    ///
    /// # Errors
    ///
    /// [`InstanceError::AlreadyExists`] if any plugin has an instance of that name.
    pub async fn insert(self, new: NewInstance<'_>) -> Result<Instance, InstanceError> {
        const SQL: &str = "
            INSERT INTO plugin_instance (plugin, name, display_name, parameters, enabled, kind, rank, readonly,
                                         revision, created_ms, updated_ms)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, now_ms, now_ms FROM clock WHERE TRUE
            ON CONFLICT (name) DO NOTHING
            RETURNING *";
        check_text("plugin", new.plugin, 1, MAX_NAME)?;
        check_text("name", new.name, 1, MAX_NAME)?;
        check_text("display name", new.display_name, 0, MAX_DISPLAY_NAME)?;
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(new.plugin)
            .bind(new.name)
            .bind(new.display_name)
            .bind(new.parameters.as_str())
            .bind(new.enabled)
            .bind(new.kind.as_str())
            .bind(new.rank)
            .bind(new.readonly)
            .fetch_optional(pool)
            .await);
        self.one("add the instance", row)?
            .ok_or_else(|| InstanceError::AlreadyExists { name: new.name.to_owned() })
    }

    /// Replaces display name and parameters. Whether it is enabled stays as it is, and so do the parameters that
    /// it is to run with, until [`Self::apply`].
    ///
    /// `expected`: the revision that the caller has seen; `None` overwrites whatever is there.
    ///
    /// # Errors
    ///
    /// [`InstanceError::Changed`] if the revision is another one by now.
    pub async fn update(
        self,
        name: &str,
        display_name: &str,
        parameters: &Parameters,
        expected: Option<i64>,
    ) -> Result<Instance, InstanceError> {
        const SQL: &str = "
            UPDATE plugin_instance
            SET display_name = $2, parameters = $3,
                applied = NULLIF(COALESCE(applied, parameters), $3),
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE name = $1 AND revision = COALESCE($4, revision)
            RETURNING *";
        check_name(name)?;
        check_text("display name", display_name, 0, MAX_DISPLAY_NAME)?;
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(name)
            .bind(display_name)
            .bind(parameters.as_str())
            .bind(expected)
            .fetch_optional(pool)
            .await);
        match self.one("change the instance", row)? {
            Some(instance) => Ok(instance),
            None => Err(self.why_not_updated(name, expected).await?),
        }
    }

    /// From now on the instance runs with its parameters as they are stored. Saying it again changes nothing.
    pub async fn apply(self, name: &str) -> Result<Instance, InstanceError> {
        const SQL: &str = "
            UPDATE plugin_instance
            SET applied = NULL, revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE name = $1 AND applied IS NOT NULL
            RETURNING *";
        check_name(name)?;
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL).bind(name).fetch_optional(pool).await);
        let changed = self.one("apply the parameters of the instance", row)?;
        let instance = if changed.is_some() { changed } else { self.get(name).await? };
        instance.ok_or_else(|| InstanceError::NotFound { name: name.to_owned() })
    }

    /// Replaces rank and whether it is read-only.
    pub async fn arrange(
        self,
        name: &str,
        rank: i64,
        readonly: bool,
    ) -> Result<Instance, InstanceError> {
        const SQL: &str = "
            UPDATE plugin_instance
            SET rank = $2, readonly = $3,
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE name = $1
            RETURNING *";
        check_name(name)?;
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(name)
            .bind(rank)
            .bind(readonly)
            .fetch_optional(pool)
            .await);
        self.one("arrange the instance", row)?
            .ok_or_else(|| InstanceError::NotFound { name: name.to_owned() })
    }

    async fn why_not_updated(
        self,
        name: &str,
        expected: Option<i64>,
    ) -> Result<InstanceError, StoreError> {
        let name = name.to_owned();
        Ok(match (self.get(&name).await?, expected) {
            (Some(instance), Some(expected)) => {
                InstanceError::Changed { name, expected, found: instance.revision }
            }
            (Some(_) | None, _) => InstanceError::NotFound { name },
        })
    }

    /// Says whether the instance is wanted. Saying it again changes nothing, not even the revision.
    pub async fn set_enabled(self, name: &str, enabled: bool) -> Result<Instance, InstanceError> {
        const SQL: &str = "
            UPDATE plugin_instance
            SET enabled = $2, revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE name = $1 AND enabled <> $2
            RETURNING *";
        check_name(name)?;
        let row = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(name)
            .bind(enabled)
            .fetch_optional(pool)
            .await);
        let changed = self.one("enable or disable the instance", row)?;
        let instance = if changed.is_some() { changed } else { self.get(name).await? };
        instance.ok_or_else(|| InstanceError::NotFound { name: name.to_owned() })
    }

    /// Removes the instance and all that is stored for it. Gives it as it was.
    pub async fn delete(self, name: &str) -> Result<Instance, InstanceError> {
        check_name(name)?;
        let row = self.try_delete(name).await;
        let deleted = self
            .one("delete the instance", row)?
            .ok_or_else(|| InstanceError::NotFound { name: name.to_owned() })?;
        // Nobody is left to tell it to; the names that waited for it are free.
        self.store.revocations().forget_instance(name).await?;
        Ok(deleted)
    }

    async fn try_delete(self, name: &str) -> Result<Option<Row>, sqlx::Error> {
        const SQL: &str = "DELETE FROM plugin_instance WHERE name = $1 RETURNING *";
        const BELONGINGS: [&str; 7] = [
            "DELETE FROM deletion_heard WHERE instance = $1",
            "DELETE FROM scheme_setting WHERE instance = $1",
            "DELETE FROM authentication WHERE scheme = $1",
            "DELETE FROM schedule WHERE instance = $1",
            "DELETE FROM instance_lock WHERE instance = $1",
            "DELETE FROM storage_entry WHERE instance = $1",
            "DELETE FROM storage_space WHERE instance = $1",
        ];
        let mut transaction = self.store.pools.begin().await?;
        let row: Option<Row> = within!(&mut transaction, connection => {
            let row = sqlx::query_as(SQL).bind(name).fetch_optional(&mut *connection).await?;
            if row.is_some() {
                for sql in BELONGINGS {
                    sqlx::query(sql).bind(name).execute(&mut *connection).await?;
                }
            }
            row
        });
        transaction.commit().await?;
        Ok(row)
    }

    fn one(
        self,
        doing: &str,
        row: Result<Option<Row>, sqlx::Error>,
    ) -> Result<Option<Instance>, StoreError> {
        row.map(|row| row.map(Instance::from)).map_err(|error| self.store.failed(doing, &error))
    }
}

/// A name that can't be stored can't be found.
fn check_name(name: &str) -> Result<(), InstanceError> {
    if name.contains('\0') {
        return Err(InstanceError::NotFound { name: name.to_owned() });
    }
    Ok(())
}

fn check_text(
    field: &'static str,
    text: &str,
    least: usize,
    most: usize,
) -> Result<(), InstanceError> {
    let length = text.len();
    if length < least || most < length {
        return Err(InstanceError::Length { field, length, least, most });
    }
    if text.contains('\0') {
        return Err(InstanceError::Nul { field });
    }
    Ok(())
}
