use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_mins(1);

fn far() -> Instant {
    Instant::now() + LONG
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Somebody who has begun to wait.
fn waiter(gate: &Arc<Gate>) -> std::pin::Pin<Box<dyn Future<Output = Result<Place, Full>> + Send>> {
    let gate = gate.clone();
    let mut waiter: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(async move { gate.enter(10, far()).await });
    assert!(poll(&mut waiter).is_pending());
    waiter
}

#[test]
fn as_many_get_in_as_there_are_places() {
    let gate = Gate::new(2);
    let first = gate.try_enter().unwrap();
    let _second = gate.try_enter().unwrap();
    assert!(gate.try_enter().is_none());
    drop(first);
    let _third = gate.try_enter().unwrap();
    assert_eq!((gate.taken(), gate.waiting()), (2, 0));
}

#[tokio::test]
async fn those_who_wait_are_let_in_in_the_order_in_which_they_came() {
    let gate = Gate::new(1);
    let place = gate.try_enter().unwrap();
    let (first, mut second) = (waiter(&gate), waiter(&gate));
    drop(place);
    assert!(gate.try_enter().is_none(), "nobody overtakes those who wait");
    assert!(poll(&mut second).is_pending());
    let place = first.await.unwrap();
    drop(place);
    drop(second.await.unwrap());
    assert_eq!((gate.taken(), gate.waiting()), (0, 0));
}

#[tokio::test]
async fn a_line_that_is_full_turns_away_at_once() {
    let gate = Gate::new(1);
    let _place = gate.try_enter().unwrap();
    let _waiter = waiter(&gate);
    assert_eq!(gate.enter(1, far()).await.unwrap_err(), Full::Queue);
    assert_eq!(gate.enter(0, far()).await.unwrap_err(), Full::Queue);
}

#[tokio::test]
async fn nobody_waits_longer_than_they_may() {
    let gate = Gate::new(1);
    let place = gate.try_enter().unwrap();
    let began = Instant::now();
    let patience = Duration::from_millis(20);
    assert_eq!(gate.enter(10, began + patience).await.unwrap_err(), Full::Timeout);
    assert!(began.elapsed() >= patience);
    drop(place);
    assert_eq!((gate.taken(), gate.waiting()), (0, 0), "who gave up is forgotten");
    drop(gate.enter(10, Instant::now()).await.unwrap());
}

#[tokio::test]
async fn a_turn_that_came_to_somebody_who_has_gone_passes_to_the_next() {
    let gate = Gate::new(1);
    let place = gate.try_enter().unwrap();
    let (gone, told, next) = (waiter(&gate), waiter(&gate), waiter(&gate));
    drop(gone);
    drop(place);
    assert_eq!((gate.taken(), gate.waiting()), (1, 1));
    drop(told);
    drop(next.await.unwrap());
    assert_eq!((gate.taken(), gate.waiting()), (0, 0));
}

#[tokio::test]
async fn more_places_let_in_those_who_wait_and_fewer_throw_nobody_out() {
    let gate = Gate::new(1);
    let place = gate.try_enter().unwrap();
    let (first, mut second) = (waiter(&gate), waiter(&gate));
    gate.set_places(2);
    let other = first.await.unwrap();
    gate.set_places(1);
    drop(place);
    assert!(poll(&mut second).is_pending(), "there is one in, which is as many as may be");
    drop(other);
    drop(second.await.unwrap());
}

#[test]
fn threads_never_exceed_the_places_and_nobody_is_forgotten() {
    const THREADS: usize = 4;
    const EACH: usize = 2000;
    let gate = Gate::new(3);
    let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let one = async |number: usize| {
        // Every third has so little patience that its turn and its end may come at once.
        let patience = if number.is_multiple_of(3) { Duration::from_micros(50) } else { LONG };
        let Ok(_place) = gate.enter(u32::MAX, Instant::now() + patience).await else { return };
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        inside.fetch_sub(1, Ordering::SeqCst);
        done.fetch_add(1, Ordering::SeqCst);
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let all = futures_util::future::join_all((0..EACH).map(one));
                runtime.unwrap().block_on(all);
            });
        }
    });
    let most = most.into_inner();
    assert!((2..=3).contains(&most), "{most} at a time");
    assert!(done.into_inner() >= THREADS * (EACH * 2 / 3), "all who had patience were let in");
    assert_eq!((gate.taken(), gate.waiting()), (0, 0));
}
