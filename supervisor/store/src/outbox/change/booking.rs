//! The counters of notifiers.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder};

use super::Change;
use crate::outbox::found::State;
use crate::outbox::rows::chunks;
use crate::pools::within;

/// How many more there are, by notifier. In the order of the names, which is the order of locks.
#[derive(Default)]
pub(super) struct Bookings(BTreeMap<String, Booking>);

#[derive(Clone, Copy, Default)]
struct Booking {
    pending: i64,
    pending_bytes: i64,
    dead: i64,
}

/// The counters of a notifier after a change.
#[derive(FromRow)]
pub(in crate::outbox) struct Standing {
    pub(in crate::outbox) notifier: String,
    pub(in crate::outbox) pending: i64,
    pub(in crate::outbox) pending_bytes: i64,
}

impl Bookings {
    /// What is delivered, or not there at all, is not counted.
    pub(super) fn count(&mut self, notifier: &str, bytes: i64, state: Option<State>, by: i64) {
        let booking = match self.0.get_mut(notifier) {
            Some(booking) => booking,
            None => self.0.entry(notifier.to_owned()).or_default(),
        };
        match state {
            Some(State::Pending) => {
                booking.pending += by;
                booking.pending_bytes += by * bytes;
            }
            Some(State::Dead) => booking.dead += by,
            Some(State::Delivered) | None => {}
        }
    }
}

impl Change {
    /// Writes what was booked so far, and gives the counters of those notifiers.
    pub(in crate::outbox) async fn write_bookings(&mut self) -> Result<Vec<Standing>, sqlx::Error> {
        let bookings: Vec<(String, Booking)> =
            std::mem::take(&mut self.bookings.0).into_iter().collect();
        let mut standings = Vec::new();
        for chunk in chunks(&bookings) {
            let written: Vec<Standing> = within!(&mut self.transaction, connection => {
                let mut query = QueryBuilder::new(
                    "INSERT INTO notifier_queue (notifier, pending, pending_bytes, dead) ",
                );
                query.push_values(chunk, |mut row, (notifier, booking)| {
                    row.push_bind(notifier)
                        .push_bind(booking.pending)
                        .push_bind(booking.pending_bytes)
                        .push_bind(booking.dead);
                });
                query.push(
                    " ON CONFLICT (notifier) DO UPDATE SET \
                     pending = notifier_queue.pending + excluded.pending, \
                     pending_bytes = notifier_queue.pending_bytes + excluded.pending_bytes, \
                     dead = notifier_queue.dead + excluded.dead \
                     RETURNING notifier, pending, pending_bytes",
                );
                query.build_query_as().fetch_all(connection).await
            })?;
            standings.extend(written);
        }
        Ok(standings)
    }
}
