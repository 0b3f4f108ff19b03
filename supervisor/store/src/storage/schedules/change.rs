//! What instances say of their schedules.

use super::{NewSchedule, Row, Schedule, Schedules};
use crate::error::StoreError;
use crate::outbox::rows::text;
use crate::pools::on;

impl Schedules<'_> {
    /// Sets a schedule. One that is set again with the same interval and no time keeps the time at which it is due.
    /// `None`: the instance has `most` others already.
    pub async fn set(
        self,
        instance: &str,
        new: NewSchedule<'_>,
        most: u32,
    ) -> Result<Option<Schedule>, StoreError> {
        // What changes when it is due ends the failures, and a call that is under way no longer counts for it.
        const SQL: &str = "
            INSERT INTO schedule (instance, name, every_ms, due_ms, data, failures, not_before_ms, holder, held_until_ms)
            SELECT $1, $2, $3, COALESCE($4, now_ms + $3), $5, 0, COALESCE($4, now_ms + $3), '', 0
            FROM clock
            WHERE (SELECT COUNT(*) FROM schedule WHERE instance = $1 AND name <> $2) < $6
            ON CONFLICT (instance, name) DO UPDATE
            SET data = excluded.data, every_ms = excluded.every_ms,
                due_ms = CASE WHEN $4 IS NULL AND schedule.every_ms = excluded.every_ms
                              THEN schedule.due_ms ELSE excluded.due_ms END,
                not_before_ms = CASE WHEN $4 IS NULL AND schedule.every_ms = excluded.every_ms
                                     THEN schedule.not_before_ms ELSE excluded.not_before_ms END,
                failures = CASE WHEN $4 IS NULL AND schedule.every_ms = excluded.every_ms
                                THEN schedule.failures ELSE 0 END
            RETURNING instance, name, every_ms, due_ms, data, failures, last_error";
        let row: Result<Option<Row>, _> = on!(&self.store.pools, pool => sqlx::query_as(SQL)
            .bind(text(instance))
            .bind(text(new.name))
            .bind(new.every_ms)
            .bind(new.at_ms)
            .bind(new.data)
            .bind(i64::from(most))
            .fetch_optional(pool)
            .await);
        Ok(self.told("set a schedule", row)?.map(Schedule::from))
    }

    /// False: there is none of that name.
    pub async fn delete(self, instance: &str, name: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM schedule WHERE instance = $1 AND name = $2";
        let deleted = on!(&self.store.pools, pool => sqlx::query(SQL)
            .bind(text(instance))
            .bind(text(name))
            .execute(pool)
            .await
            .map(|done| done.rows_affected() > 0));
        self.told("delete a schedule", deleted)
    }

    /// Those of an instance, by name.
    pub async fn list(self, instance: &str) -> Result<Vec<Schedule>, StoreError> {
        const SQL: &str = "
            SELECT instance, name, every_ms, due_ms, data, failures, last_error FROM schedule
            WHERE instance = $1 ORDER BY name";
        let rows: Result<Vec<Row>, _> = on!(&self.store.pools, pool => {
            sqlx::query_as(SQL).bind(text(instance)).fetch_all(pool).await
        });
        let rows = self.told("list the schedules of an instance", rows)?;
        Ok(rows.into_iter().map(Schedule::from).collect())
    }
}
