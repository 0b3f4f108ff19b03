//! A supervisor that ends and starts again, politely or not.

use std::collections::{BTreeSet, HashMap};

use outboard_store::outbox::State;

use crate::fixture::{Place, Process, event, settings};

#[tokio::test]
async fn what_waits_is_delivered_after_a_restart_and_what_was_delivered_is_not() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let running = place.open(settings(), &["chat"]).await;
    let serving = running.serve("chat", &socket);
    running.publish(vec![event("1", Some("k"))]).await;
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    running.routes.withdraw(serving.id()).unwrap();
    running.publish(vec![event("2", Some("k"))]).await;
    running.close().await;
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.delivery("2", "chat", |it| it.state == State::Delivered).await;
    assert_eq!(process.came.ids(), ["1", "2"]);
    running.close().await;
}

#[tokio::test]
async fn an_outcome_that_is_known_when_the_supervisor_stops_is_written() {
    for _ in 0..5 {
        let place = Place::new();
        let socket = place.path("n");
        let _process = Process::good(&socket);
        let running = place.open(settings(), &["chat"]).await;
        let serving = running.serve("chat", &socket);
        let ids: Vec<_> = (0..50).map(|number| number.to_string()).collect();
        running.publish(ids.iter().map(|id| event(id, None)).collect()).await;
        // As plugins are stopped: no new calls, and those under way end first.
        running.routes.withdraw(serving.id()).unwrap();
        serving.drained().await;
        let before = running.events.clone();
        running.close().await;
        let delivered = before.numbers().notifiers().get("chat").map_or(0, |it| it.delivered);
        let again = place.open(settings(), &[]).await;
        let mut written = 0;
        for id in &ids {
            let delivery = again.delivery(id, "chat", |_| true).await;
            written += u64::from(delivery.state == State::Delivered);
        }
        assert_eq!(written, delivered);
        again.close().await;
    }
}

#[tokio::test]
async fn after_a_sudden_end_nothing_is_missing_and_repeats_carry_the_same_id() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let key = |number: usize| format!("key-{}", number % 7);
    let ids: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    for (round, part) in ids.chunks(200).enumerate() {
        let running = place.open(settings(), &["chat"]).await;
        running.serve("chat", &socket);
        let events = part.iter().enumerate();
        let events = events.map(|(number, id)| event(id, Some(&key(round * 200 + number))));
        running.publish(events.collect()).await;
        process.came.count(round * 200 + 20).await;
        // Everything that runs is dropped where it stands.
        drop(running);
    }
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    for id in &ids {
        running.delivery(id, "chat", |it| it.state == State::Delivered).await;
    }
    let (mut names, mut order) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
    for request in process.came.all() {
        let id = request.event.unwrap().id;
        let known = names.entry(id.clone()).or_insert_with(|| request.delivery_id.clone());
        assert_eq!(*known, request.delivery_id);
        let number: usize = id.parse().unwrap();
        let of_key = order.entry(key(number)).or_default();
        if !of_key.contains(&number) {
            of_key.push(number);
        }
    }
    assert_eq!(names.keys().collect::<BTreeSet<_>>(), ids.iter().collect::<BTreeSet<_>>());
    assert!(order.values().all(|numbers| numbers.is_sorted()), "{order:?}");
    running.close().await;
}
