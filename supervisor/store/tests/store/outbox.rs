//! The outbox, the same on both databases.

mod bounds;
mod history;
mod lease;
mod letters;
mod reading;
mod upkeep;
mod writing;

use std::sync::Arc;

use outboard_store::Store;
use outboard_store::outbox::{
    Accept, Accepted, Bounds, Group, Line, NewDelivery, NewEvent, Outcome, Pending, Receipt,
    Settle, Shown, Window, Written,
};

/// When the tests happen.
pub(crate) const NOW: i64 = 1_800_000_000_000;

pub(crate) const WIDE: Bounds =
    Bounds { max_bytes: 1 << 30, pending: 1_000_000, pending_bytes: 1 << 29 };
pub(crate) const ALL: Window = Window { rows: 10_000, bytes: 1 << 30 };

/// An event of ten bytes for these notifiers.
pub(crate) fn event(id: &str, notifiers: &[&str]) -> NewEvent {
    NewEvent {
        source: "/tests".to_owned(),
        event_id: id.to_owned(),
        kind: "test".to_owned(),
        key: None,
        body: "0123456789".to_owned(),
        deliveries: notifiers.iter().map(|notifier| delivery(id, notifier)).collect(),
    }
}

pub(crate) fn delivery(id: &str, notifier: &str) -> NewDelivery {
    NewDelivery { notifier: Arc::from(notifier), delivery_id: format!("{id}-{notifier}") }
}

pub(crate) async fn write(store: &Store, group: Group, bounds: Bounds) -> Written {
    store.outbox().write(&group, &bounds).await.unwrap()
}

/// Each event by itself: one goes in whether or not another does.
pub(crate) async fn accept(store: &Store, events: Vec<NewEvent>, bounds: Bounds) -> Written {
    let accept = events.into_iter().map(|event| Accept { events: vec![event] }).collect();
    write(store, Group { now_ms: NOW, accept, settle: Vec::new() }, bounds).await
}

pub(crate) async fn settle(store: &Store, notifier: &str, seq: i64, outcome: Outcome) -> Written {
    let settle = vec![Settle { notifier: Arc::from(notifier), seq, outcome }];
    write(store, Group { now_ms: NOW + 5, accept: Vec::new(), settle }, WIDE).await
}

pub(crate) fn again(not_before_ms: i64) -> Outcome {
    Outcome::Again { not_before_ms, error: "busy".to_owned() }
}

pub(crate) fn dead() -> Outcome {
    Outcome::Dead { error: "refused".to_owned() }
}

/// Receipts of all that was stored, in order.
pub(crate) fn receipts(written: &Written) -> Vec<Receipt> {
    let receipts = written.accepted.iter().map(|accepted| match accepted {
        Accepted::Stored(receipts) => receipts.clone(),
        Accepted::Full => panic!("there was no room: {written:?}"),
    });
    receipts.flatten().collect()
}

pub(crate) async fn pending(store: &Store, notifier: &str) -> Vec<Pending> {
    store.outbox().pending(notifier, Line::Order, 0, ALL).await.unwrap()
}

pub(crate) async fn pending_seqs(store: &Store, notifier: &str) -> Vec<i64> {
    pending(store, notifier).await.iter().map(|pending| pending.seq).collect()
}

pub(crate) async fn shown(store: &Store, id: &str) -> Shown {
    store.outbox().show(id, None).await.unwrap().unwrap()
}

/// Pending, its bytes, and dead.
pub(crate) async fn counts(store: &Store, notifier: &str) -> (u64, u64, u64) {
    let queues = store.outbox().queues().await.unwrap().queues;
    let queue = queues.into_iter().find(|queue| queue.notifier == notifier).unwrap();
    (queue.pending, queue.pending_bytes, queue.dead)
}

pub(crate) fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
