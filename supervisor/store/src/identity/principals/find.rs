//! Looking for users and clients.

use super::{Principal, Principals};
use crate::error::StoreError;
use crate::identity::listing::Listing;
use crate::outbox::rows::text;
use crate::pools::on;

impl<P: Principal> Principals<'_, P> {
    /// By what the name is compared by.
    pub async fn get(self, name_key: &str) -> Result<Option<P>, StoreError> {
        self.one(P::BY_NAME, name_key).await
    }

    pub async fn get_by_id(self, id: &str) -> Result<Option<P>, StoreError> {
        self.one(P::BY_ID, id).await
    }

    async fn one(self, sql: &'static str, bound: &str) -> Result<Option<P>, StoreError> {
        let row: Result<Option<P::Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(sql).bind(text(bound)).fetch_optional(pool).await
        });
        Ok(self.told(format_args!("read the {}", P::THING), row)?.map(Into::into))
    }

    /// By name, in the order of the bytes of what it is compared by.
    pub async fn list(self, listing: &Listing<'_>) -> Result<Vec<P>, StoreError> {
        let (limit, offset) = (listing.limit(), listing.offset());
        let rows: Result<Vec<P::Row>, _> = on!(&self.store.pools, pool => {
            let query = if listing.pattern.is_empty() {
                sqlx::query_as(P::LIST)
            } else {
                sqlx::query_as(P::LIST_LIKE).bind(listing.like())
            };
            query.bind(limit).bind(offset).fetch_all(pool).await
        });
        let rows = self.told(format_args!("list the {}s", P::THING), rows)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// How many a listing without bounds would have.
    pub async fn count(self, pattern: &str) -> Result<u64, StoreError> {
        let listing = Listing { pattern, ..Listing::ALL };
        let counted: Result<i64, _> = on!(&self.store.pools, pool => {
            let query = if pattern.is_empty() {
                sqlx::query_scalar(P::COUNT)
            } else {
                sqlx::query_scalar(P::COUNT_LIKE).bind(listing.like())
            };
            query.fetch_one(pool).await
        });
        let counted = self.told(format_args!("count the {}s", P::THING), counted)?;
        Ok(u64::try_from(counted).unwrap_or_default())
    }

    /// The hashes of the passwords, in their order. Empty also if there is nobody of this id.
    pub async fn passwords(self, id: &str) -> Result<Vec<String>, StoreError> {
        let hashes = on!(&self.store.pools, pool => {
            sqlx::query_scalar(P::PASSWORDS).bind(text(id)).fetch_all(pool).await
        });
        self.told(format_args!("read the passwords of a {}", P::THING), hashes)
    }
}
