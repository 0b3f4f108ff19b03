//! What waits is read in pieces, and an event is found by its id.

use outboard_store::outbox::Selection;

use super::*;
use crate::harness::{Database, on_both_databases};

on_both_databases! {
    async fn a_window_ends_at_its_rows_or_with_the_body_that_fills_it(database: Database) {
        let store = database.open().await;
        let events = (1..=20).map(|n| event(&n.to_string(), &["slack"])).collect();
        accept(&store, events, WIDE).await;
        for (rows, bytes, expected) in
            [(5, 1 << 30, 5), (100, 1 << 30, 20), (100, 10, 1), (100, 11, 2), (100, 0, 1), (0, 10, 0)]
        {
            let window = Window { rows, bytes };
            let mut after = 0;
            let page = store.outbox().pending("slack", Line::Order, after, window).await.unwrap();
            assert_eq!(page.len(), expected, "{window:?}");
            let mut read = 0;
            while rows > 0 && read < 20 {
                let page = store.outbox().pending("slack", Line::Order, after, window).await.unwrap();
                read += page.len();
                after = page.last().unwrap().seq;
            }
            assert_eq!(after, if rows > 0 { 20 } else { 0 });
        }
    }

    async fn keys_are_read_by_themselves_or_left_out(database: Database) {
        let store = database.open().await;
        let keys = [Some("a"), Some("b"), None, Some("a"), Some("c"), Some("a"), None, Some("b")];
        let events = (1..).zip(keys).map(|(n, key): (i64, Option<&str>)| {
            NewEvent { key: key.map(str::to_owned), ..event(&n.to_string(), &["slack"]) }
        });
        accept(&store, events.collect(), WIDE).await;
        settle(&store, "slack", 5, dead()).await;
        let all = Selection::AllOf { notifier: "slack".to_owned() };
        store.outbox().replay(&all, NOW).await.unwrap();
        let (none, few, strange) = (Vec::new(), ids(&["a", "c"]), ids(&["'; --", "\0", "b"]));
        for (line, after, window, expected) in [
            (Line::Key("a"), 0, ALL, vec![1, 4, 6]),
            (Line::Key("a"), 1, ALL, vec![4, 6]),
            (Line::Key("a"), 1, Window { rows: 1, ..ALL }, vec![4]),
            (Line::Key("a"), 0, Window { bytes: 20, ..ALL }, vec![1, 4]),
            (Line::Key("c"), 0, ALL, vec![]),
            (Line::Key("no"), 0, ALL, vec![]),
            (Line::Except(&none), 3, ALL, vec![4, 6, 7, 8]),
            (Line::Except(&few), 0, ALL, vec![2, 3, 7, 8]),
            (Line::Except(&few), 2, Window { rows: 2, ..ALL }, vec![3, 7]),
            (Line::Except(&strange), 0, ALL, vec![1, 3, 4, 6, 7]),
            (Line::Replayed, 0, ALL, vec![5]),
        ] {
            let read = store.outbox().pending("slack", line, after, window).await.unwrap();
            let seqs: Vec<i64> = read.iter().map(|pending| pending.seq).collect();
            assert_eq!(seqs, expected, "{line:?} after {after} {window:?}");
        }
    }

    async fn without_a_source_the_newest_of_an_id_is_shown(database: Database) {
        let store = database.open().await;
        for source in ["/z", "/a", "/m"] {
            let mut event = event("same", &[]);
            event.source = source.to_owned();
            accept(&store, vec![event], WIDE).await;
        }
        assert_eq!(shown(&store, "same").await.event.source, "/m");
        let named = store.outbox().show("same", Some("/z")).await.unwrap().unwrap();
        assert_eq!(named.event.seq, 1);
        for (id, source) in [("same", Some("/b")), ("sam", None), ("", None), ("same\0", None)] {
            assert!(store.outbox().show(id, source).await.unwrap().is_none(), "{id:?} {source:?}");
        }
    }

    async fn an_empty_outbox_has_nothing(database: Database) {
        let store = database.open().await;
        let queues = store.outbox().queues().await.unwrap();
        assert_eq!((queues.bytes, queues.queues), (0, Vec::new()));
        assert!(pending(&store, "slack").await.is_empty());
        assert!(store.outbox().dead(None, 0, ALL).await.unwrap().is_empty());
        assert_eq!(store.outbox().purge(i64::MAX).await.unwrap(), 0);
        assert_eq!(store.outbox().expire(i64::MAX, NOW).await.unwrap(), []);
    }

    async fn a_queue_says_since_when_its_oldest_waits(database: Database) {
        let store = database.open().await;
        for n in 0..3 {
            let accept = vec![Accept { events: vec![event(&n.to_string(), &["slack"])] }];
            write(&store, Group { now_ms: NOW + n, accept, settle: Vec::new() }, WIDE).await;
        }
        for expected in [Some(NOW), Some(NOW + 1), Some(NOW + 2), None] {
            let queue = store.outbox().queues().await.unwrap().queues.remove(0);
            assert_eq!(queue.oldest_ms, expected);
            if let Some(first) = pending_seqs(&store, "slack").await.first() {
                settle(&store, "slack", *first, Outcome::Delivered).await;
            }
        }
    }
}
