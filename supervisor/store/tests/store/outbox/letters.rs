//! Dead letters: listed, replayed, dropped.

use outboard_store::outbox::{Outcome, Selection, State};

use super::*;
use crate::harness::{Database, on_both_databases};

/// Events 1 to `count` of ten bytes, dead for these notifiers.
async fn kill(store: &Store, count: i64, notifiers: &[&str]) {
    let events = (1..=count).map(|n| event(&n.to_string(), notifiers)).collect();
    accept(store, events, WIDE).await;
    let settle = (1..=count).flat_map(|seq| {
        notifiers.iter().map(move |notifier| Settle {
            notifier: Arc::from(*notifier),
            seq,
            outcome: dead(),
        })
    });
    write(store, Group { now_ms: NOW, accept: Vec::new(), settle: settle.collect() }, WIDE).await;
}

async fn places(
    store: &Store,
    notifier: Option<&str>,
    after: i64,
    window: Window,
) -> Vec<(i64, String)> {
    let letters = store.outbox().dead(notifier, after, window).await.unwrap();
    letters.into_iter().map(|letter| (letter.event.seq, letter.delivery.notifier)).collect()
}

fn all_of(notifier: &str) -> Selection {
    Selection::AllOf { notifier: notifier.to_owned() }
}

on_both_databases! {
    async fn a_dead_letter_has_the_whole_event_and_the_reason(database: Database) {
        let store = database.open().await;
        kill(&store, 1, &["slack"]).await;
        let letter = store.outbox().dead(None, 0, ALL).await.unwrap().remove(0);
        assert_eq!(letter.event.body.as_deref(), Some("0123456789"));
        assert_eq!((letter.event.event_id.as_str(), letter.event.kind.as_str()), ("1", "test"));
        let delivery = letter.delivery;
        assert_eq!((delivery.delivery_id.as_str(), delivery.state), ("1-slack", State::Dead));
        assert_eq!((delivery.error.as_deref(), delivery.attempts), (Some("refused"), 1));
        assert!(pending_seqs(&store, "slack").await.is_empty());
        assert_eq!(counts(&store, "slack").await, (0, 0, 1));
    }

    async fn pages_follow_each_other_without_a_gap(database: Database) {
        let store = database.open().await;
        kill(&store, 25, &["mail", "slack"]).await;
        for (notifier, rows, bytes) in [
            (None, 7, 1 << 30),
            (None, 1, 1 << 30),
            (None, 100, 35),
            (None, 100, 0),
            (Some("slack"), 4, 1 << 30),
            (Some("slack"), 4, 25),
        ] {
            let (mut read, mut after) = (Vec::new(), 0);
            loop {
                let page = places(&store, notifier, after, Window { rows, bytes }).await;
                let Some((last, _)) = page.last() else { break };
                assert!(page.len() <= (rows as usize).max(2), "{page:?}");
                after = *last;
                read.extend(page);
            }
            let names: &[&str] = if notifier.is_some() { &["slack"] } else { &["mail", "slack"] };
            let expected: Vec<_> = (1..=25)
                .flat_map(|seq| names.iter().map(move |name| (seq, (*name).to_owned())))
                .collect();
            assert_eq!(read, expected, "{notifier:?} {rows} {bytes}");
        }
        assert_eq!(places(&store, Some("nobody"), 0, ALL).await, []);
    }

    async fn replayed_ones_wait_outside_the_order_and_begin_anew(database: Database) {
        let store = database.open().await;
        kill(&store, 3, &["mail", "slack"]).await;
        accept(&store, vec![event("4", &["slack"])], WIDE).await;
        let selection = Selection::Ids(ids(&["2-slack", "3-mail", "4-slack", "no", "'; --", "\0"]));
        let changed = store.outbox().replay(&selection, NOW + 100).await.unwrap();
        assert_eq!(changed.count, 2);
        assert_eq!(changed.notifiers.iter().collect::<Vec<_>>(), ["mail", "slack"]);
        assert_eq!(pending_seqs(&store, "slack").await, [4]);
        let replayed = store.outbox().pending("slack", Line::Replayed, 0, ALL).await.unwrap();
        assert_eq!(replayed.len(), 1);
        let (delivery_id, attempts) = (replayed[0].delivery_id.as_str(), replayed[0].attempts);
        assert_eq!((replayed[0].seq, delivery_id, attempts), (2, "2-slack", 0));
        assert_eq!((replayed[0].accepted_ms, replayed[0].replayed), (NOW + 100, true));
        assert_eq!(counts(&store, "slack").await, (2, 20, 2));
        settle(&store, "slack", 2, Outcome::Delivered).await;
        let delivery = shown(&store, "2").await.deliveries.remove(1);
        assert_eq!((delivery.state, delivery.replayed), (State::Delivered, true));
        assert_eq!(counts(&store, "slack").await, (1, 10, 2));
    }

    async fn all_of_one_notifier_are_replayed_and_nothing_else(database: Database) {
        let store = database.open().await;
        kill(&store, 1100, &["mail", "slack"]).await;
        let changed = store.outbox().replay(&all_of("slack"), NOW).await.unwrap();
        assert_eq!((changed.count, changed.notifiers.len()), (1100, 1));
        assert_eq!(counts(&store, "slack").await, (1100, 11_000, 0));
        assert_eq!(counts(&store, "mail").await, (0, 0, 1100));
        assert_eq!(store.outbox().replay(&all_of("slack"), NOW).await.unwrap().count, 0);
        assert_eq!(store.outbox().replay(&all_of("sla\0ck"), NOW).await.unwrap().count, 0);
    }

    async fn dropped_ones_are_gone_and_so_are_bodies_that_nobody_needs(database: Database) {
        let store = database.open().await;
        kill(&store, 3, &["mail", "slack"]).await;
        let selection = Selection::IdsOf { notifier: "slack".to_owned(), ids: ids(&["1-slack", "1-mail"]) };
        assert_eq!(store.outbox().drop_dead(&selection, NOW).await.unwrap().count, 1);
        assert_eq!(shown(&store, "1").await.deliveries.len(), 1);
        assert_eq!(store.outbox().bytes().await.unwrap(), 30);
        assert_eq!(store.outbox().drop_dead(&all_of("mail"), NOW).await.unwrap().count, 3);
        assert_eq!(store.outbox().bytes().await.unwrap(), 20);
        assert_eq!(shown(&store, "1").await.event.body, None);
        assert_eq!(places(&store, None, 0, ALL).await, [(2, "slack".to_owned()), (3, "slack".to_owned())]);
        assert_eq!((counts(&store, "slack").await, counts(&store, "mail").await), ((0, 0, 2), (0, 0, 0)));
    }

    async fn a_delivery_that_waits_is_neither_replayed_nor_dropped(database: Database) {
        let store = database.open().await;
        accept(&store, vec![event("1", &["slack"])], WIDE).await;
        for selection in [all_of("slack"), Selection::Ids(ids(&["1-slack"])), Selection::Ids(Vec::new())] {
            assert_eq!(store.outbox().replay(&selection, NOW).await.unwrap().count, 0);
            assert_eq!(store.outbox().drop_dead(&selection, NOW).await.unwrap().count, 0);
        }
        assert_eq!(pending_seqs(&store, "slack").await, [1]);
    }
}
