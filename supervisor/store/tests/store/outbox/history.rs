//! After any history, the counters are those of the rows.

use std::collections::BTreeMap;

use outboard_store::outbox::Selection;

use super::*;
use crate::harness::{Database, on_both_databases};

const NOTIFIERS: [&str; 3] = ["mail", "pager", "slack"];
const BOUNDS: Bounds = Bounds { max_bytes: 3000, pending: 60, pending_bytes: 1000 };

/// The same numbers in each run.
struct Numbers(u64);

impl Numbers {
    /// Below `limit`.
    fn next(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn notifier(&mut self) -> &'static str {
        NOTIFIERS[usize::try_from(self.next(3)).unwrap()]
    }

    fn event(&mut self) -> NewEvent {
        let id = self.next(4000).to_string();
        let notifiers: Vec<&str> = NOTIFIERS.into_iter().filter(|_| self.next(3) > 0).collect();
        let mut event = event(&id, &notifiers);
        event.body = "x".repeat(usize::try_from(self.next(40)).unwrap());
        event
    }

    fn outcome(&mut self) -> Outcome {
        match self.next(5) {
            0 => again(7),
            1 => dead(),
            _ => Outcome::Delivered,
        }
    }

    fn group(&mut self, newest: i64, now_ms: i64) -> Group {
        let newest = u64::try_from(newest).unwrap() + 1;
        let accept = (0..self.next(6))
            .map(|_| Accept { events: (0..self.next(5)).map(|_| self.event()).collect() });
        let accept = accept.collect();
        let settle = (0..self.next(30)).map(|_| Settle {
            notifier: Arc::from(self.notifier()),
            seq: i64::try_from(newest.saturating_sub(self.next(80))).unwrap(),
            outcome: self.outcome(),
        });
        Group { now_ms, accept, settle: settle.collect() }
    }
}

/// One thing that happens.
async fn step(store: &Store, numbers: &mut Numbers, newest: &mut i64, now_ms: i64) {
    let outbox = store.outbox();
    let selection = Selection::AllOf { notifier: numbers.notifier().to_owned() };
    match numbers.next(20) {
        0 => drop(outbox.replay(&selection, now_ms).await.unwrap()),
        1 => drop(outbox.drop_dead(&selection, now_ms).await.unwrap()),
        2 => drop(outbox.expire(now_ms - 150, now_ms).await.unwrap()),
        3 => drop(outbox.purge(now_ms - 300).await.unwrap()),
        _ => {
            let written = outbox.write(&numbers.group(*newest, now_ms), &BOUNDS).await.unwrap();
            for accepted in &written.accepted {
                if let Accepted::Stored(receipts) = accepted {
                    *newest = receipts.iter().map(|receipt| receipt.seq).fold(*newest, i64::max);
                }
            }
            assert!(written.bytes <= BOUNDS.max_bytes, "{}", written.bytes);
        }
    }
}

/// Pending, its bytes and dead of each notifier, and the bytes of what is kept: by counting the rows.
async fn counted(store: &Store) -> (BTreeMap<String, (u64, u64, u64)>, u64) {
    let (mut queues, mut kept) = (BTreeMap::<String, (u64, u64, u64)>::new(), BTreeMap::new());
    for notifier in NOTIFIERS {
        let queue = queues.entry(notifier.to_owned()).or_default();
        for line in [Line::Order, Line::Replayed] {
            for pending in store.outbox().pending(notifier, line, 0, ALL).await.unwrap() {
                queue.0 += 1;
                queue.1 += pending.body.len() as u64;
                kept.insert(pending.seq, pending.body.len() as u64);
            }
        }
    }
    for letter in store.outbox().dead(None, 0, ALL).await.unwrap() {
        queues.entry(letter.delivery.notifier).or_default().2 += 1;
        kept.insert(letter.event.seq, letter.event.body.unwrap().len() as u64);
    }
    (queues, kept.values().sum())
}

on_both_databases! {
    async fn counters_are_those_of_the_rows(database: Database) {
        let store = database.open().await;
        let (mut numbers, mut newest) = (Numbers(88_172_645_463_325_252), 0);
        // So that each of them has a counter.
        accept(&store, vec![event("first", &NOTIFIERS)], BOUNDS).await;
        for round in 0..40 {
            for now in 0..10 {
                step(&store, &mut numbers, &mut newest, NOW + round * 10 + now).await;
            }
            let (queues, bytes) = counted(&store).await;
            let found = store.outbox().queues().await.unwrap();
            assert_eq!(found.bytes, bytes, "round {round}");
            for queue in found.queues {
                let counts = (queue.pending, queue.pending_bytes, queue.dead);
                assert_eq!(Some(&counts), queues.get(&queue.notifier), "round {round}: {}", queue.notifier);
            }
        }
        assert!(newest > 500, "only {newest} events came in");
    }
}
