//! Scopes, each read and written whole.

use outboard_core::identity::scope::{Group, Scope};
use serde_json::{Value, json};
use sqlx::{FromRow, QueryBuilder};

use super::error::{IdentityError, Thing};
use super::handle::handle;
use super::listing::Listing;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

handle! {
    /// The scopes of a [`Store`](crate::Store).
    Scopes
}

#[derive(FromRow)]
struct Row {
    name: String,
    display_name: String,
    description: String,
    password_required: bool,
    password_max_age_s: i64,
    scope_groups: String,
}

impl From<Row> for Scope {
    fn from(row: Row) -> Self {
        Self {
            name: row.name,
            display_name: row.display_name,
            description: row.description,
            password_required: row.password_required,
            password_max_age_s: u64::try_from(row.password_max_age_s).unwrap_or_default(),
            groups: groups_read(&row.scope_groups),
        }
    }
}

impl Scopes<'_> {
    /// By name, in the order of its bytes. A pattern is looked for in name, display name and description.
    pub async fn list(self, listing: &Listing<'_>) -> Result<Vec<Scope>, StoreError> {
        const SQL: &str = "
            SELECT * FROM scope
            WHERE lower(name) LIKE $1 ESCAPE '\\' OR lower(display_name) LIKE $1 ESCAPE '\\'
               OR lower(description) LIKE $1 ESCAPE '\\'
            ORDER BY name LIMIT $2 OFFSET $3";
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(listing.like())
            .bind(listing.limit())
            .bind(listing.offset())
            .fetch_all(pool)
            .await);
        let rows = self.told("list the scopes", rows)?;
        Ok(rows.into_iter().map(Scope::from).collect())
    }

    pub async fn get(self, name: &str) -> Result<Option<Scope>, StoreError> {
        const SQL: &str = "SELECT * FROM scope WHERE name = $1";
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(name)).fetch_optional(pool).await
        });
        Ok(self.told("read the scope", row)?.map(Scope::from))
    }

    /// Those of these that there are, by name.
    pub async fn get_many(self, names: &[String]) -> Result<Vec<Scope>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            let mut query = QueryBuilder::new("SELECT * FROM scope WHERE name IN (");
            let mut list = query.separated(", ");
            for name in names {
                list.push_bind(text(name));
            }
            query.push(") ORDER BY name");
            query.build_query_as().fetch_all(pool).await
        });
        let rows = self.told("read the scopes", rows)?;
        Ok(rows.into_iter().map(Scope::from).collect())
    }

    /// # Errors
    ///
    /// [`IdentityError::AlreadyExists`] if there is one of that name.
    pub async fn insert(self, scope: &Scope) -> Result<(), IdentityError> {
        const SQL: &str = "
            INSERT INTO scope (name, display_name, description, password_required,
                               password_max_age_s, scope_groups)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
        if self.write("add the scope", SQL, scope).await? {
            return Ok(());
        }
        Err(IdentityError::AlreadyExists { thing: Thing::Scope, name: scope.name.clone() })
    }

    /// Replaces a scope.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NotFound`] if there is none of that name.
    pub async fn update(self, scope: &Scope) -> Result<(), IdentityError> {
        const SQL: &str = "
            UPDATE scope SET display_name = $2, description = $3, password_required = $4,
                             password_max_age_s = $5, scope_groups = $6
            WHERE name = $1";
        if self.write("change the scope", SQL, scope).await? {
            return Ok(());
        }
        Err(IdentityError::NotFound { thing: Thing::Scope, name: scope.name.clone() })
    }

    /// Removes a scope. Users and clients keep its name, and so do consents. False: there was none.
    pub async fn delete(self, name: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM scope WHERE name = $1";
        let deleted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(name))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("delete the scope", deleted)
    }

    async fn write(
        self,
        doing: &str,
        sql: &'static str,
        scope: &Scope,
    ) -> Result<bool, StoreError> {
        let written = on!(&self.store.pools, pool => sqlx::query(sql)
            .bind(text(&scope.name))
            .bind(text(&scope.display_name))
            .bind(text(&scope.description))
            .bind(scope.password_required)
            .bind(i64::try_from(scope.password_max_age_s).unwrap_or(i64::MAX))
            .bind(groups_stored(&scope.groups))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told(doing, written)
    }
}

fn groups_stored(groups: &[Group]) -> String {
    let groups = groups.iter().map(
        |group| json!({ "name": group.name, "required": group.required, "schemes": group.schemes }),
    );
    groups.collect::<Value>().to_string()
}

/// Only ever written by [`groups_stored`].
pub(super) fn groups_read(stored: &str) -> Vec<Group> {
    let groups: Vec<Value> = serde_json::from_str(stored).unwrap_or_default();
    groups.iter().map(group_read).collect()
}

fn group_read(group: &Value) -> Group {
    let schemes = group["schemes"].as_array().into_iter().flatten();
    Group {
        name: group["name"].as_str().unwrap_or_default().to_owned(),
        required: group["required"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
        schemes: schemes.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}
