//! Writing: conditions, ends, numbers, several at once, bounds.

use outboard_store::storage::Increment;

use super::*;
use crate::AWKWARD;
use crate::harness::{Database, on_both_databases};

fn increment(key: &str, by: i64) -> Operation {
    Operation::Increment(Increment { key: key.to_owned(), by, expires_in: None, tags: Vec::new() })
}

fn conflict(operation: usize, version: u64) -> Changed {
    Changed::Conflict { operation, version }
}

on_both_databases! {
    async fn what_is_written_is_read_back_whole_by_its_instance_alone(database: Database) {
        let store = database.open().await;
        let tags = vec![tag("user", "2"), tag("client", "x"), tag("user", "1"), tag("user", "2")];
        let value = b"\0\xff\x80".to_vec();
        let written = Put { value: value.clone(), tags, expires_in: Some(LONG), ..put("k", "") };
        let version = done(&store, Operation::Put(written)).await.version;
        let entry = get(&store, "k").await.unwrap();
        assert_eq!((entry.key.as_str(), &entry.value, entry.version), ("k", &value, version));
        assert_eq!(entry.tags, [tag("client", "x"), tag("user", "1"), tag("user", "2")]);
        let end = entry.expires_ms.unwrap();
        let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap();
        assert!((end - now - 3_600_000).abs() < 60_000, "{end}");
        assert_eq!(store.storage().get("mail", "k").await.unwrap(), None);
        assert_eq!(get(&store, "K").await, None);
        store.close().await;
        let again = database.open().await;
        assert_eq!(get(&again, "k").await, Some(entry));
    }

    async fn versions_grow_and_are_never_used_again(database: Database) {
        let store = database.open().await;
        let mut last = 0;
        for operation in [
            Operation::Put(put("a", "1")),
            Operation::Put(put("a", "2")),
            Operation::Put(put("b", "1")),
            increment("n", 1),
        ] {
            let version = done(&store, operation).await.version;
            assert!(version > last, "{version} after {last}");
            last = version;
        }
        assert!(done(&store, delete("a")).await.existed);
        assert!(!done(&store, delete("a")).await.existed);
        assert!(done(&store, Operation::Put(put("a", "3"))).await.version > last);
    }

    async fn a_condition_holds_or_nothing_is_done(database: Database) {
        let store = database.open().await;
        let absent = || put_if("k", "first", Condition::Absent);
        for condition in [Condition::Present, Condition::Version(1)] {
            assert_eq!(change(&store, &[put_if("k", "x", condition)]).await, conflict(0, 0));
        }
        let first = done(&store, absent()).await.version;
        assert_eq!(change(&store, &[absent()]).await, conflict(0, first));
        let second = done(&store, put_if("k", "second", Condition::Version(first))).await.version;
        let late = put_if("k", "late", Condition::Version(first));
        assert_eq!(change(&store, &[late]).await, conflict(0, second));
        let delete_if =
            |version| Operation::Delete { key: "k".into(), condition: Some(Condition::Version(version)) };
        assert_eq!(change(&store, &[delete_if(first)]).await, conflict(0, second));
        assert_eq!(value(&store, "k").await, "second");
        assert!(done(&store, delete_if(second)).await.existed);
        assert_eq!(change(&store, &[delete_if(second)]).await, conflict(0, 0));
    }

    async fn what_has_ended_is_not_there_and_may_be_written_anew(database: Database) {
        let store = database.open().await;
        put_ended(&store, "k", "old").await;
        put_ended(&store, "n", "41").await;
        let check = Operation::Check { key: "k".into(), condition: Condition::Present };
        assert_eq!(change(&store, &[check]).await, conflict(0, 0));
        assert!(!done(&store, delete("gone")).await.existed);
        assert_eq!(done(&store, increment("n", 1)).await.value, 1);
        done(&store, put_if("k", "new", Condition::Absent)).await;
        let entry = get(&store, "k").await.unwrap();
        assert_eq!((entry.value.as_slice(), entry.expires_ms), (&b"new"[..], None));
    }

    async fn a_number_keeps_its_end_and_is_no_other_thing(database: Database) {
        let store = database.open().await;
        let begin = Increment { key: "n".into(), by: 5, expires_in: Some(LONG), tags: vec![tag("user", "1")] };
        assert_eq!(done(&store, Operation::Increment(begin)).await.value, 5);
        let end = get(&store, "n").await.unwrap().expires_ms;
        assert!(end.is_some());
        assert_eq!(done(&store, increment("n", -105)).await.value, -100);
        let entry = get(&store, "n").await.unwrap();
        assert_eq!((entry.value.as_slice(), entry.expires_ms), (&b"-100"[..], end));
        assert_eq!(entry.tags, [tag("user", "1")]);
        done(&store, Operation::Put(put("text", "1x"))).await;
        done(&store, Operation::Put(put("most", &i64::MAX.to_string()))).await;
        for key in ["text", "most"] {
            let before = value(&store, key).await;
            assert!(matches!(change(&store, &[increment(key, 1)]).await, Changed::Conflict { .. }));
            assert_eq!(value(&store, key).await, before);
        }
    }

    async fn of_many_who_add_to_a_number_none_is_lost(database: Database) {
        let store = database.open().await;
        let other = database.open().await;
        let adding: Vec<_> = (0..40)
            .map(|n| {
                let store = if n % 2 == 0 { store.clone() } else { other.clone() };
                tokio::spawn(async move { done(&store, increment("n", 1)).await.value })
            })
            .collect();
        let mut sums = Vec::new();
        for added in adding {
            sums.push(added.await.unwrap());
        }
        sums.sort_unstable();
        assert_eq!(sums, (1..=40).collect::<Vec<i64>>());
    }

    async fn several_changes_are_made_together_or_not_at_all(database: Database) {
        let store = database.open().await;
        done(&store, Operation::Put(put("a", "1"))).await;
        let together = [
            Operation::Put(put("b", "1")),
            delete("a"),
            increment("n", 3),
            increment("n", 4),
            put_if("a", "2", Condition::Absent),
            Operation::Check { key: "b".into(), condition: Condition::Present },
        ];
        let Changed::Done(results) = change(&store, &together).await else { panic!("refused") };
        assert!(results[1].existed);
        assert_eq!((results[2].value, results[3].value), (3, 7));
        assert_eq!(value(&store, "a").await, "2");
        let refused = [
            Operation::Put(put("a", "3")),
            increment("n", 1),
            delete("b"),
            put_if("b", "x", Condition::Present),
            Operation::Put(put("c", "1")),
        ];
        assert_eq!(change(&store, &refused).await, conflict(3, 0));
        let values = [value(&store, "a").await, value(&store, "n").await, value(&store, "b").await];
        assert_eq!(values, ["2", "7", "1"]);
        assert_eq!(value(&store, "c").await, "-");
    }

    async fn of_many_who_write_what_they_have_read_one_wins_each_time(database: Database) {
        let store = database.open().await;
        let version = done(&store, Operation::Put(put("k", "0"))).await.version;
        let writing: Vec<_> = (0..20)
            .map(|n: i32| {
                let store = store.clone();
                let write = put_if("k", &n.to_string(), Condition::Version(version));
                tokio::spawn(async move { change(&store, &[write]).await })
            })
            .collect();
        let mut winners = 0;
        for written in writing {
            winners += usize::from(matches!(written.await.unwrap(), Changed::Done(_)));
        }
        assert_eq!(winners, 1);
    }

    async fn a_full_space_takes_no_more_but_what_makes_room(database: Database) {
        let store = database.open().await;
        let write = async |put: Put| store.storage().change("otp", &[Operation::Put(put)], 100).await.unwrap();
        let is_done = |changed: &Changed| matches!(changed, Changed::Done(_));
        assert!(is_done(&write(put("k", &"x".repeat(80))).await));
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 81);
        assert_eq!(write(put("l", &"x".repeat(30))).await, Changed::Full);
        assert_eq!(value(&store, "l").await, "-");
        // Another instance has a space of its own.
        let other = store.storage().change("mail", &[Operation::Put(put("k", &"x".repeat(80)))], 100).await;
        assert!(is_done(&other.unwrap()));
        assert!(is_done(&write(put("k", &"x".repeat(60))).await));
        assert!(is_done(&write(put("l", &"x".repeat(30))).await));
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 92);
        // Over the bound since it was lowered: smaller is never too much.
        let smaller = Operation::Put(put("k", &"x".repeat(59)));
        assert!(is_done(&store.storage().change("otp", &[smaller], 10).await.unwrap()));
        done(&store, delete("k")).await;
        done(&store, delete("l")).await;
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 0);
    }

    async fn what_has_ended_makes_room_when_it_is_needed(database: Database) {
        let store = database.open().await;
        for n in 0..3 {
            put_ended(&store, &n.to_string(), &"x".repeat(30)).await;
        }
        let new = Operation::Put(put("k", &"x".repeat(80)));
        let changed = store.storage().change("otp", &[new], 100).await.unwrap();
        assert!(matches!(changed, Changed::Done(_)), "{changed:?}");
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 81);
    }

    async fn what_has_ended_is_removed_without_being_asked_for(database: Database) {
        let store = database.open().await;
        for key in ["a", "b"] {
            put_ended(&store, key, "old").await;
        }
        done(&store, Operation::Put(put("c", "1"))).await;
        let locks = store.locks();
        locks.acquire("otp", "ended", Duration::ZERO).await.unwrap().unwrap();
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 10);
        while store.storage().purge().await.unwrap() {}
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 2);
        assert_eq!(value(&store, "c").await, "1");
    }

    async fn any_text_is_a_key_and_a_tag(database: Database) {
        let store = database.open().await;
        for awkward in AWKWARD {
            let tags = vec![tag(awkward, awkward)];
            done(&store, Operation::Put(Put { tags, ..put(awkward, awkward) })).await;
        }
        for awkward in AWKWARD {
            assert_eq!(value(&store, awkward).await, awkward);
            let tagged = store.storage().delete_by_tag("otp", &tag(awkward, awkward)).await.unwrap();
            assert_eq!(tagged, 1, "{awkward:?}");
        }
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 0);
    }

    async fn everything_goes_with_the_instance(database: Database) {
        let store = database.open().await;
        let parameters = outboard_store::Parameters::default();
        let new = outboard_store::NewInstance {
            plugin: "otp",
            name: "otp",
            display_name: "",
            parameters: &parameters,
            enabled: true,
            kind: outboard_core::identity::kind::InstanceKind::Scheme,
            rank: 0,
            readonly: false,
        };
        store.instances().insert(new).await.unwrap();
        done(&store, Operation::Put(Put { tags: vec![tag("user", "1")], ..put("k", "v") })).await;
        let other = [Operation::Put(put("k", "v"))];
        store.storage().change("mail", &other, QUOTA).await.unwrap();
        store.locks().acquire("otp", "l", LONG).await.unwrap().unwrap();
        let schedule = outboard_store::storage::NewSchedule {
            name: "s",
            every_ms: Some(1000),
            at_ms: None,
            data: b"",
        };
        store.schedules().set("otp", schedule, 9).await.unwrap().unwrap();
        store.instances().delete("otp").await.unwrap();
        assert_eq!(get(&store, "k").await, None);
        assert_eq!(store.storage().bytes("otp").await.unwrap(), 0);
        assert!(store.schedules().list("otp").await.unwrap().is_empty());
        assert!(store.locks().acquire("otp", "l", LONG).await.unwrap().is_some());
        assert!(store.storage().get("mail", "k").await.unwrap().is_some());
    }
}
