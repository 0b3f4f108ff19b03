//! What is too old to wait is given up, and what is too old to be remembered is forgotten.

use outboard_store::outbox::{Place, Selection};

use super::*;
use crate::harness::{Database, on_both_databases};

async fn accept_at(store: &Store, now_ms: i64, ids: std::ops::Range<i64>, notifiers: &[&str]) {
    let accept = ids.map(|id| Accept { events: vec![event(&id.to_string(), notifiers)] }).collect();
    write(store, Group { now_ms, accept, settle: Vec::new() }, WIDE).await;
}

on_both_databases! {
    async fn what_waits_too_long_dies(database: Database) {
        let store = database.open().await;
        accept_at(&store, NOW, 1..700, &["mail", "slack"]).await;
        accept_at(&store, NOW + 10, 700..703, &["slack"]).await;
        assert_eq!(store.outbox().expire(NOW, NOW).await.unwrap(), []);
        settle(&store, "slack", 1, again(NOW * 2)).await;
        let expired = store.outbox().expire(NOW + 10, NOW + 20).await.unwrap();
        assert_eq!(expired.len(), 2 * 699);
        assert!(expired.contains(&Place { notifier: "slack".to_owned(), seq: 699 }));
        assert_eq!(pending_seqs(&store, "slack").await, [700, 701, 702]);
        assert_eq!(counts(&store, "slack").await, (3, 30, 699));
        assert_eq!(counts(&store, "mail").await, (0, 0, 699));
        let delivery = shown(&store, "1").await.deliveries.remove(1);
        assert_eq!((delivery.attempts, delivery.updated_ms), (1, NOW + 20));
        assert!(delivery.error.unwrap().contains("events.max_age"));
    }

    async fn a_replayed_one_waits_since_it_was_replayed(database: Database) {
        let store = database.open().await;
        accept_at(&store, NOW, 1..3, &["slack"]).await;
        accept_at(&store, NOW + 40, 3..4, &["slack"]).await;
        store.outbox().expire(NOW + 1, NOW + 1).await.unwrap();
        let all = Selection::AllOf { notifier: "slack".to_owned() };
        store.outbox().replay(&all, NOW + 30).await.unwrap();
        assert_eq!(store.outbox().expire(NOW + 30, NOW + 35).await.unwrap(), []);
        assert_eq!(store.outbox().expire(NOW + 31, NOW + 50).await.unwrap().len(), 2);
        assert_eq!(counts(&store, "slack").await, (1, 10, 2));
    }

    async fn only_what_nobody_needs_is_forgotten(database: Database) {
        let store = database.open().await;
        accept_at(&store, NOW, 1..1203, &["slack"]).await;
        accept_at(&store, NOW + 10, 1203..1205, &["slack"]).await;
        let settle = (1..1205).filter(|seq| ![3, 1000].contains(seq)).map(|seq| Settle {
            notifier: "slack".into(),
            seq,
            outcome: Outcome::Delivered,
        });
        let mut settle: Vec<Settle> = settle.collect();
        settle.push(Settle { notifier: "slack".into(), seq: 3, outcome: dead() });
        write(&store, Group { now_ms: NOW, accept: Vec::new(), settle }, WIDE).await;
        assert_eq!(store.outbox().purge(NOW).await.unwrap(), 0);
        assert_eq!(store.outbox().purge(NOW + 10).await.unwrap(), 1200);
        assert_eq!(store.outbox().purge(NOW + 10).await.unwrap(), 0);
        for (id, is_there) in [("1", false), ("3", true), ("1000", true), ("1202", false), ("1203", true)] {
            let found = store.outbox().show(id, None).await.unwrap().is_some();
            assert_eq!(found, is_there, "{id}");
        }
        assert_eq!(counts(&store, "slack").await, (1, 10, 1));
        // A repeat of what is forgotten is new, and gets a number of its own.
        let written = accept(&store, vec![event("1", &["slack"]), event("3", &["slack"])], WIDE).await;
        let receipts = receipts(&written);
        assert_eq!((receipts[0].seq, receipts[0].repeated, receipts[1].repeated), (1205, false, true));
    }
}
