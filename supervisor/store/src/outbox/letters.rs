//! What operators do with dead letters.

use std::collections::BTreeSet;

use super::Outbox;
use super::change::{Change, Row};
use super::rows::{chunks, text};
use crate::error::StoreError;

/// Dead letters that are changed at a time, so that others get their turn.
const STEP: i64 = 512;

/// Some dead letters.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those with these delivery ids.
    Ids(Vec<String>),
    /// The same, as far as they are this notifier's.
    IdsOf {
        notifier: String,
        ids: Vec<String>,
    },
    AllOf {
        notifier: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub count: u64,
    /// Whose they were.
    pub notifiers: BTreeSet<String>,
}

#[derive(Clone, Copy)]
enum Act {
    Replay,
    Drop,
}

impl Outbox<'_> {
    /// Dead letters wait for delivery again, as [`super::Line::Replayed`], with all attempts before
    /// them. Where their notifier has too much waiting, they are the oldest, and given up again with
    /// the next [`Outbox::write`].
    pub async fn replay(self, selection: &Selection, now_ms: i64) -> Result<Changed, StoreError> {
        let changed = self.act(Act::Replay, selection, now_ms).await;
        self.told("replay dead letters", changed)
    }

    /// Dead letters are forgotten.
    pub async fn drop_dead(
        self,
        selection: &Selection,
        now_ms: i64,
    ) -> Result<Changed, StoreError> {
        let changed = self.act(Act::Drop, selection, now_ms).await;
        self.told("drop dead letters", changed)
    }

    async fn act(
        self,
        act: Act,
        selection: &Selection,
        now_ms: i64,
    ) -> Result<Changed, sqlx::Error> {
        let mut changed = Changed::default();
        match selection {
            Selection::Ids(ids) => self.act_on_ids(act, ids, None, now_ms, &mut changed).await?,
            Selection::IdsOf { notifier, ids } => {
                self.act_on_ids(act, ids, Some(notifier), now_ms, &mut changed).await?;
            }
            Selection::AllOf { notifier } => {
                self.act_on_all(act, notifier, now_ms, &mut changed).await?;
            }
        }
        Ok(changed)
    }

    async fn act_on_ids(
        self,
        act: Act,
        ids: &[String],
        notifier: Option<&str>,
        now_ms: i64,
        changed: &mut Changed,
    ) -> Result<(), sqlx::Error> {
        let ids: Vec<String> = ids.iter().map(|id| text(id).into_owned()).collect();
        for chunk in chunks(&ids) {
            let mut change = Change::begin(self.store, now_ms).await?;
            let mut rows = change.dead_by_id(chunk).await?;
            rows.retain(|row| notifier.is_none_or(|notifier| row.notifier == notifier));
            carry_out(act, change, &rows, changed).await?;
        }
        Ok(())
    }

    async fn act_on_all(
        self,
        act: Act,
        notifier: &str,
        now_ms: i64,
        changed: &mut Changed,
    ) -> Result<(), sqlx::Error> {
        let notifier = text(notifier);
        let mut after = 0;
        loop {
            let mut change = Change::begin(self.store, now_ms).await?;
            let rows = change.dead_of(&notifier, after, STEP).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            carry_out(act, change, &rows, changed).await?;
        }
    }
}

async fn carry_out(
    act: Act,
    mut change: Change,
    rows: &[Row],
    changed: &mut Changed,
) -> Result<(), sqlx::Error> {
    let met = match act {
        Act::Replay => change.revive(rows).await?,
        Act::Drop => change.bury(rows).await?,
    };
    change.commit().await?;
    changed.count += met.len() as u64;
    changed.notifiers.extend(met.into_iter().map(|row| row.notifier));
    Ok(())
}
