//! Dead letters: delivered once more, or forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use outboard_store::outbox::{Selection, State};

use crate::fixture::{Place, Process, Running, delivered, event, rejected, settings};

/// A notifier that rejects what comes until it is told otherwise.
fn choosy(socket: &std::path::Path) -> (Process, Arc<AtomicBool>) {
    let is_open = Arc::new(AtomicBool::new(false));
    let open = is_open.clone();
    let process = Process::start(socket, move |_| {
        std::future::ready(if open.load(Ordering::SeqCst) { delivered() } else { rejected("shut") })
    });
    (process, is_open)
}

async fn replay(running: &Running, selection: Selection) -> u64 {
    let now = outboard_store_now();
    let changed = running.store.outbox().replay(&selection, now).await.unwrap();
    running.events.replayed(&changed.notifiers);
    changed.count
}

fn outboard_store_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn what_was_given_up_comes_once_more_marked_and_outside_the_order() {
    let place = Place::new();
    let socket = place.path("n");
    let (process, is_open) = choosy(&socket);
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(["1", "2"].map(|id| event(id, Some("k"))).into()).await;
    for id in ["1", "2"] {
        running.delivery(id, "chat", |it| it.state == State::Dead).await;
    }
    let first = process.came.all().remove(0);
    is_open.store(true, Ordering::SeqCst);
    let all = Selection::AllOf { notifier: "chat".into() };
    assert_eq!(replay(&running, all.clone()).await, 2);
    for id in ["1", "2"] {
        let delivery = running.delivery(id, "chat", |it| it.state == State::Delivered).await;
        assert!(delivery.replayed);
    }
    assert_eq!(replay(&running, all).await, 0);
    let again = process.came.all();
    let again = again.iter().skip(2).find(|it| it.delivery_id == first.delivery_id).unwrap();
    assert!(again.replayed && !first.replayed && again.attempt == 1);
    running.close().await;
}

#[tokio::test]
async fn what_is_asked_for_again_while_the_supervisor_is_down_is_found_at_its_start() {
    let place = Place::new();
    let socket = place.path("n");
    let (_process, is_open) = choosy(&socket);
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.publish(vec![event("1", None)]).await;
    let dead = running.delivery("1", "chat", |it| it.state == State::Dead).await;
    let ids = Selection::Ids(vec![dead.delivery_id]);
    // Nobody rings.
    let changed = running.store.outbox().replay(&ids, outboard_store_now()).await.unwrap();
    assert_eq!(changed.count, 1);
    running.close().await;
    is_open.store(true, Ordering::SeqCst);
    let running = place.open(settings(), &["chat"]).await;
    running.serve("chat", &socket);
    running.delivery("1", "chat", |it| it.state == State::Delivered).await;
    running.close().await;
}
