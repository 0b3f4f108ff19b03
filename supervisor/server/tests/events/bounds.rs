//! What a notifier that does not keep up costs: its own oldest events, and in the end those who announce.

use std::time::Duration;

use outboard::events::PublishError;
use outboard_store::outbox::State;

use crate::fixture::{Place, Process, delivered, event, id, settings};

#[tokio::test]
async fn over_its_bound_a_notifiers_oldest_become_dead_letters_and_nobody_elses() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let mut settings = settings();
    settings.bounds.pending = 2;
    let running = place.open(settings, &["chat", "mail"]).await;
    running.serve("chat", &socket);
    for number in 1..=4 {
        let number = number.to_string();
        running.publish(vec![event(&number, None)]).await;
        running.delivery(&number, "chat", |it| it.state == State::Delivered).await;
    }
    for (number, state) in
        [("1", State::Dead), ("2", State::Dead), ("3", State::Pending), ("4", State::Pending)]
    {
        assert_eq!(running.delivery(number, "mail", |_| true).await.state, state, "{number}");
    }
    assert_eq!(process.came.ids(), ["1", "2", "3", "4"]);
    assert_eq!(running.events.numbers().notifiers()["mail"].dead, 2);
    running.close().await;
}

#[tokio::test]
async fn one_that_was_given_up_while_it_waited_for_its_turn_is_not_sent_any_more() {
    let place = Place::new();
    let socket = place.path("n");
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let process = Process::start(&socket, move |request| {
        let held = held.clone();
        async move {
            if id(&request) == "1" {
                held.acquire().await.unwrap().forget();
            }
            delivered()
        }
    });
    let mut settings = settings();
    settings.bounds.pending = 2;
    let running = place.open(settings, &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(["1", "2"].map(|id| event(id, Some("k"))).into()).await;
    process.came.count(1).await;
    // The first is under way, and so is its bound: both that were there first go.
    running.publish(["3", "4"].map(|id| event(id, Some("k"))).into()).await;
    running.delivery("2", "chat", |it| it.state == State::Dead).await;
    gate.add_permits(1);
    running.delivery("4", "chat", |it| it.state == State::Delivered).await;
    assert_eq!(process.came.ids(), ["1", "3", "4"]);
    // It came through after all.
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    running.close().await;
}

#[tokio::test]
async fn a_full_outbox_refuses_until_something_is_delivered() {
    let place = Place::new();
    let socket = place.path("n");
    let _process = Process::good(&socket);
    let mut settings = settings();
    settings.bounds.max_bytes = 1000;
    let running = place.open(settings, &["chat"]).await;
    let mut number = 0;
    let error = loop {
        number += 1;
        match running.events.publish(vec![event(&number.to_string(), None)]).await {
            Ok(_) => assert!(number < 100, "it never gets full"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, PublishError::Full);
    assert!(error.to_string().contains("events.max_bytes") && error.retry_after().is_some());
    assert_eq!(running.events.numbers().counted().refused["full"], 1);
    running.serve("chat", &socket);
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    running.delivery(&(number - 1).to_string(), "chat", |it| it.state == State::Delivered).await;
    running.publish(vec![event(&number.to_string(), None)]).await;
    running.close().await;
}

#[tokio::test]
async fn what_waits_too_long_is_given_up() {
    let place = Place::new();
    let mut settings = settings();
    settings.max_age = Duration::from_millis(500);
    let running = place.open(settings, &["chat"]).await;
    running.publish(vec![event("1", None)]).await;
    let dead = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    assert_eq!(dead.attempts, 0);
    running.close().await;
}
