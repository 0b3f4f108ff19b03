//! Looking for clients.

use outboard_core::identity::client::{Client, ClientId};
use outboard_core::identity::user::DATABASE;
use sqlx::FromRow;

use super::Clients;
use crate::error::StoreError;
use crate::identity::handle::{count, names_read, properties_read};
use crate::identity::listing::Listing;
use crate::outbox::rows::text;
use crate::pools::on;

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
struct Row {
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

impl Clients<'_> {
    pub async fn get(self, id: &str) -> Result<Option<Client>, StoreError> {
        const SQL: &str = select_clients!("WHERE id = $1");
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(id)).fetch_optional(pool).await
        });
        Ok(self.told("read the client", row)?.map(Client::from))
    }

    /// By id, in the order of its bytes.
    pub async fn list(self, listing: &Listing<'_>) -> Result<Vec<Client>, StoreError> {
        const ALL: &str = select_clients!("ORDER BY id LIMIT $1 OFFSET $2");
        const SOME: &str = concat!(select_clients!(""), like!(), "ORDER BY id LIMIT $2 OFFSET $3");
        let (limit, offset) = (listing.limit(), listing.offset());
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            let query = if listing.pattern.is_empty() {
                sqlx::query_as(ALL)
            } else {
                sqlx::query_as(SOME).bind(listing.like())
            };
            query.bind(limit).bind(offset).fetch_all(pool).await
        });
        let rows = self.told("list the clients", rows)?;
        Ok(rows.into_iter().map(Client::from).collect())
    }

    /// How many a listing without bounds would have.
    pub async fn count(self, pattern: &str) -> Result<u64, StoreError> {
        const ALL: &str = "SELECT COUNT(*) FROM client";
        const SOME: &str = concat!("SELECT COUNT(*) FROM client ", like!());
        let listing = Listing { pattern, ..Listing::ALL };
        let counted: Result<i64, _> = on!(&self.store.pools, pool => {
            let query = if pattern.is_empty() {
                sqlx::query_scalar(ALL)
            } else {
                sqlx::query_scalar(SOME).bind(listing.like())
            };
            query.fetch_one(pool).await
        });
        Ok(u64::try_from(self.told("count the clients", counted)?).unwrap_or_default())
    }

    /// The hashes of the client's passwords, in their order. Empty also if there is no such client.
    pub async fn passwords(self, id: &str) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT hash FROM client_password WHERE client = $1 ORDER BY position";
        let hashes = on!(&self.store.pools, pool => {
            sqlx::query_scalar(SQL).bind(text(id)).fetch_all(pool).await
        });
        self.told("read the passwords of a client", hashes)
    }
}
