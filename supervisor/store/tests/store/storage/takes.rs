//! Taking: once, and never again.

use outboard_store::storage::Taken;

use super::*;
use crate::harness::{Database, on_both_databases};

async fn take(store: &Store, key: &str) -> Taken {
    store.storage().take("otp", key).await.unwrap()
}

on_both_databases! {
    async fn an_entry_is_taken_once_and_remembered_as_taken(database: Database) {
        let store = database.open().await;
        assert_eq!(take(&store, "code").await, Taken::Missing);
        let tags = vec![tag("user", "1")];
        done(&store, Operation::Put(Put { tags, expires_in: Some(LONG), ..put("code", "ada") })).await;
        let stored = get(&store, "code").await.unwrap();
        assert_eq!(store.storage().take("mail", "code").await.unwrap(), Taken::Missing);
        assert_eq!(take(&store, "code").await, Taken::Now(stored.clone()));
        let again = take(&store, "code").await;
        let Taken::Before { entry, taken_ms } = &again else { panic!("{again:?}") };
        assert_eq!(*entry, stored);
        let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap();
        assert!((now - taken_ms).abs() < 60_000);
        assert_eq!(take(&store, "code").await, again, "the time of the first stays");
    }

    async fn what_was_taken_is_there_for_nobody_but_who_takes_or_removes_it(database: Database) {
        let store = database.open().await;
        let tagged = Put { tags: vec![tag("user", "1")], ..put("code", "1") };
        done(&store, Operation::Put(tagged.clone())).await;
        take(&store, "code").await;
        assert_eq!(get(&store, "code").await, None);
        let slice = outboard_store::storage::Slice { after: "", limit: 9, bytes: 1 << 20 };
        assert!(store.storage().list("otp", "", slice).await.unwrap().entries.is_empty());
        let page = store.storage().list_by_tag("otp", &tag("user", "1"), slice).await.unwrap();
        assert!(page.entries.is_empty());
        for refused in [
            put_if("code", "x", Condition::Absent),
            put_if("code", "x", Condition::Present),
            Operation::Increment(outboard_store::storage::Increment {
                key: "code".into(), by: 1, expires_in: None, tags: Vec::new(),
            }),
        ] {
            assert!(matches!(change(&store, &[refused]).await, Changed::Conflict { .. }));
        }
        assert_eq!(store.storage().delete_by_tag("otp", &tag("user", "1")).await.unwrap(), 1);
        assert_eq!(take(&store, "code").await, Taken::Missing);
        done(&store, Operation::Put(tagged)).await;
        take(&store, "code").await;
        done(&store, Operation::Put(put("code", "2"))).await;
        assert!(matches!(take(&store, "code").await, Taken::Now(_)), "it was written anew");
    }

    async fn what_has_ended_is_taken_by_nobody(database: Database) {
        let store = database.open().await;
        put_ended(&store, "code", "1").await;
        assert_eq!(take(&store, "code").await, Taken::Missing);
    }

    async fn of_a_hundred_takes_one_wins(database: Database) {
        let store = database.open().await;
        let other = database.open().await;
        for round in 0..3 {
            let key = format!("code{round}");
            done(&store, Operation::Put(put(&key, "ada"))).await;
            let taking: Vec<_> = (0..100)
                .map(|n| {
                    let store = if n % 2 == 0 { store.clone() } else { other.clone() };
                    let key = key.clone();
                    tokio::spawn(async move { take(&store, &key).await })
                })
                .collect();
            let (mut now, mut before) = (0, 0);
            for taken in taking {
                match taken.await.unwrap() {
                    Taken::Now(entry) => now += usize::from(entry.value == b"ada"),
                    Taken::Before { entry, .. } => before += usize::from(entry.value == b"ada"),
                    Taken::Missing => panic!("it was there"),
                }
            }
            assert_eq!((now, before), (1, 99));
        }
    }
}
