//! Notifiers that fail, hang, go away, and say odd things.

use std::time::Duration;

use outboard_store::outbox::State;
use tonic::Status;

use crate::fixture::{Place, Process, delivered, event, retry, settings};

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept() {
    let place = Place::new();
    let socket = place.path("n");
    let wait = Duration::from_millis(1800);
    let process = Process::start(&socket, move |request| {
        let answer = if request.attempt == 1 { retry("busy", Some(wait)) } else { delivered() };
        std::future::ready(answer)
    });
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    process.came.count(1).await;
    let waits = running.delivery("1", "chat", |it| it.attempts == 1).await;
    assert_eq!((waits.state, waits.error.as_deref()), (State::Pending, Some("busy")));
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    let times = process.came.times();
    // The outbox counts in whole milliseconds.
    assert!(times[1] - times[0] + Duration::from_millis(5) >= wait, "{:?}", times[1] - times[0]);
    assert_eq!(process.came.all()[1].attempt, 2);
    running.close().await;
}

#[tokio::test]
async fn one_that_always_fails_is_given_up_after_its_attempts() {
    let place = Place::new();
    let socket = place.path("n");
    let process =
        Process::start(&socket, |_| std::future::ready(Err(Status::internal("broken\nfor good"))));
    let mut settings = settings();
    settings.attempts = 2;
    let running = place.open(settings, &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    let dead = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    assert_eq!(dead.attempts, 2);
    let error = dead.error.unwrap();
    assert!(error.contains("2 attempts") && error.contains("Internal: broken for good"), "{error}");
    assert_eq!(process.came.all().len(), 2);
    let counts = running.events.numbers().notifiers()["chat"].clone();
    assert_eq!((counts.failed, counts.dead, counts.delivered), (2, 1, 0));
    assert!(counts.last_error.contains("broken"), "{counts:?}");
    running.close().await;
}

#[tokio::test]
async fn one_that_hangs_is_cut_off_and_holds_up_nobody_else() {
    let place = Place::new();
    let (stuck, fine) = (place.path("stuck"), place.path("fine"));
    let _stuck = Process::start(&stuck, |_| std::future::pending());
    let _fine = Process::good(&fine);
    let mut settings = settings();
    settings.timeout = Duration::from_millis(200);
    settings.attempts = 1;
    let running = place.open(settings, &["chat", "mail"]).await;
    running.serve("chat", &stuck);
    running.serve("mail", &fine);
    running.publish(vec![event("1", Some("k")), event("2", Some("k"))]).await;
    for id in ["1", "2"] {
        running.delivery(id, "mail", |it| it.state == State::Delivered).await;
    }
    let dead = running.delivery("2", "chat", |it| it.state == State::Dead).await;
    assert!(dead.error.unwrap().contains("no answer within 200ms"));
    running.close().await;
}

#[tokio::test]
async fn a_process_that_is_lost_in_a_call_costs_an_attempt() {
    let place = Place::new();
    let socket = place.path("n");
    let process = Process::start(&socket, |_| std::future::pending());
    let running = place.open(settings(), &["chat"]).await;
    let lost = running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    process.came.count(1).await;
    let first = process.came.all().remove(0);
    // The other order would look the same to the dispatcher: the call ends before or after the route does.
    running.routes.suspend(lost.id()).unwrap();
    lost.cut_off();
    tokio::time::timeout(Duration::from_secs(5), lost.drained()).await.unwrap();
    let process = Process::good(&socket);
    running.serve("chat", &socket);
    let delivery = running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    let second = process.came.all().remove(0);
    assert_eq!((first.attempt, second.attempt, delivery.attempts), (1, 2, 2));
    assert_eq!(first.delivery_id, second.delivery_id);
    running.close().await;
}

#[tokio::test]
async fn a_plugin_without_the_call_is_not_asked_twice() {
    let place = Place::new();
    let socket = place.path("n");
    let _process = Process::start(&socket, |_| std::future::ready(Err(Status::unimplemented(""))));
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    let dead = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    assert!(dead.attempts == 1 && dead.error.unwrap().contains("OnNotify"));
    running.close().await;
}
