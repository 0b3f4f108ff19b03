//! What is taken in, and what is not.

use outboard::events::{MOST_EVENTS, PublishError};
use outboard_store::outbox::State;

use crate::fixture::{Place, Process, event, settings};

#[tokio::test]
async fn a_repeat_is_told_and_delivered_once() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    let first = running.events.publish(vec![event("1", None)]).await.unwrap();
    assert_eq!((first[0].id.as_str(), first[0].repeated), ("1", false));
    let again = ["1", "2", "2"].map(|id| event(id, None)).into();
    let again = running.events.publish(again).await.unwrap();
    let repeated: Vec<_> = again.iter().map(|receipt| receipt.repeated).collect();
    assert_eq!(repeated, [true, false, true]);
    running.delivery("2", "chat", |it| it.state == State::Delivered).await;
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    let mut ids = process.came.ids();
    ids.sort();
    assert_eq!(ids, ["1", "2"]);
    let counted = running.events.numbers().counted();
    assert_eq!((counted.accepted, counted.repeated), (2, 2));
    running.close().await;
}

#[tokio::test]
async fn an_event_waits_for_each_notifier_by_itself() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::good(&socket);
    let running = place.open(settings(), &["chat", "mail"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    let waits = running.delivery("1", "mail", |_| true).await;
    assert_eq!(waits.state, State::Pending);
    running.serve("mail", &socket);
    running.delivery("1", "mail", |it| it.state == State::Delivered).await;
    let came = process.came.all();
    assert_ne!(came[0].delivery_id, came[1].delivery_id);
    assert_ne!(came[0].activation, came[1].activation);
    running.close().await;
}

#[tokio::test]
async fn nothing_is_taken_in_before_it_is_known_who_is_to_be_told() {
    let place = Place::new();
    let running = place.open_without_roles(settings()).await;
    let early = running.events.publish(vec![event("1", None)]);
    let roles = async {
        assert!(running.store.outbox().show("1", None).await.unwrap().is_none());
        running.tell(&["chat"]);
    };
    let (early, ()) = tokio::join!(early, roles);
    early.unwrap();
    assert_eq!(running.show("1").await.deliveries.len(), 1);
    running.close().await;
}

#[tokio::test]
async fn what_is_too_much_is_refused_whole() {
    let place = Place::new();
    let mut settings = settings();
    settings.max_event = 300;
    let running = place.open(settings, &["chat"]).await;
    let many = (0..=MOST_EVENTS).map(|number| event(&number.to_string(), None)).collect();
    assert_eq!(running.events.publish(many).await, Err(PublishError::TooMany(MOST_EVENTS + 1)));
    let large = vec![event("small", None), event(&"x".repeat(255), None)];
    let error = running.events.publish(large).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { index: 1, most: 300, .. }), "{error}");
    assert!(error.to_string().contains("events.max_event") && error.retry_after().is_none());
    assert!(running.store.outbox().show("small", None).await.unwrap().is_none());
    assert_eq!(running.events.publish(Vec::new()).await, Ok(Vec::new()));
    assert_eq!(running.events.numbers().counted().accepted, 0);
    running.close().await;
}

#[tokio::test]
async fn a_supervisor_that_stops_takes_nothing_in() {
    let place = Place::new();
    let running = place.open(settings(), &["chat"]).await;
    let events = running.events.clone();
    running.close().await;
    let error = events.publish(vec![event("1", None)]).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Unavailable(why) if why.contains("stopping")),
        "{error}"
    );
    assert!(error.retry_after().is_some());
}
