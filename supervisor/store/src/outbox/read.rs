//! Deliveries and events, as others want to see them.

use sqlx::{FromRow, QueryBuilder};

use super::found::{DeadLetter, Delivery, Line, Pending, Shown, State, StoredEvent, Window};
use super::rows::text;
use super::{Outbox, attempts, stored};
use crate::error::StoreError;
use crate::pools::on;

/// Around the rows that may come: those before which the bodies are not too much, with their bodies.
const WITHIN: &str = "
    SELECT chosen.seq, delivery_id, key, attempts, not_before_ms, accepted_ms, replayed, body
    FROM (SELECT *, SUM(bytes) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - bytes AS before
          FROM (";
/// The rows that may come. SQLite takes the tables of a cross join in their order, and only the first
/// has an index by which the rows come in theirs.
const WAITING: &str = "
    SELECT delivery.seq, delivery_id, key, attempts, not_before_ms, delivery.accepted_ms, replayed, bytes
    FROM delivery CROSS JOIN event
    WHERE delivery.seq = event.seq AND state = 0 AND notifier = ";

#[derive(FromRow)]
struct PendingRow {
    seq: i64,
    delivery_id: String,
    key: Option<String>,
    attempts: i64,
    not_before_ms: i64,
    accepted_ms: i64,
    replayed: bool,
    body: String,
}

impl From<PendingRow> for Pending {
    fn from(row: PendingRow) -> Self {
        Self {
            seq: row.seq,
            delivery_id: row.delivery_id,
            key: row.key,
            attempts: attempts(row.attempts),
            not_before_ms: row.not_before_ms,
            accepted_ms: row.accepted_ms,
            replayed: row.replayed,
            body: row.body,
        }
    }
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    source: String,
    event_id: String,
    r#type: String,
    key: Option<String>,
    accepted_ms: i64,
    body: Option<String>,
}

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            source: row.source,
            event_id: row.event_id,
            kind: row.r#type,
            key: row.key,
            accepted_ms: row.accepted_ms,
            body: row.body,
        }
    }
}

#[derive(FromRow)]
struct DeliveryRow {
    delivery_id: String,
    notifier: String,
    state: i64,
    attempts: i64,
    error: Option<String>,
    updated_ms: i64,
    replayed: bool,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            delivery_id: row.delivery_id,
            notifier: row.notifier,
            state: State::read(row.state),
            attempts: attempts(row.attempts),
            error: row.error,
            updated_ms: row.updated_ms,
            replayed: row.replayed,
        }
    }
}

#[derive(FromRow)]
struct LetterRow {
    #[sqlx(flatten)]
    event: EventRow,
    #[sqlx(flatten)]
    delivery: DeliveryRow,
}

impl From<LetterRow> for DeadLetter {
    fn from(row: LetterRow) -> Self {
        Self { event: row.event.into(), delivery: row.delivery.into() }
    }
}

impl Outbox<'_> {
    /// What waits for a notifier, after a place (0: from the first on), in the order of seq, whether
    /// its time has come or not.
    pub async fn pending(
        self,
        notifier: &str,
        line: Line<'_>,
        after: i64,
        window: Window,
    ) -> Result<Vec<Pending>, StoreError> {
        let rows: Result<Vec<PendingRow>, _> = on!(&self.store.pools, pool => {
            let mut query = QueryBuilder::new(WITHIN);
            query.push(WAITING).push_bind(text(notifier));
            match line {
                Line::Order => drop(query.push(" AND replayed = FALSE")),
                Line::Replayed => drop(query.push(" AND replayed = TRUE")),
                Line::Key(key) => drop(query.push(" AND replayed = FALSE AND key = ").push_bind(text(key))),
                Line::Except(keys) => {
                    query.push(" AND replayed = FALSE");
                    for key in keys {
                        query.push(" AND COALESCE(key <> ").push_bind(text(key)).push(", TRUE)");
                    }
                }
            }
            query.push(" AND delivery.seq > ").push_bind(after);
            query.push(" ORDER BY delivery.seq LIMIT ").push_bind(i64::from(window.rows));
            query.push(
                ") AS first) AS chosen JOIN event_body ON event_body.seq = chosen.seq WHERE before < ",
            );
            query.push_bind(stored(window.bytes.max(1))).push(" ORDER BY chosen.seq");
            query.build_query_as().fetch_all(pool).await
        });
        let rows = self.told("read what waits", rows)?;
        Ok(rows.into_iter().map(Pending::from).collect())
    }

    /// Dead letters of one notifier or of all, after a place (0: from the first on), in the order of
    /// seq, then of notifiers.
    ///
    /// Those of one event come together, even where they alone are more than the window's rows: so
    /// the seq of the last one says where to go on.
    pub async fn dead(
        self,
        notifier: Option<&str>,
        after: i64,
        window: Window,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        const SQL: &str = "
            SELECT event.seq, source, event_id, type, key, event.accepted_ms, body,
                   delivery_id, notifier, state, attempts, error, updated_ms, replayed
            FROM (SELECT seq, SUM(bytes) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - bytes AS before
                  FROM (SELECT DISTINCT seq, bytes FROM delivery
                        WHERE state = 2 AND seq > $2 AND notifier = COALESCE($1, notifier)
                        ORDER BY seq LIMIT $3) AS first) AS chosen
            JOIN event ON event.seq = chosen.seq
            JOIN event_body ON event_body.seq = chosen.seq
            JOIN delivery ON delivery.seq = chosen.seq AND state = 2
                         AND notifier = COALESCE($1, notifier)
            WHERE before < $4 ORDER BY event.seq, notifier";
        let rows: Result<Vec<LetterRow>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(notifier.map(text))
            .bind(after)
            .bind(i64::from(window.rows))
            .bind(stored(window.bytes.max(1)))
            .fetch_all(pool)
            .await);
        let mut letters: Vec<_> =
            self.told("list dead letters", rows)?.into_iter().map(DeadLetter::from).collect();
        cut(&mut letters, window.rows as usize);
        Ok(letters)
    }

    /// The event of this id and source, or without a source the newest of this id.
    pub async fn show(
        self,
        event_id: &str,
        source: Option<&str>,
    ) -> Result<Option<Shown>, StoreError> {
        const EVENT: &str = "
            SELECT event.seq, source, event_id, type, key, accepted_ms, body
            FROM event LEFT JOIN event_body ON event_body.seq = event.seq
            WHERE event_id = $1 AND source = COALESCE($2, source)
            ORDER BY event.seq DESC LIMIT 1";
        const DELIVERIES: &str = "SELECT * FROM delivery WHERE seq = $1 ORDER BY notifier";
        let event: Result<Option<EventRow>, _> = on!(&self.store.pools, pool => sqlx::query_as(EVENT)
            .bind(text(event_id))
            .bind(source.map(text))
            .fetch_optional(pool)
            .await);
        let Some(event) = self.told("look for the event", event)? else { return Ok(None) };
        let rows: Result<Vec<DeliveryRow>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(DELIVERIES).bind(event.seq).fetch_all(pool).await
        });
        let rows = self.told("read what became of the event", rows)?;
        let deliveries = rows.into_iter().map(Delivery::from).collect();
        Ok(Some(Shown { event: event.into(), deliveries }))
    }
}

/// Leaves at most so many, and no event in part; but at least one event.
fn cut(letters: &mut Vec<DeadLetter>, most: usize) {
    let Some(first_left) = letters.get(most).map(|letter| letter.event.seq) else { return };
    letters.truncate(
        letters.partition_point(|letter| letter.event.seq < first_left).max(
            letters.iter().take_while(|letter| letter.event.seq == letters[0].event.seq).count(),
        ),
    );
}
