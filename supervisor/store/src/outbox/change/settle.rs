//! Deliveries that change their state, or go.

use sqlx::{FromRow, QueryBuilder};

use super::Change;
use crate::outbox::found::State;
use crate::outbox::rows::{chunks, text};
use crate::pools::within;

/// What a delivery becomes.
pub(in crate::outbox) struct Verdict<'a> {
    pub(in crate::outbox) notifier: &'a str,
    pub(in crate::outbox) seq: i64,
    pub(in crate::outbox) state: State,
    /// How many more there were.
    pub(in crate::outbox) attempts: i64,
    pub(in crate::outbox) not_before_ms: i64,
    /// `None`: what was there stays.
    pub(in crate::outbox) error: Option<&'a str>,
}

/// A delivery that was found, or changed.
#[derive(FromRow)]
pub(in crate::outbox) struct Row {
    pub(in crate::outbox) seq: i64,
    pub(in crate::outbox) notifier: String,
    pub(in crate::outbox) bytes: i64,
}

#[derive(FromRow)]
struct Settled {
    #[sqlx(flatten)]
    row: Row,
    state: i64,
}

impl Change {
    /// Passes the verdicts on those that are in the state `from`. Gives the ones it met.
    pub(in crate::outbox) async fn settle(
        &mut self,
        verdicts: &[Verdict<'_>],
        from: State,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut met = Vec::new();
        for chunk in chunks(verdicts) {
            let settled: Vec<Settled> = within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new(
                    "WITH verdict (at_seq, told, new_state, tries, later_ms, why) AS (",
                );
                query.push_values(chunk, |mut row, verdict| {
                    row.push_bind(verdict.seq)
                        .push_bind(verdict.notifier)
                        .push_bind(verdict.state.stored())
                        .push_bind(verdict.attempts)
                        .push_bind(verdict.not_before_ms)
                        .push_bind(verdict.error.map(text));
                });
                query
                    .push(
                        ") UPDATE delivery SET state = new_state, attempts = attempts + tries, \
                         not_before_ms = later_ms, error = COALESCE(why, error), updated_ms = ",
                    )
                    .push_bind(self.now_ms)
                    .push(" FROM verdict WHERE seq = at_seq AND notifier = told AND state = ")
                    .push(from.stored())
                    .push(" RETURNING seq, notifier, bytes, state");
                query.build_query_as().fetch_all(connection).await
            })?;
            for Settled { row, state } in settled {
                self.book_move(&row.notifier, row.bytes, Some(from), Some(State::read(state)));
                met.push(row);
            }
        }
        Ok(met)
    }

    /// Dead ones wait again, as if they had just come.
    pub(in crate::outbox) async fn revive(
        &mut self,
        dead: &[Row],
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut met = Vec::new();
        for chunk in chunks(dead) {
            let revived: Vec<Row> = within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new("WITH chosen (at_seq, told) AS (");
                query.push_values(chunk, |mut values, row| {
                    values.push_bind(row.seq).push_bind(&*row.notifier);
                });
                query
                    .push(
                        ") UPDATE delivery SET state = 0, attempts = 0, not_before_ms = 0, \
                         replayed = TRUE, accepted_ms = ",
                    )
                    .push_bind(self.now_ms)
                    .push(", updated_ms = ")
                    .push_bind(self.now_ms)
                    .push(
                        " FROM chosen WHERE seq = at_seq AND notifier = told AND state = 2 \
                         RETURNING seq, notifier, bytes",
                    );
                query.build_query_as().fetch_all(connection).await
            })?;
            met.extend(revived);
        }
        for row in &met {
            self.book_move(&row.notifier, row.bytes, Some(State::Dead), Some(State::Pending));
        }
        Ok(met)
    }

    /// Dead ones go.
    pub(in crate::outbox) async fn bury(&mut self, dead: &[Row]) -> Result<Vec<Row>, sqlx::Error> {
        let mut met = Vec::new();
        for chunk in chunks(dead) {
            let buried: Vec<Row> = within!(&mut self.transaction, connection => {
                // By seq alone too: for pairs SQLite would look at all that is dead.
                let mut query = QueryBuilder::new("DELETE FROM delivery WHERE state = 2 AND seq IN (");
                let mut list = query.separated(", ");
                for row in chunk {
                    list.push_bind(row.seq);
                }
                query.push(") AND (seq, notifier) IN (");
                query.push_values(chunk, |mut values, row| {
                    values.push_bind(row.seq).push_bind(&*row.notifier);
                });
                query.push(") RETURNING seq, notifier, bytes");
                query.build_query_as().fetch_all(connection).await
            })?;
            met.extend(buried);
        }
        for row in &met {
            self.book_move(&row.notifier, row.bytes, Some(State::Dead), None);
        }
        self.clear_bodies(met.iter().map(|row| row.seq).collect()).await?;
        Ok(met)
    }
    /// Removes events with all that became of them. Gives how many.
    pub(in crate::outbox) async fn forget(&mut self, seqs: &[i64]) -> Result<u64, sqlx::Error> {
        let mut forgotten = 0;
        for chunk in chunks(seqs) {
            for (table, is_counted) in [("delivery", false), ("event", true)] {
                let count = within!(&mut self.transaction, connection => {
                    let mut query = QueryBuilder::new("DELETE FROM ");
                    query.push(table).push(" WHERE seq IN (");
                    let mut list = query.separated(", ");
                    for seq in chunk {
                        list.push_bind(*seq);
                    }
                    query.push(")");
                    query.build().execute(connection).await.map(|done| done.rows_affected())
                })?;
                forgotten += if is_counted { count } else { 0 };
            }
        }
        Ok(forgotten)
    }
}
