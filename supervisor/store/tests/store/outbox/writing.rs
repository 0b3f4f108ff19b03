//! Events go in, and what became of them is written down.

use std::time::Duration;

use outboard_store::outbox::{Accept, Group, Outcome, Receipt, Settle, State};

use super::*;
use crate::harness::{Database, on_both_databases};

fn new(seq: i64) -> Receipt {
    Receipt { seq, repeated: false }
}

fn repeat(seq: i64) -> Receipt {
    Receipt { seq, repeated: true }
}

fn seqs_rise(seqs: &[i64]) -> bool {
    seqs.windows(2).all(|pair| pair[0] < pair[1])
}

on_both_databases! {
    async fn events_wait_in_the_order_in_which_they_came(database: Database) {
        let store = database.open().await;
        let first = (0..300).map(|n| event(&format!("a{n}"), &["mail", "slack"])).collect();
        let second = (0..300).map(|n| event(&format!("b{n}"), &["slack"])).collect();
        let mut seqs: Vec<i64> =
            receipts(&accept(&store, first, WIDE).await).iter().map(|receipt| receipt.seq).collect();
        assert_eq!(pending_seqs(&store, "mail").await, seqs);
        seqs.extend(receipts(&accept(&store, second, WIDE).await).iter().map(|receipt| receipt.seq));
        assert!(seqs_rise(&seqs), "{seqs:?}");
        assert_eq!(pending_seqs(&store, "slack").await, seqs);
        assert_eq!(counts(&store, "slack").await, (600, 6000, 0));
        assert_eq!(counts(&store, "mail").await, (300, 3000, 0));
        assert_eq!(store.outbox().bytes().await.unwrap(), 6000);
        assert_eq!(store.outbox().notifiers_with_pending().await.unwrap(), ["mail", "slack"]);
    }

    async fn an_event_is_read_back_whole(database: Database) {
        let store = database.open().await;
        for (n, text) in crate::AWKWARD.into_iter().enumerate() {
            let mut event = event(text, &["slack"]);
            event.source = text.to_owned();
            event.kind = text.to_owned();
            event.key = Some(text.to_owned());
            event.body = text.to_owned();
            accept(&store, vec![event], WIDE).await;
            let waiting = pending(&store, "slack").await.remove(n);
            assert_eq!((waiting.key.as_deref(), waiting.body.as_str()), (Some(text), text));
            assert_eq!(waiting.delivery_id, format!("{text}-slack"));
            assert_eq!((waiting.attempts, waiting.not_before_ms, waiting.accepted_ms), (0, 0, NOW));
            let stored = store.outbox().show(text, Some(text)).await.unwrap().unwrap().event;
            assert_eq!((stored.kind.as_str(), stored.source.as_str()), (text, text));
            assert_eq!((stored.seq, stored.accepted_ms), (waiting.seq, NOW));
        }
    }

    async fn a_nul_in_one_event_does_not_lose_the_others(database: Database) {
        let store = database.open().await;
        let mut odd = event("o\0dd", &["slack"]);
        odd.key = Some("\0".to_owned());
        odd.body = "\0".into();
        accept(&store, vec![odd, event("even", &["slack"])], WIDE).await;
        let again = Outcome::Again { not_before_ms: 1, error: "\0".to_owned() };
        settle(&store, "slack", 1, again).await;
        assert_eq!(pending_seqs(&store, "slack").await, [1, 2]);
        assert_eq!(shown(&store, "o\0dd").await.event.event_id, "o\u{fffd}dd");
    }

    async fn a_repeat_gets_the_number_of_the_first_and_no_deliveries(database: Database) {
        let store = database.open().await;
        let mut other = event("a", &["slack"]);
        other.source = "/other".into();
        let written = accept(&store, vec![event("a", &["slack"]), event("a", &["mail"]), other], WIDE).await;
        assert_eq!(receipts(&written), [new(1), repeat(1), new(2)]);
        let written = accept(&store, vec![event("b", &[]), event("a", &["slack"])], WIDE).await;
        assert_eq!(receipts(&written), [new(3), repeat(1)]);
        assert_eq!(pending_seqs(&store, "slack").await, [1, 2]);
        assert!(pending_seqs(&store, "mail").await.is_empty());
        assert_eq!(store.outbox().bytes().await.unwrap(), 20);
    }

    async fn a_repeat_is_known_after_delivery_and_after_opening_again(database: Database) {
        let store = database.open().await;
        accept(&store, vec![event("a", &["slack"]), event("b", &["slack"])], WIDE).await;
        settle(&store, "slack", 1, Outcome::Delivered).await;
        store.close().await;
        let store = database.open().await;
        let written = accept(&store, vec![event("b", &["slack"]), event("a", &["slack"])], WIDE).await;
        assert_eq!(receipts(&written), [repeat(2), repeat(1)]);
        assert_eq!(pending_seqs(&store, "slack").await, [2]);
    }

    async fn events_of_one_accept_go_in_together(database: Database) {
        let store = database.open().await;
        let accept = vec![
            Accept { events: vec![event("a", &["slack"]), event("b", &["slack"])] },
            Accept { events: vec![event("c", &["slack"]), event("d", &["slack"]), event("a", &[])] },
            Accept { events: vec![event("c", &["slack"])] },
            Accept { events: vec![event("a", &["slack"])] },
            Accept::default(),
        ];
        let bounds = Bounds { max_bytes: 30, ..WIDE };
        let group = Group { now_ms: NOW, accept, settle: Vec::new() };
        let written = write(&store, group, bounds).await;
        assert_eq!(
            written.accepted,
            [
                Accepted::Stored(vec![new(1), new(2)]),
                Accepted::Full,
                Accepted::Stored(vec![new(3)]),
                Accepted::Stored(vec![repeat(1)]),
                Accepted::Stored(vec![]),
            ]
        );
        assert_eq!((written.bytes, store.outbox().bytes().await.unwrap()), (30, 30));
        assert_eq!(pending_seqs(&store, "slack").await, [1, 2, 3]);
        assert!(store.outbox().show("d", None).await.unwrap().is_none());
    }

    async fn a_delivery_makes_room_in_the_same_group(database: Database) {
        let store = database.open().await;
        let bounds = Bounds { max_bytes: 10, ..WIDE };
        accept(&store, vec![event("a", &["slack"])], bounds).await;
        let full = accept(&store, vec![event("b", &["slack"])], bounds).await;
        assert_eq!(full.accepted, [Accepted::Full]);
        let group = Group {
            now_ms: NOW,
            accept: vec![Accept { events: vec![event("b", &["slack"])] }],
            settle: vec![Settle { notifier: "slack".into(), seq: 1, outcome: Outcome::Delivered }],
        };
        let written = write(&store, group, bounds).await;
        assert_eq!(written.accepted, [Accepted::Stored(vec![new(2)])]);
        assert_eq!(written.bytes, 10);
    }

    async fn a_body_goes_with_the_last_delivery(database: Database) {
        let store = database.open().await;
        let events = vec![event("a", &["mail", "slack"]), event("b", &["mail"]), event("c", &[])];
        accept(&store, events, WIDE).await;
        assert_eq!(shown(&store, "c").await.event.body, None);
        settle(&store, "mail", 1, Outcome::Delivered).await;
        assert!(shown(&store, "a").await.event.body.is_some());
        assert_eq!(store.outbox().bytes().await.unwrap(), 20);
        settle(&store, "slack", 1, Outcome::Delivered).await;
        let shown = shown(&store, "a").await;
        assert_eq!(shown.event.body, None);
        assert_eq!(store.outbox().bytes().await.unwrap(), 10);
        let states: Vec<_> =
            shown.deliveries.iter().map(|delivery| (delivery.notifier.as_str(), delivery.state)).collect();
        assert_eq!(states, [("mail", State::Delivered), ("slack", State::Delivered)]);
        assert_eq!(counts(&store, "slack").await, (0, 0, 0));
        assert_eq!(counts(&store, "mail").await, (1, 10, 0));
    }

    async fn attempts_are_counted_and_the_last_error_is_kept(database: Database) {
        let store = database.open().await;
        accept(&store, vec![event("a", &["slack"])], WIDE).await;
        settle(&store, "slack", 1, again(NOW + 1000)).await;
        settle(&store, "slack", 1, again(NOW + 3000)).await;
        let waiting = pending(&store, "slack").await.remove(0);
        assert_eq!((waiting.attempts, waiting.not_before_ms), (2, NOW + 3000));
        store.close().await;
        let store = database.open().await;
        settle(&store, "slack", 1, Outcome::Delivered).await;
        let delivery = shown(&store, "a").await.deliveries.remove(0);
        assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 3));
        assert_eq!((delivery.error.as_deref(), delivery.updated_ms), (Some("busy"), NOW + 5));
    }

    async fn what_is_settled_twice_is_counted_once(database: Database) {
        let store = database.open().await;
        accept(&store, vec![event("a", &["slack"]), event("b", &["slack"])], WIDE).await;
        for outcome in [Outcome::Delivered, Outcome::Delivered, again(9), dead()] {
            settle(&store, "slack", 1, outcome).await;
        }
        settle(&store, "slack", 99, Outcome::Delivered).await;
        settle(&store, "nobody", 2, dead()).await;
        assert_eq!(counts(&store, "slack").await, (1, 10, 0));
        assert_eq!(shown(&store, "a").await.deliveries[0].state, State::Delivered);
        assert_eq!(shown(&store, "a").await.deliveries[0].attempts, 1);
        assert_eq!(store.outbox().bytes().await.unwrap(), 10);
    }

    async fn one_that_was_given_up_and_then_delivered_is_delivered(database: Database) {
        let store = database.open().await;
        accept(&store, vec![event("a", &["slack"])], WIDE).await;
        settle(&store, "slack", 1, dead()).await;
        assert_eq!(counts(&store, "slack").await, (0, 0, 1));
        settle(&store, "slack", 1, again(9)).await;
        assert_eq!(counts(&store, "slack").await, (0, 0, 1));
        settle(&store, "slack", 1, Outcome::Delivered).await;
        assert_eq!(counts(&store, "slack").await, (0, 0, 0));
        assert_eq!(store.outbox().bytes().await.unwrap(), 0);
    }

    async fn a_write_that_breaks_off_is_in_whole_or_not_at_all(database: Database) {
        let store = database.open().await;
        for round in 0..60_u64 {
            let events = (0..20).map(|n| event(&format!("{round}-{n}"), &["slack"])).collect();
            let accept = vec![Accept { events }];
            let group = Group { now_ms: NOW, accept, settle: Vec::new() };
            let write = store.outbox().write(&group, &WIDE);
            // Dropped somewhere on its way, as by a supervisor that ends.
            drop(tokio::time::timeout(Duration::from_micros(round * 100), write).await);
            let repeats = receipts(&store.outbox().write(&group, &WIDE).await.unwrap());
            let repeated = repeats.iter().filter(|receipt| receipt.repeated).count();
            assert!(repeated == 0 || repeated == 20, "{repeated} of 20 were in");
        }
        assert_eq!(pending_seqs(&store, "slack").await.len(), 1200);
        assert_eq!(counts(&store, "slack").await, (1200, 12_000, 0));
        assert_eq!(store.outbox().bytes().await.unwrap(), 12_000);
    }

    async fn several_writers_never_show_a_later_number_before_an_earlier_one(database: Database) {
        let store = database.open().await;
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let (store, database) = (store.clone(), database.clone());
                tokio::spawn(async move {
                    let own = if writer % 2 == 0 { store } else { database.open().await };
                    for group in 0..10 {
                        let events = (0..7).map(|n| event(&format!("{writer}-{group}-{n}"), &["slack"]));
                        // The same ones come from all writers.
                        let events = events.chain([event(&format!("same-{group}"), &["slack"])]);
                        accept(&own, events.collect(), WIDE).await;
                    }
                })
            })
            .collect();
        let mut last = 0;
        let mut read = Vec::new();
        while read.len() < 6 * 70 + 10 {
            let next = store.outbox().pending("slack", Line::Order, last, ALL).await.unwrap();
            read.extend(next.iter().map(|pending| pending.seq));
            last = read.last().copied().unwrap_or_default();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert!(seqs_rise(&read));
        assert_eq!(pending_seqs(&store, "slack").await, read);
        assert_eq!(counts(&store, "slack").await, (430, 4300, 0));
    }
}
