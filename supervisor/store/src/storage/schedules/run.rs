//! Who calls, and what came of it.

use std::time::Duration;

use super::{Row, Schedule, Schedules};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

impl Schedules<'_> {
    /// The instances of those that are due and that nobody calls for.
    pub async fn due_instances(self) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "
            SELECT DISTINCT instance FROM schedule, clock
            WHERE not_before_ms <= now_ms AND held_until_ms <= now_ms ORDER BY instance";
        let instances =
            on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_all(pool).await);
        self.told("look for what is due", instances)
    }

    /// Those of an instance that are due and that nobody calls for, the oldest first: at most so many.
    pub async fn due(self, instance: &str, limit: u32) -> Result<Vec<Schedule>, StoreError> {
        const SQL: &str = "
            SELECT instance, name, every_ms, due_ms, data, failures, last_error
            FROM schedule, clock
            WHERE instance = $1 AND not_before_ms <= now_ms AND held_until_ms <= now_ms
            ORDER BY not_before_ms, name LIMIT $2";
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(instance)).bind(i64::from(limit)).fetch_all(pool).await
        });
        let rows = self.told("look for what is due", rows)?;
        Ok(rows.into_iter().map(Schedule::from).collect())
    }

    /// How long until another is due, or is claimed no longer. `None`: there is none.
    pub async fn next_in(self) -> Result<Option<Duration>, StoreError> {
        const SQL: &str = "
            SELECT MIN(due_ms) - (SELECT now_ms FROM clock)
            FROM (SELECT CASE WHEN not_before_ms > held_until_ms THEN not_before_ms ELSE held_until_ms END AS due_ms
                  FROM schedule) AS next
            WHERE due_ms > (SELECT now_ms FROM clock)";
        let left: Result<Option<i64>, _> =
            on!(&self.store.pools, pool => sqlx::query_scalar(SQL).fetch_one(pool).await);
        let left = self.told("look for what is due", left)?;
        Ok(left.map(|left| Duration::from_millis(u64::try_from(left).unwrap_or_default())))
    }

    /// From now on `holder` calls for this schedule, for at most `ttl`. False: somebody else does, or it is not due any
    /// more.
    pub async fn claim(
        self,
        schedule: &Schedule,
        holder: &str,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE schedule SET holder = $4, held_until_ms = (SELECT now_ms FROM clock) + $5
            WHERE instance = $1 AND name = $2 AND due_ms = $3
              AND not_before_ms <= (SELECT now_ms FROM clock)
              AND held_until_ms <= (SELECT now_ms FROM clock)";
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2);
        let claimed = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(&schedule.instance))
            .bind(text(&schedule.name))
            .bind(schedule.due_ms)
            .bind(text(holder))
            .bind(ttl)
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("claim a schedule", claimed)
    }

    /// It went off. One that goes off again is due at the next multiple of its interval that is still to come; what was
    /// set anew meanwhile stays as it was set.
    pub async fn done(self, schedule: &Schedule, holder: &str) -> Result<(), StoreError> {
        const AGAIN: &str = "
            UPDATE schedule
            SET due_ms = due_ms + every_ms * (1 + ((SELECT now_ms FROM clock) - due_ms) / every_ms),
                not_before_ms = due_ms + every_ms * (1 + ((SELECT now_ms FROM clock) - due_ms) / every_ms),
                failures = 0, last_error = NULL, holder = '', held_until_ms = 0
            WHERE instance = $1 AND name = $2 AND due_ms = $3 AND holder = $4 AND every_ms IS NOT NULL";
        const ONCE: &str = "
            DELETE FROM schedule
            WHERE instance = $1 AND name = $2 AND due_ms = $3 AND holder = $4 AND every_ms IS NULL";
        let sql = if schedule.every_ms.is_some() { AGAIN } else { ONCE };
        self.settle("note that a schedule went off", sql, schedule, holder).await
    }

    /// It failed, and is tried again after `wait`.
    pub async fn failed(
        self,
        schedule: &Schedule,
        holder: &str,
        error: &str,
        wait: Duration,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE schedule
            SET failures = failures + 1, last_error = $5, holder = '', held_until_ms = 0,
                not_before_ms = (SELECT now_ms FROM clock) + $6
            WHERE instance = $1 AND name = $2 AND due_ms = $3 AND holder = $4";
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2);
        let noted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(&schedule.instance))
            .bind(text(&schedule.name))
            .bind(schedule.due_ms)
            .bind(text(holder))
            .bind(text(error))
            .bind(wait)
            .execute(pool)
            .await
            .map(drop));
        self.told("note that a schedule failed", noted)
    }

    /// It could not be called: somebody else may.
    pub async fn release(self, schedule: &Schedule, holder: &str) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE schedule SET holder = '', held_until_ms = 0
            WHERE instance = $1 AND name = $2 AND due_ms = $3 AND holder = $4";
        self.settle("release a schedule", SQL, schedule, holder).await
    }

    async fn settle(
        self,
        doing: &str,
        sql: &'static str,
        schedule: &Schedule,
        holder: &str,
    ) -> Result<(), StoreError> {
        let settled = on!(&self.store.pools, pool => sqlx::query(sql)
            .bind(text(&schedule.instance))
            .bind(text(&schedule.name))
            .bind(schedule.due_ms)
            .bind(text(holder))
            .execute(pool)
            .await
            .map(drop));
        self.told(doing, settled)
    }
}
