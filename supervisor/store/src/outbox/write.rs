//! One group: what became of deliveries, new events, and the bounds of each notifier.

use std::collections::HashSet;

use super::admit::{admit, places};
use super::change::{Change, Row, Standing, Verdict};
use super::found::State;
use super::group::{Accept, Accepted, Bounds, Group, Outcome, Place, Settle, Written};
use super::{Outbox, number, stored};
use crate::error::StoreError;

/// Pending deliveries that are given up at a time.
const STEP: i64 = 256;
const OVER: &str = "too much was waiting for this notifier, so the oldest was given up; \
                    see events.pending and events.pending_bytes";

impl Outbox<'_> {
    /// Writes a group: all of it, or, after an error, nothing.
    ///
    /// When this returns, what was accepted is on disk.
    pub async fn write(self, group: &Group, bounds: &Bounds) -> Result<Written, StoreError> {
        let written = self.write_group(group, bounds).await;
        self.told("write to the outbox", written)
    }

    async fn write_group(self, group: &Group, bounds: &Bounds) -> Result<Written, sqlx::Error> {
        let mut change = Change::begin(self.store, group.now_ms).await?;
        // First, since it makes room.
        settle(&mut change, &group.settle).await?;
        let accepted = accept(&mut change, &group.accept, bounds).await?;
        let mut died = Vec::new();
        for standing in change.write_bookings().await? {
            died.extend(thin(&mut change, standing, bounds).await?);
        }
        let bytes = number(change.bytes);
        change.commit().await?;
        Ok(Written { accepted, died, bytes })
    }
}

async fn settle(change: &mut Change, settle: &[Settle]) -> Result<(), sqlx::Error> {
    let verdicts: Vec<Verdict<'_>> = settle.iter().map(verdict).collect();
    let met = change.settle(&verdicts, State::Pending).await?;
    if met.len() < verdicts.len() {
        let met: HashSet<(i64, &str)> = met.iter().map(|row| (row.seq, &*row.notifier)).collect();
        let is_late = |verdict: &Verdict<'_>| {
            verdict.state == State::Delivered && !met.contains(&(verdict.seq, verdict.notifier))
        };
        let late: Vec<Verdict<'_>> = verdicts.into_iter().filter(is_late).collect();
        change.settle(&late, State::Dead).await?;
    }
    let delivered = settle.iter().filter(|settle| settle.outcome == Outcome::Delivered);
    change.clear_bodies(delivered.map(|settle| settle.seq).collect()).await
}

fn verdict(settle: &Settle) -> Verdict<'_> {
    let (state, not_before_ms, error) = match &settle.outcome {
        Outcome::Delivered => (State::Delivered, 0, None),
        Outcome::Again { not_before_ms, error } => {
            (State::Pending, *not_before_ms, Some(error.as_str()))
        }
        Outcome::Dead { error } => (State::Dead, 0, Some(error.as_str())),
    };
    Verdict {
        notifier: &settle.notifier,
        seq: settle.seq,
        state,
        attempts: 1,
        not_before_ms,
        error,
    }
}

async fn accept(
    change: &mut Change,
    accepts: &[Accept],
    bounds: &Bounds,
) -> Result<Vec<Accepted>, sqlx::Error> {
    let known = change.known(&places(accepts)).await?;
    let room = stored(bounds.max_bytes) - change.bytes;
    let admission = admit(accepts, &known, change.next_seq, room);
    change.insert(&admission.rows).await?;
    Ok(admission.answers)
}

/// Gives up the oldest pending ones until the notifier is within its bounds.
async fn thin(
    change: &mut Change,
    mut standing: Standing,
    bounds: &Bounds,
) -> Result<Vec<Place>, sqlx::Error> {
    let mut died = Vec::new();
    while standing.is_over(bounds) {
        let oldest = change.oldest(&standing.notifier, STEP).await?;
        if oldest.is_empty() {
            break;
        }
        let too_many = oldest.into_iter().map_while(|row| standing.lose(row, bounds));
        let too_many: Vec<Row> = too_many.collect();
        died.extend(give_up(change, &too_many, OVER).await?);
    }
    Ok(died)
}

/// Pending ones become dead without having been tried again.
pub(super) async fn give_up(
    change: &mut Change,
    pending: &[Row],
    why: &str,
) -> Result<Vec<Place>, sqlx::Error> {
    let verdicts: Vec<Verdict<'_>> = pending
        .iter()
        .map(|row| Verdict {
            notifier: &row.notifier,
            seq: row.seq,
            state: State::Dead,
            attempts: 0,
            not_before_ms: 0,
            error: Some(why),
        })
        .collect();
    let met = change.settle(&verdicts, State::Pending).await?;
    Ok(met.into_iter().map(|row| Place { notifier: row.notifier, seq: row.seq }).collect())
}

impl Standing {
    /// Takes the row off, if there is still too much.
    fn lose(&mut self, row: Row, bounds: &Bounds) -> Option<Row> {
        if !self.is_over(bounds) {
            return None;
        }
        self.pending -= 1;
        self.pending_bytes -= row.bytes;
        Some(row)
    }

    fn is_over(&self, bounds: &Bounds) -> bool {
        number(self.pending) > bounds.pending || number(self.pending_bytes) > bounds.pending_bytes
    }
}
