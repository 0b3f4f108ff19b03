//! The clients that this database keeps.

use outboard_core::identity::client::{Client, ClientId};
use outboard_core::identity::user::DATABASE;
use sqlx::FromRow;

use super::error::Thing;
use super::handle::{count, names_read, names_stored, properties_read, properties_stored};
use super::principals::{Principal, Principals};
use crate::StoreError;
use crate::outbox::rows::text;
use crate::pools::{Transaction, within};

/// The clients of a [`Store`](crate::Store).
pub type Clients<'a> = Principals<'a, Client>;

macro_rules! select_clients {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, description, enabled, confidential, scopes, properties, revision, \
             (SELECT COUNT(*) FROM client_password WHERE client_password.client = client.id) AS passwords \
             FROM client ",
            $rest
        )
    };
}

/// What a pattern is looked for in.
macro_rules! like {
    () => {
        "WHERE (lower(id) LIKE $1 ESCAPE '\\' OR lower(name) LIKE $1 ESCAPE '\\' \
         OR lower(description) LIKE $1 ESCAPE '\\') "
    };
}

#[derive(FromRow)]
pub struct Row {
    id: String,
    name: Option<String>,
    description: Option<String>,
    enabled: bool,
    confidential: bool,
    scopes: String,
    properties: String,
    revision: i64,
    passwords: i64,
}

impl From<Row> for Client {
    fn from(row: Row) -> Self {
        Self {
            id: ClientId::stored(row.id),
            name: row.name,
            description: row.description,
            enabled: row.enabled,
            confidential: row.confidential,
            scopes: names_read(&row.scopes),
            properties: properties_read(&row.properties),
            source: DATABASE.to_owned(),
            passwords: count(row.passwords),
            revision: row.revision,
        }
    }
}

impl Principal for Client {
    type Row = Row;

    const THING: Thing = Thing::Client;

    const BY_NAME: &'static str = select_clients!("WHERE id = $1");
    const BY_ID: &'static str = Self::BY_NAME;
    const LIST: &'static str = select_clients!("ORDER BY id LIMIT $1 OFFSET $2");
    const LIST_LIKE: &'static str =
        concat!(select_clients!(""), like!(), "ORDER BY id LIMIT $2 OFFSET $3");
    const COUNT: &'static str = "SELECT COUNT(*) FROM client";
    const COUNT_LIKE: &'static str = concat!("SELECT COUNT(*) FROM client ", like!());

    const PASSWORDS: &'static str =
        "SELECT hash FROM client_password WHERE client = $1 ORDER BY position";
    const ADD_PASSWORD: &'static str =
        "INSERT INTO client_password (client, position, hash) VALUES ($1, $2, $3)";
    const UPGRADE_PASSWORD: &'static str =
        "UPDATE client_password SET hash = $3 WHERE client = $1 AND hash = $2";
    const CLEAR_PASSWORDS: &'static str = "DELETE FROM client_password WHERE client = $1";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn shown(&self) -> &str {
        self.id.as_str()
    }

    fn revision(&self) -> i64 {
        self.revision
    }

    async fn write_new(&self, transaction: &mut Transaction) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            INSERT INTO client (id, name, description, enabled, confidential, scopes, properties,
                                revision, created_ms, updated_ms)
            SELECT $1, $2, $3, $4, $5, $6, $7, 1, now_ms, now_ms FROM clock WHERE TRUE
            ON CONFLICT (id) DO NOTHING";
        within!(transaction, connection => sqlx::query(SQL)
            .bind(text(self.id.as_str()))
            .bind(self.name.as_deref().map(text))
            .bind(self.description.as_deref().map(text))
            .bind(self.enabled)
            .bind(self.confidential)
            .bind(names_stored(&self.scopes))
            .bind(properties_stored(&self.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected() > 0))
    }

    async fn write(&self, transaction: &mut Transaction) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            UPDATE client
            SET name = $3, description = $4, enabled = $5, confidential = $6, scopes = $7, properties = $8,
                revision = revision + 1, updated_ms = (SELECT now_ms FROM clock)
            WHERE id = $1 AND revision = $2";
        within!(transaction, connection => sqlx::query(SQL)
            .bind(text(self.id.as_str()))
            .bind(self.revision)
            .bind(self.name.as_deref().map(text))
            .bind(self.description.as_deref().map(text))
            .bind(self.enabled)
            .bind(self.confidential)
            .bind(names_stored(&self.scopes))
            .bind(properties_stored(&self.properties))
            .execute(connection)
            .await
            .map(|done| done.rows_affected() > 0))
    }
}

impl Clients<'_> {
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
