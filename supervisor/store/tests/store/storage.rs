//! What instances keep, the same on both databases.

mod changes;
mod lists;
mod locks;
mod schedules;
mod takes;

use std::time::Duration;

use outboard_store::Store;
use outboard_store::storage::{Changed, Condition, Done, Entry, Operation, Put, Tag};

const QUOTA: u64 = 1 << 26;
/// Longer than any test.
const LONG: Duration = Duration::from_hours(1);

fn put(key: &str, value: &str) -> Put {
    Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        condition: None,
        expires_in: None,
        tags: Vec::new(),
    }
}

fn put_if(key: &str, value: &str, condition: Condition) -> Operation {
    Operation::Put(Put { condition: Some(condition), ..put(key, value) })
}

fn delete(key: &str) -> Operation {
    Operation::Delete { key: key.to_owned(), condition: None }
}

fn tag(name: &str, value: &str) -> Tag {
    Tag { name: name.to_owned(), value: value.to_owned() }
}

async fn change(store: &Store, operations: &[Operation]) -> Changed {
    store.storage().change("otp", operations, QUOTA).await.unwrap()
}

async fn done(store: &Store, operation: Operation) -> Done {
    match change(store, &[operation]).await {
        Changed::Done(done) => done[0],
        other => panic!("{other:?}"),
    }
}

async fn get(store: &Store, key: &str) -> Option<Entry> {
    store.storage().get("otp", key).await.unwrap()
}

/// The value as text; "-" where there is none.
async fn value(store: &Store, key: &str) -> String {
    let entry = get(store, key).await;
    entry.map_or("-".to_owned(), |entry| String::from_utf8(entry.value).unwrap())
}

/// An end that has come when this returns.
async fn put_ended(store: &Store, key: &str, value: &str) {
    let short = Put { expires_in: Some(Duration::from_millis(1)), ..put(key, value) };
    done(store, Operation::Put(short)).await;
    let start = std::time::Instant::now();
    while get(store, key).await.is_some() {
        assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        tokio::task::yield_now().await;
    }
}
