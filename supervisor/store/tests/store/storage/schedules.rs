//! Schedules.

use outboard_store::storage::{NewSchedule, Schedule};

use super::*;
use crate::harness::{Database, on_both_databases};

/// Due at once, and again each hour.
const HOURLY: NewSchedule<'static> =
    NewSchedule { name: "s", every_ms: Some(3_600_000), at_ms: Some(1000), data: b"\0d" };
const ONCE: NewSchedule<'static> = NewSchedule { every_ms: None, ..HOURLY };

async fn set(store: &Store, new: NewSchedule<'_>) -> Schedule {
    store.schedules().set("otp", new, 10).await.unwrap().unwrap()
}

async fn due(store: &Store) -> Vec<Schedule> {
    store.schedules().due("otp", 100).await.unwrap()
}

async fn claim(store: &Store, schedule: &Schedule, holder: &str) -> bool {
    store.schedules().claim(schedule, holder, LONG).await.unwrap()
}

on_both_databases! {
    async fn one_that_is_due_is_called_by_one_of_many(database: Database) {
        let (one, two) = (database.open().await, database.open().await);
        set(&one, HOURLY).await;
        assert_eq!(two.schedules().due_instances().await.unwrap(), ["otp"]);
        let found = due(&two).await.remove(0);
        assert_eq!((found.instance.as_str(), found.name.as_str(), found.due_ms), ("otp", "s", 1000));
        assert_eq!((found.data.as_slice(), found.failures), (&b"\0d"[..], 0));
        let claiming: Vec<_> = (0..20)
            .map(|n| {
                let (store, found) = (if n % 2 == 0 { one.clone() } else { two.clone() }, found.clone());
                tokio::spawn(async move { claim(&store, &found, &n.to_string()).await })
            })
            .collect();
        let mut claimed = 0;
        for claim in claiming {
            claimed += usize::from(claim.await.unwrap());
        }
        assert_eq!(claimed, 1);
        assert!(due(&one).await.is_empty());
        assert!(one.schedules().due_instances().await.unwrap().is_empty());
        assert!(one.schedules().next_in().await.unwrap().unwrap() > LONG / 2);
    }

    async fn one_that_goes_off_again_is_due_at_the_next_multiple_that_is_to_come(database: Database) {
        let store = database.open().await;
        let schedule = set(&store, HOURLY).await;
        assert!(claim(&store, &schedule, "one").await);
        store.schedules().done(&schedule, "two").await.unwrap();
        assert_eq!(store.schedules().list("otp").await.unwrap()[0].due_ms, 1000, "not by another");
        store.schedules().done(&schedule, "one").await.unwrap();
        let next = store.schedules().list("otp").await.unwrap().remove(0);
        let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap();
        assert_eq!((next.due_ms - 1000) % 3_600_000, 0);
        assert!(next.due_ms > now - 60_000 && next.due_ms <= now + 3_660_000, "{}", next.due_ms);
        assert!(due(&store).await.is_empty());
        let left = store.schedules().next_in().await.unwrap().unwrap();
        assert!(left <= LONG);
    }

    async fn one_that_goes_off_once_is_gone_then(database: Database) {
        let store = database.open().await;
        let schedule = set(&store, ONCE).await;
        assert!(claim(&store, &schedule, "one").await);
        store.schedules().done(&schedule, "one").await.unwrap();
        assert!(store.schedules().list("otp").await.unwrap().is_empty());
        assert_eq!(store.schedules().next_in().await.unwrap(), None);
    }

    async fn one_that_failed_waits_and_comes_again_for_the_same_time(database: Database) {
        let store = database.open().await;
        let schedule = set(&store, ONCE).await;
        assert!(claim(&store, &schedule, "one").await);
        store.schedules().failed(&schedule, "one", "it was\0down", Duration::ZERO).await.unwrap();
        let again = due(&store).await.remove(0);
        assert_eq!((again.failures, again.due_ms), (1, 1000));
        assert_eq!(again.last_error.as_deref(), Some("it was\u{fffd}down"));
        assert!(claim(&store, &again, "two").await);
        store.schedules().failed(&again, "two", "still", LONG).await.unwrap();
        assert!(due(&store).await.is_empty());
        assert!(!claim(&store, &again, "two").await, "its time has not come");
    }

    async fn one_whose_holder_is_gone_is_anybodys(database: Database) {
        let store = database.open().await;
        let schedule = set(&store, HOURLY).await;
        assert!(store.schedules().claim(&schedule, "one", Duration::ZERO).await.unwrap());
        assert!(claim(&store, &schedule, "two").await);
        store.schedules().release(&schedule, "one").await.unwrap();
        assert!(!claim(&store, &schedule, "three").await);
        store.schedules().release(&schedule, "two").await.unwrap();
        assert!(claim(&store, &schedule, "three").await);
    }

    async fn one_that_is_set_again_keeps_its_time_unless_that_is_changed(database: Database) {
        let store = database.open().await;
        set(&store, HOURLY).await;
        let same = set(&store, NewSchedule { at_ms: None, data: b"new", ..HOURLY }).await;
        assert_eq!((same.due_ms, same.data.as_slice()), (1000, &b"new"[..]));
        let moved = set(&store, NewSchedule { at_ms: Some(2000), ..HOURLY }).await;
        assert_eq!(moved.due_ms, 2000);
        assert!(claim(&store, &moved, "one").await);
        let other = set(&store, NewSchedule { at_ms: None, every_ms: Some(7_200_000), ..HOURLY }).await;
        assert!(other.due_ms > 1_700_000_000_000);
        // What was called for was due at another time, and changes nothing any more.
        store.schedules().done(&moved, "one").await.unwrap();
        assert_eq!(store.schedules().list("otp").await.unwrap()[0].due_ms, other.due_ms);
        assert!(store.schedules().delete("otp", "s").await.unwrap());
        assert!(!store.schedules().delete("otp", "s").await.unwrap());
    }

    async fn there_is_a_bound_for_each_instance(database: Database) {
        let store = database.open().await;
        for name in ["a", "b"] {
            assert!(store.schedules().set("otp", NewSchedule { name, ..HOURLY }, 2).await.unwrap().is_some());
        }
        assert!(store.schedules().set("otp", NewSchedule { name: "c", ..HOURLY }, 2).await.unwrap().is_none());
        assert!(store.schedules().set("otp", NewSchedule { name: "b", ..ONCE }, 2).await.unwrap().is_some());
        assert!(store.schedules().set("mail", NewSchedule { name: "c", ..HOURLY }, 2).await.unwrap().is_some());
        let names: Vec<_> = store.schedules().list("otp").await.unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
