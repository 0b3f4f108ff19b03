//! New events, with their bodies and deliveries.

use std::collections::HashMap;

use sqlx::QueryBuilder;

use super::Change;
use crate::outbox::admit;
use crate::outbox::found::State;
use crate::outbox::group::{NewDelivery, NewEvent};
use crate::outbox::rows::{chunks, text};
use crate::pools::within;

impl Change {
    /// Which of these events are there already: their numbers, by place.
    pub(in crate::outbox) async fn known(
        &mut self,
        events: &[(i64, &NewEvent)],
    ) -> Result<HashMap<usize, i64>, sqlx::Error> {
        let mut known = HashMap::new();
        for chunk in chunks(events) {
            let found: Vec<(i64, i64)> = within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new("WITH sent (place, sent_id, sent_source) AS (");
                query.push_values(chunk, |mut row, (place, event)| {
                    row.push_bind(*place).push_bind(text(&event.event_id)).push_bind(text(&event.source));
                });
                // SQLite takes the tables of a cross join in their order: few, then one of many.
                query.push(
                    ") SELECT place, seq FROM sent CROSS JOIN event \
                     WHERE event_id = sent_id AND source = sent_source",
                );
                query.build_query_as().fetch_all(connection).await
            })?;
            known.extend(
                found
                    .into_iter()
                    .filter_map(|(place, seq)| Some((usize::try_from(place).ok()?, seq))),
            );
        }
        Ok(known)
    }

    /// New events, under numbers that are free.
    pub(in crate::outbox) async fn insert(
        &mut self,
        events: &[(i64, &NewEvent)],
    ) -> Result<(), sqlx::Error> {
        self.insert_events(events).await?;
        let told: Vec<_> =
            events.iter().copied().filter(|(_, event)| !event.deliveries.is_empty()).collect();
        self.insert_bodies(&told).await?;
        let deliveries = told.iter().flat_map(|(seq, event)| {
            event.deliveries.iter().map(|delivery| (*seq, delivery, admit::bytes(event)))
        });
        let deliveries: Vec<_> = deliveries.collect();
        self.insert_deliveries(&deliveries).await?;
        if let Some((seq, _)) = events.last() {
            self.next_seq = seq + 1;
        }
        Ok(())
    }

    async fn insert_events(&mut self, events: &[(i64, &NewEvent)]) -> Result<(), sqlx::Error> {
        for chunk in chunks(events) {
            within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new(
                    "INSERT INTO event (seq, event_id, source, type, key, accepted_ms) ",
                );
                query.push_values(chunk, |mut row, (seq, event)| {
                    row.push_bind(*seq)
                        .push_bind(text(&event.event_id))
                        .push_bind(text(&event.source))
                        .push_bind(text(&event.kind))
                        .push_bind(event.key.as_deref().map(text))
                        .push_bind(self.now_ms);
                });
                query.build().execute(connection).await.map(drop)
            })?;
        }
        Ok(())
    }

    async fn insert_bodies(&mut self, events: &[(i64, &NewEvent)]) -> Result<(), sqlx::Error> {
        for chunk in chunks(events) {
            within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new("INSERT INTO event_body (seq, bytes, body) ");
                query.push_values(chunk, |mut row, (seq, event)| {
                    row.push_bind(*seq).push_bind(admit::bytes(event)).push_bind(text(&event.body));
                });
                query.build().execute(connection).await.map(drop)
            })?;
        }
        self.bytes += events.iter().map(|(_, event)| admit::bytes(event)).sum::<i64>();
        Ok(())
    }

    async fn insert_deliveries(
        &mut self,
        deliveries: &[(i64, &NewDelivery, i64)],
    ) -> Result<(), sqlx::Error> {
        for chunk in chunks(deliveries) {
            within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new(
                    "INSERT INTO delivery \
                     (seq, notifier, delivery_id, accepted_ms, updated_ms, bytes) ",
                );
                query.push_values(chunk, |mut row, (seq, delivery, bytes)| {
                    row.push_bind(*seq)
                        .push_bind(&*delivery.notifier)
                        .push_bind(text(&delivery.delivery_id))
                        .push_bind(self.now_ms)
                        .push_bind(self.now_ms)
                        .push_bind(*bytes);
                });
                query.build().execute(connection).await.map(drop)
            })?;
        }
        for (_, delivery, bytes) in deliveries {
            self.book_move(&delivery.notifier, *bytes, None, Some(State::Pending));
        }
        Ok(())
    }
}
