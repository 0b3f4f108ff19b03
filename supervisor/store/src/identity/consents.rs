//! What users have granted to clients.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::handle::handle;
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::{on, within};

handle! {
    /// The consents of a [`Store`](crate::Store).
    Consents
}

/// A scope that a user has granted to a client.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Consent {
    pub client_id: String,
    pub scope: String,
    pub granted_ms: i64,
}

impl Consents<'_> {
    /// What a user has granted to a client, by scope.
    pub async fn of(self, account: &str, client_id: &str) -> Result<Vec<Consent>, StoreError> {
        const SQL: &str = "SELECT client_id, scope, granted_ms FROM consent \
                           WHERE account = $1 AND client_id = $2 ORDER BY scope";
        let rows = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(account))
            .bind(text(client_id))
            .fetch_all(pool)
            .await);
        self.told("read what a user has granted", rows)
    }

    /// What a user has granted, by client, then by scope.
    pub async fn list(self, account: &str) -> Result<Vec<Consent>, StoreError> {
        const SQL: &str = "SELECT client_id, scope, granted_ms FROM consent \
                           WHERE account = $1 ORDER BY client_id, scope";
        let rows = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(account)).fetch_all(pool).await
        });
        self.told("read what a user has granted", rows)
    }

    /// From now on a user grants these scopes to a client, and no others. What was granted before keeps its time.
    pub async fn set(
        self,
        account: &str,
        client_id: &str,
        scopes: &[String],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let set = self.try_set(account, client_id, scopes, now_ms).await;
        self.told("write what a user grants", set)
    }

    async fn try_set(
        self,
        account: &str,
        client_id: &str,
        scopes: &[String],
        now_ms: i64,
    ) -> Result<(), sqlx::Error> {
        const THERE: &str = "SELECT scope FROM consent WHERE account = $1 AND client_id = $2";
        const REVOKE: &str =
            "DELETE FROM consent WHERE account = $1 AND client_id = $2 AND scope = $3";
        const GRANT: &str = "
            INSERT INTO consent (account, client_id, scope, granted_ms)
            SELECT id, $2, $3, $4 FROM account WHERE id = $1 AND deleted_ms IS NULL
            ON CONFLICT (account, client_id, scope) DO NOTHING";
        let wanted: BTreeSet<_> = scopes.iter().map(|scope| text(scope)).collect();
        let mut transaction = self.store.pools.begin().await?;
        within!(&mut transaction, connection => {
            let there: Vec<String> = sqlx::query_scalar(THERE)
                .bind(text(account))
                .bind(text(client_id))
                .fetch_all(&mut *connection)
                .await?;
            for scope in there.iter().filter(|scope| !wanted.contains(scope.as_str())) {
                let query = sqlx::query(REVOKE).bind(text(account)).bind(text(client_id));
                query.bind(scope).execute(&mut *connection).await?;
            }
            for scope in &wanted {
                let query = sqlx::query(GRANT).bind(text(account)).bind(text(client_id));
                query.bind(scope.as_ref()).bind(now_ms).execute(&mut *connection).await?;
            }
        });
        transaction.commit().await
    }

    /// From now on a user grants nothing to a client. False: nothing was granted.
    pub async fn revoke(self, account: &str, client_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM consent WHERE account = $1 AND client_id = $2";
        let revoked = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(account))
            .bind(text(client_id))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("revoke what a user has granted", revoked)
    }

    /// A client is gone, and with it what it was granted.
    pub async fn forget_client(self, client_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM consent WHERE client_id = $1";
        let forgotten = on!(&self.store.pools, pool => {
            sqlx::query(SQL).bind(text(client_id)).execute(pool).await.map(drop)
        });
        self.told("forget what a client was granted", forgotten)
    }
}
