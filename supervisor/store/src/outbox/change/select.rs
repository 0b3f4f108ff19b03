//! Deliveries that are about to be changed.

use sqlx::QueryBuilder;

use super::{Change, Row};
use crate::pools::within;

impl Change {
    /// The oldest pending ones of a notifier.
    pub(in crate::outbox) async fn oldest(
        &mut self,
        notifier: &str,
        limit: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        const SQL: &str = "SELECT seq, notifier, bytes FROM delivery \
                           WHERE notifier = $1 AND state = 0 ORDER BY seq LIMIT $2";
        within!(&mut self.transaction, connection => {
            sqlx::query_as(SQL).bind(notifier).bind(limit).fetch_all(connection).await
        })
    }

    /// The oldest pending ones of a notifier, as far as they wait since before `before_ms`.
    pub(in crate::outbox) async fn overdue(
        &mut self,
        notifier: &str,
        before_ms: i64,
        limit: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        // The inner ones are in the order in which they came, so that looking ends soon where none is overdue.
        // Those that were replayed are in no such order, but they are few.
        const SQL: &str = "
            SELECT seq, notifier, bytes FROM (
                SELECT * FROM (
                    SELECT seq, notifier, bytes, accepted_ms FROM delivery
                    WHERE notifier = $1 AND state = 0 ORDER BY seq LIMIT $3) AS oldest
                UNION
                SELECT * FROM (
                    SELECT seq, notifier, bytes, accepted_ms FROM delivery
                    WHERE notifier = $1 AND state = 0 AND replayed = TRUE AND accepted_ms < $2
                    ORDER BY seq LIMIT $3) AS replayed) AS waiting
            WHERE accepted_ms < $2";
        within!(&mut self.transaction, connection => {
            sqlx::query_as(SQL).bind(notifier).bind(before_ms).bind(limit).fetch_all(connection).await
        })
    }

    /// Dead ones, by what they are known by.
    pub(in crate::outbox) async fn dead_by_id(
        &mut self,
        ids: &[String],
    ) -> Result<Vec<Row>, sqlx::Error> {
        within!(&mut self.transaction, connection => {
            let mut query = QueryBuilder::new(
                "SELECT seq, notifier, bytes FROM delivery WHERE state = 2 AND delivery_id IN (",
            );
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            query.push(")");
            query.build_query_as().fetch_all(connection).await
        })
    }

    /// Dead ones of a notifier, after a place, in order.
    pub(in crate::outbox) async fn dead_of(
        &mut self,
        notifier: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        const SQL: &str = "SELECT seq, notifier, bytes FROM delivery \
                           WHERE state = 2 AND seq > $2 AND notifier = $1 ORDER BY seq LIMIT $3";
        within!(&mut self.transaction, connection => {
            sqlx::query_as(SQL).bind(notifier).bind(after).bind(limit).fetch_all(connection).await
        })
    }
}
