//! One transaction that changes the outbox, and its books: every change of a row is booked here, and
//! what was booked is written with it.

mod booking;
mod insert;
mod select;
mod settle;

use sqlx::QueryBuilder;

pub(super) use booking::Standing;
pub(super) use settle::{Row, Verdict};

use super::found::State;
use super::rows::chunks;
use crate::pools::{Transaction, within};
use crate::store::Store;
use booking::Bookings;

/// Whoever holds this is the only one who changes the outbox. Dropped without a commit, it changed
/// nothing.
pub(super) struct Change {
    transaction: Transaction,
    pub(super) now_ms: i64,
    pub(super) next_seq: i64,
    /// Of all bodies that are kept.
    pub(super) bytes: i64,
    bookings: Bookings,
}

impl Change {
    pub(super) async fn begin(store: &Store, now_ms: i64) -> Result<Self, sqlx::Error> {
        // A write, so that others wait here.
        const SQL: &str = "UPDATE outbox SET next_seq = next_seq RETURNING next_seq, bytes";
        let mut transaction = store.pools.begin().await?;
        let (next_seq, bytes) = within!(&mut transaction, connection => {
            sqlx::query_as::<_, (i64, i64)>(SQL).fetch_one(connection).await
        })?;
        Ok(Self { transaction, now_ms, next_seq, bytes, bookings: Bookings::default() })
    }

    /// Removes the bodies that nobody needs any more, of these events.
    pub(super) async fn clear_bodies(&mut self, mut seqs: Vec<i64>) -> Result<(), sqlx::Error> {
        seqs.sort_unstable();
        seqs.dedup();
        for chunk in chunks(&seqs) {
            let freed: Vec<i64> = within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new("DELETE FROM event_body WHERE seq IN (");
                let mut list = query.separated(", ");
                for seq in chunk {
                    list.push_bind(*seq);
                }
                query.push(
                    ") AND NOT EXISTS (SELECT 1 FROM delivery \
                     WHERE delivery.seq = event_body.seq AND delivery.state <> 1) \
                     RETURNING bytes",
                );
                query.build_query_scalar().fetch_all(connection).await
            })?;
            self.bytes -= freed.iter().sum::<i64>();
        }
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "UPDATE outbox SET next_seq = $1, bytes = $2";
        self.write_bookings().await?;
        within!(&mut self.transaction, connection => {
            sqlx::query(SQL).bind(self.next_seq).bind(self.bytes).execute(connection).await.map(drop)
        })?;
        self.transaction.commit().await
    }

    /// A row that was in one state and is in another.
    fn book_move(&mut self, notifier: &str, bytes: i64, from: Option<State>, to: Option<State>) {
        self.bookings.count(notifier, bytes, from, -1);
        self.bookings.count(notifier, bytes, to, 1);
    }
}
