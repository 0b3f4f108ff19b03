//! What is over the bound of a notifier is given up, the oldest first.

use outboard_store::outbox::{Place, State};

use super::*;
use crate::harness::{Database, on_both_databases};

fn place(notifier: &str, seq: i64) -> Place {
    Place { notifier: notifier.to_owned(), seq }
}

on_both_databases! {
    async fn over_the_count_the_oldest_of_that_notifier_dies(database: Database) {
        let store = database.open().await;
        let bounds = Bounds { pending: 3, ..WIDE };
        let events = (1..=3).map(|n| event(&n.to_string(), &["mail", "slack"])).collect();
        assert_eq!(accept(&store, events, bounds).await.died, []);
        let written = accept(&store, vec![event("4", &["slack"]), event("5", &["slack"])], bounds).await;
        assert_eq!(written.died, [place("slack", 1), place("slack", 2)]);
        assert_eq!(pending_seqs(&store, "slack").await, [3, 4, 5]);
        assert_eq!(pending_seqs(&store, "mail").await, [1, 2, 3]);
        assert_eq!(counts(&store, "slack").await, (3, 30, 2));
        let delivery = shown(&store, "1").await.deliveries.remove(1);
        assert_eq!((delivery.state, delivery.attempts), (State::Dead, 0));
        assert!(delivery.error.unwrap().contains("events.pending"));
    }

    async fn over_the_bytes_too(database: Database) {
        let store = database.open().await;
        let bounds = Bounds { pending_bytes: 35, ..WIDE };
        let events = (1..=3).map(|n| event(&n.to_string(), &["slack"])).collect();
        assert_eq!(accept(&store, events, bounds).await.died, []);
        let mut large = event("4", &["slack"]);
        large.body = "x".repeat(20);
        let written = accept(&store, vec![large], bounds).await;
        assert_eq!(written.died, [place("slack", 1), place("slack", 2)]);
        assert_eq!(counts(&store, "slack").await, (2, 30, 2));
    }

    async fn an_event_over_the_bound_by_itself_dies_at_once(database: Database) {
        let store = database.open().await;
        let bounds = Bounds { pending_bytes: 9, ..WIDE };
        let written = accept(&store, vec![event("1", &["slack"])], bounds).await;
        assert_eq!(written.died, [place("slack", 1)]);
        assert_eq!(counts(&store, "slack").await, (0, 0, 1));
        assert_eq!(store.outbox().bytes().await.unwrap(), 10);
    }

    async fn a_bound_that_was_lowered_is_kept_with_the_next_event(database: Database) {
        let store = database.open().await;
        let events = (1..=700).map(|n| event(&n.to_string(), &["slack"])).collect();
        accept(&store, events, WIDE).await;
        let bounds = Bounds { pending: 10, ..WIDE };
        let written = accept(&store, vec![event("701", &["slack"])], bounds).await;
        let died: Vec<i64> = written.died.iter().map(|place| place.seq).collect();
        assert_eq!(died.len(), 691);
        assert_eq!(pending_seqs(&store, "slack").await, (692..=701).collect::<Vec<_>>());
        assert_eq!(counts(&store, "slack").await, (10, 100, 691));
    }
}
