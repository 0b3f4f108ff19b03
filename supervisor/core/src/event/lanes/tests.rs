use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn waiting(seq: i64, key: &str) -> Waiting {
    let key = Some(key.to_owned()).filter(|key| !key.is_empty());
    Waiting { seq, key, attempts: 0, not_before_ms: 0, accepted_ms: 0, replayed: false }
}

fn lanes(concurrency: usize, events: &[(i64, &str)]) -> Lanes {
    let mut lanes = Lanes::new(concurrency);
    for (seq, key) in events {
        lanes.offer(waiting(*seq, key));
    }
    lanes
}

/// All that may be tried at that time.
fn started(lanes: &mut Lanes, now_ms: i64) -> Vec<i64> {
    std::iter::from_fn(|| lanes.next(now_ms)).map(|waiting| waiting.seq).collect()
}

#[test]
fn events_of_a_key_come_one_by_one_and_others_beside_them() {
    let mut lanes = lanes(10, &[(1, "a"), (2, "a"), (3, "b"), (4, ""), (5, ""), (6, "b")]);
    assert_eq!(started(&mut lanes, 0), [1, 3, 4, 5]);
    lanes.settle(3, Settled::Done);
    assert_eq!(started(&mut lanes, 0), [6]);
    lanes.settle(1, Settled::Done);
    assert_eq!(started(&mut lanes, 0), [2]);
    assert_eq!((lanes.held(), lanes.running(), lanes.highest()), (4, 4, Some(6)));
}

#[test]
fn one_that_failed_keeps_its_place() {
    let mut lanes = lanes(10, &[(1, "a"), (2, "a"), (3, "")]);
    assert_eq!(started(&mut lanes, 0), [1, 3]);
    lanes.settle(1, Settled::Again { at_ms: 500 });
    assert_eq!((started(&mut lanes, 499), lanes.wake_at()), (vec![], Some(500)));
    let again = lanes.next(500).unwrap();
    assert_eq!((again.seq, again.attempts, again.not_before_ms), (1, 1, 500));
    lanes.settle(1, Settled::Done);
    assert_eq!(started(&mut lanes, 500), [2]);
}

#[test]
fn no_more_are_tried_at_once_than_may() {
    let mut lanes = lanes(2, &[(1, ""), (2, ""), (3, "")]);
    assert_eq!(lanes.wake_at(), Some(0));
    assert_eq!((started(&mut lanes, 0), lanes.wake_at()), (vec![1, 2], None));
    lanes.settle(2, Settled::Done);
    assert_eq!(started(&mut lanes, 0), [3]);
}

#[test]
fn one_that_is_replayed_is_outside_the_order() {
    let mut lanes = lanes(10, &[(5, "a"), (6, "a")]);
    assert_eq!(started(&mut lanes, 0), [5]);
    lanes.offer(Waiting { replayed: true, ..waiting(2, "a") });
    assert_eq!(started(&mut lanes, 0), [2]);
    lanes.settle(2, Settled::Again { at_ms: 9 });
    lanes.settle(5, Settled::Done);
    assert_eq!(started(&mut lanes, 9), [2, 6]);
}

#[test]
fn one_that_is_offered_again_is_the_same() {
    let mut lanes = lanes(10, &[(1, "a")]);
    lanes.offer(waiting(1, "a"));
    assert_eq!(started(&mut lanes, 0), [1]);
    lanes.offer(Waiting { attempts: 7, ..waiting(1, "a") });
    assert_eq!((started(&mut lanes, 0), lanes.held()), (vec![], 1));
}

#[test]
fn one_that_comes_late_goes_before_what_has_not_begun() {
    let mut lanes = lanes(10, &[(5, "a"), (6, "a")]);
    lanes.offer(waiting(3, "a"));
    assert_eq!(started(&mut lanes, 0), [3]);
    lanes.offer(waiting(2, "a"));
    lanes.offer(waiting(1, "a"));
    assert_eq!(started(&mut lanes, 0), [] as [i64; 0]);
    for seq in [3, 1, 2, 5] {
        lanes.settle(seq, Settled::Done);
        started(&mut lanes, 0);
    }
    assert_eq!((lanes.running(), lanes.holds(6)), (1, true));
}

#[test]
fn one_that_is_forgotten_is_not_tried_but_awaited() {
    let mut lanes = lanes(10, &[(1, "a"), (2, "a"), (3, "a")]);
    assert_eq!(started(&mut lanes, 0), [1]);
    lanes.forget(2);
    lanes.forget(1);
    assert_eq!((started(&mut lanes, 0), lanes.held()), (vec![], 2));
    lanes.settle(1, Settled::Again { at_ms: 0 });
    assert_eq!((started(&mut lanes, 0), lanes.held()), (vec![3], 1));
    lanes.forget(9);
    lanes.settle(9, Settled::Done);
    lanes.settle(3, Settled::Done);
    assert_eq!((lanes.held(), lanes.running(), lanes.wake_at()), (0, 0, None));
}

#[test]
fn what_is_not_running_can_be_cleared() {
    let mut lanes = lanes(1, &[(1, "a"), (2, "a"), (3, "")]);
    assert_eq!(started(&mut lanes, 0), [1]);
    lanes.clear();
    assert_eq!((lanes.held(), lanes.running(), lanes.highest()), (1, 1, Some(3)));
    lanes.settle(1, Settled::Done);
    lanes.offer(waiting(2, "a"));
    assert_eq!(started(&mut lanes, 0), [2]);
}

/// What may happen to a notifier's events.
#[derive(Clone, Debug)]
enum Step {
    Offer {
        seq: i64,
        key: u8,
        not_before_ms: i64,
        replayed: bool,
    },
    Next,
    /// Of the running one at that place.
    Settle {
        at: usize,
        again: Option<i64>,
    },
    Forget {
        seq: i64,
    },
    Pass {
        ms: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let offer = (1..40_i64, 0..4_u8, 0..20_i64, prop::bool::weighted(0.2));
    let offer = offer.prop_map(|(seq, key, not_before_ms, replayed)| Step::Offer {
        seq,
        key,
        not_before_ms,
        replayed,
    });
    prop_oneof![
        4 => offer,
        4 => Just(Step::Next),
        3 => (any::<prop::sample::Index>(), prop::option::weighted(0.4, 0..10_i64))
            .prop_map(|(at, again)| Step::Settle { at: at.index(64), again }),
        1 => (1..40_i64).prop_map(|seq| Step::Forget { seq }),
        1 => (1..10_i64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// The same, without any cleverness.
#[derive(Default)]
struct Model {
    now_ms: i64,
    waiting: BTreeMap<i64, Waiting>,
    running: BTreeMap<i64, Waiting>,
    forgotten: BTreeSet<i64>,
}

impl Model {
    fn may_run(&self, one: &Waiting) -> bool {
        let same = |other: &&Waiting| key(other).is_some() && key(other) == key(one);
        let is_busy = self.running.values().any(|other| same(&other));
        let is_first = self.waiting.values().filter(same).all(|other| other.seq >= one.seq);
        one.not_before_ms <= self.now_ms && (key(one).is_none() || (!is_busy && is_first))
    }
}

proptest! {
    #[test]
    fn every_history_keeps_the_order_and_loses_nothing(
        steps in prop::collection::vec(step(), 1..200),
        concurrency in 1..5_usize,
    ) {
        let mut lanes = Lanes::new(concurrency);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Offer { seq, key, not_before_ms, replayed } => {
                    let key = (key > 0).then(|| key.to_string());
                    let one = Waiting { seq, key, attempts: 0, not_before_ms, accepted_ms: 0, replayed };
                    lanes.offer(one.clone());
                    if !model.running.contains_key(&seq) {
                        model.waiting.entry(seq).or_insert(one);
                    }
                }
                Step::Next => {
                    let able: Vec<_> = model.waiting.values().filter(|one| model.may_run(one)).cloned().collect();
                    let is_full = model.running.len() == concurrency;
                    match lanes.next(model.now_ms) {
                        Some(one) => {
                            prop_assert!(!is_full && able.contains(&one), "{one:?} of {able:?}");
                            model.waiting.remove(&one.seq);
                            model.running.insert(one.seq, one);
                        }
                        None => prop_assert!(is_full || able.is_empty(), "{able:?}"),
                    }
                }
                Step::Settle { at, again } => {
                    let Some(seq) = model.running.keys().nth(at % model.running.len().max(1)).copied() else { continue };
                    let mut one = model.running.remove(&seq).unwrap();
                    let is_forgotten = model.forgotten.remove(&seq);
                    match again {
                        Some(wait) => {
                            one.not_before_ms = model.now_ms + wait;
                            one.attempts += 1;
                            lanes.settle(seq, Settled::Again { at_ms: one.not_before_ms });
                            if !is_forgotten {
                                model.waiting.insert(seq, one);
                            }
                        }
                        None => lanes.settle(seq, Settled::Done),
                    }
                }
                Step::Forget { seq } => {
                    lanes.forget(seq);
                    model.waiting.remove(&seq);
                    if model.running.contains_key(&seq) {
                        model.forgotten.insert(seq);
                    }
                }
                Step::Pass { ms } => model.now_ms += ms,
            }
            prop_assert_eq!(lanes.running(), model.running.len());
            prop_assert_eq!(lanes.held(), model.running.len() + model.waiting.len());
            let is_able = model.waiting.values().any(|one| model.may_run(one)) && model.running.len() < concurrency;
            prop_assert_eq!(lanes.wake_at().is_some_and(|at_ms| at_ms <= model.now_ms), is_able);
        }
        // Whatever has happened, all of it comes to its end, each once.
        let mut ended = BTreeSet::new();
        let mut left: BTreeSet<i64> = model.waiting.keys().copied().collect();
        for seq in model.running.keys().copied().collect::<Vec<_>>() {
            lanes.settle(seq, Settled::Done);
        }
        while let Some(one) = lanes.next(i64::MAX) {
            prop_assert!(ended.insert(one.seq) && left.remove(&one.seq));
            lanes.settle(one.seq, Settled::Done);
        }
        prop_assert!(left.is_empty() && lanes.held() == 0 && lanes.keys.is_empty());
    }
}
