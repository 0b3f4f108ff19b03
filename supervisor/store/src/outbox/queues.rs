//! How much there is.

use sqlx::FromRow;

use super::found::{Queue, Queues};
use super::{Outbox, number};
use crate::error::StoreError;
use crate::pools::on;

#[derive(FromRow)]
struct Row {
    notifier: String,
    pending: i64,
    pending_bytes: i64,
    dead: i64,
    oldest_ms: Option<i64>,
}

impl From<Row> for Queue {
    fn from(row: Row) -> Self {
        Self {
            notifier: row.notifier,
            pending: number(row.pending),
            pending_bytes: number(row.pending_bytes),
            dead: number(row.dead),
            oldest_ms: row.oldest_ms,
        }
    }
}

impl Outbox<'_> {
    pub async fn queues(self) -> Result<Queues, StoreError> {
        const SQL: &str = "
            SELECT notifier, pending, pending_bytes, dead,
                   (SELECT accepted_ms FROM delivery
                    WHERE delivery.notifier = notifier_queue.notifier AND state = 0
                    ORDER BY seq LIMIT 1) AS oldest_ms
            FROM notifier_queue ORDER BY notifier";
        let rows: Result<Vec<Row>, _> =
            on!(&self.store.pools, pool => sqlx::query_as(SQL).fetch_all(pool).await);
        let rows = self.told("count what waits", rows)?;
        Ok(Queues {
            bytes: self.bytes().await?,
            queues: rows.into_iter().map(Queue::from).collect(),
        })
    }

    /// Of all events that are not delivered to all.
    pub async fn bytes(self) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT bytes FROM outbox";
        let bytes = on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_one(pool).await);
        self.told("read the size of the outbox", bytes).map(number)
    }

    /// In the order of their names.
    pub async fn notifiers_with_pending(self) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT notifier FROM notifier_queue WHERE pending > 0 ORDER BY notifier";
        let names = on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_all(pool).await);
        self.told("look who has events waiting", names)
    }
}
