//! One key, one event at a time; without a key, many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use outboard_store::outbox::State;
use tokio::sync::Semaphore;

use crate::fixture::{Place, Process, delivered, event, id, rejected, retry, settings};

#[tokio::test]
async fn what_fails_keeps_those_behind_it_waiting_and_nobody_else() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::start(&socket, |request| {
        let fails = id(&request) == "a1" && request.attempt == 1;
        std::future::ready(if fails { retry("not now", None) } else { delivered() })
    });
    let running = place.open(settings(), &["chat"]).await;
    let events = ["a1", "a2", "a3"].map(|id| event(id, Some("a")));
    running.publish(events.into()).await;
    running.publish(["b1", "b2"].map(|id| event(id, Some("b"))).into()).await;
    running.serve("chat", &socket);
    process.came.count(6).await;
    let ids = process.came.ids();
    let of = |key: char| ids.iter().filter(|id| id.starts_with(key)).cloned().collect::<Vec<_>>();
    assert_eq!(of('a'), ["a1", "a1", "a2", "a3"]);
    assert_eq!(of('b'), ["b1", "b2"]);
    let second = ids.iter().rposition(|id| id == "a1").unwrap();
    assert!(ids[..second].contains(&"b2".to_owned()), "{ids:?}");
    let all = process.came.all();
    let mut of_a1 = all.iter().filter(|request| id(request) == "a1");
    let (first, second) = (of_a1.next().unwrap(), of_a1.next().unwrap());
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(first.delivery_id, second.delivery_id);
    assert_ne!(first.delivery_id, all.last().unwrap().delivery_id);
    running.close().await;
}

#[tokio::test]
async fn what_is_given_up_lets_the_next_one_through() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::start(&socket, |request| {
        std::future::ready(if id(&request) == "1" { rejected("no such room") } else { delivered() })
    });
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(["1", "2"].map(|id| event(id, Some("k"))).into()).await;
    let two = running.delivery("2", "chat", |it| it.state == State::Delivered).await;
    let one = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    assert_eq!((one.attempts, two.attempts), (1, 1));
    let error = one.error.unwrap();
    assert!(error.contains("rejects") && error.contains("no such room"), "{error}");
    assert_eq!(process.came.ids(), ["1", "2"]);
    running.close().await;
}

#[tokio::test]
async fn one_key_is_called_once_at_a_time_and_all_together_as_often_as_allowed() {
    let place = Place::new();
    let socket = place.path("n");
    let (gate, now, most) =
        (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let process = {
        let (gate, now, most) = (gate.clone(), now.clone(), most.clone());
        Process::start(&socket, move |_| {
            let (gate, now, most) = (gate.clone(), now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
                delivered()
            }
        })
    };
    let mut settings = settings();
    settings.concurrency = 3;
    let running = place.open(settings, &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(["a", "b"].map(|id| event(id, Some("key"))).into()).await;
    process.came.count(1).await;
    // Places are free, so only the key holds the second one back.
    running.publish(["c", "d", "e"].map(|id| event(id, None)).into()).await;
    process.came.count(3).await;
    assert!(!process.came.ids().contains(&"b".to_owned()), "{:?}", process.came.ids());
    gate.add_permits(5);
    process.came.count(5).await;
    for id in ["a", "b", "c", "d", "e"] {
        running.delivery(id, "chat", |it| it.state == State::Delivered).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
    running.close().await;
}

#[tokio::test]
async fn nothing_is_tried_while_the_instance_is_away() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let running = place.open(settings(), &["chat"]).await;
    let first = running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    running.routes.suspend(first.id()).unwrap();
    running.publish(vec![event("2", None)]).await;
    // An attempt would be counted at the latest when the writer has written something else.
    running.publish(vec![event("3", None)]).await;
    let two = running.delivery("2", "chat", |_| true).await;
    assert_eq!((two.state, two.attempts), (State::Pending, 0));
    running.serve("chat", &socket);
    for id in ["2", "3"] {
        let delivery = running.delivery(id, "chat", |it| it.state == State::Delivered).await;
        assert_eq!(delivery.attempts, 1);
    }
    assert_eq!(process.came.ids().len(), 3);
    running.close().await;
}

#[tokio::test]
async fn many_events_of_few_keys_come_whole_and_in_order() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::start(&socket, |request| async move {
        // Some are slower than others.
        let number: u64 = id(&request).parse().unwrap();
        tokio::time::sleep(Duration::from_micros(number * 37 % 500)).await;
        delivered()
    });
    let mut settings = settings();
    settings.bounds.pending = 1_000_000;
    let running = place.open(settings, &["chat"]).await;
    running.serve("chat", &socket);
    let key = |number: u32| format!("key-{}", number % 20);
    for hundred in 0..8 {
        let numbers = hundred * 100..(hundred + 1) * 100;
        let events = numbers.map(|number| event(&number.to_string(), Some(&key(number))));
        running.publish(events.collect()).await;
    }
    process.came.count(800).await;
    let mut last = std::collections::HashMap::new();
    for id in process.came.ids() {
        let number: u32 = id.parse().unwrap();
        let before = last.insert(key(number), number);
        assert!(before.is_none_or(|before| before < number), "{number} after {before:?}");
    }
    assert_eq!(process.came.ids().len(), 800);
    running.close().await;
}

#[tokio::test]
async fn a_key_that_is_stuck_holds_up_no_other_however_much_waits_behind_it() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::start(&socket, |request| {
        let is_stuck = id(&request).starts_with("stuck");
        std::future::ready(if is_stuck { retry("never", None) } else { delivered() })
    });
    let mut settings = settings();
    settings.bounds.pending = 1_000_000;
    let running = place.open(settings, &["chat"]).await;
    for thousand in 0..5 {
        let numbers = thousand * 1000..(thousand + 1) * 1000;
        let events = numbers.map(|number| event(&format!("stuck-{number}"), Some("stuck")));
        running.publish(events.collect()).await;
    }
    running.publish(vec![event("other", Some("other"))]).await;
    running.serve("chat", &socket);
    running.delivery("other", "chat", |it| it.state == State::Delivered).await;
    assert!(process.came.ids().iter().all(|id| id == "other" || id == "stuck-0"));
    running.close().await;
}
