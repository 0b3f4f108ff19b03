//! Requests that are given up, streams that end, and processes that stop.

use std::time::{Duration, Instant};

use outboard_proto::frame::OpenError;

use super::*;
use crate::host::shutdown;

/// The SDK's own runtime of one thread, and one of several, on which every handler is a task.
fn starts() -> [Start; 2] {
    [Start::example("streams"), Start::example("streams").var("STREAMS_THREADS", "2")]
}

#[tokio::test]
async fn a_handler_is_dropped_when_its_request_is_given_up() {
    for start in starts() {
        let mut host = Host::of(start).await;
        let (sending, receiving) = host.open(host.get("wait"));
        host.logged("wait has begun").await;
        drop((sending, receiving));
        host.logged("wait is dropped").await;
        assert_eq!(host.ask(host.get("hello")).await.text(), "hello");
    }
}

#[tokio::test]
async fn so_is_what_makes_a_body_and_what_holds_a_connection() {
    for (path, line) in [("endless", "endless is dropped"), ("upgrade", "upgrade is dropped")] {
        let mut host = Host::start().await;
        let mut frame = host.post(path);
        frame.request.as_mut().unwrap().upgrade = "echo".to_owned();
        let (sending, mut receiving) = host.open(frame);
        assert!(matches!(soon(receiving.part()).await, Some(Ok(Part::Response(_)))));
        drop((sending, receiving));
        host.logged(line).await;
    }
}

#[tokio::test]
async fn the_end_of_a_stream_ends_its_requests_and_no_others() {
    let mut host = Host::start().await;
    let (_sending, _receiving) = host.open(host.get("wait"));
    host.logged("wait has begun").await;
    let mut other = ByHand::start(&host.fixture).await;
    other.greet();
    other.next().await.unwrap();
    other.send([(1, Kind::Request(request(&host.fixture, "rest")))]);
    host.logged("rest has begun").await;
    host.mux.end();
    host.logged("wait is dropped").await;
    assert!(matches!(other.next().await.unwrap(), Some((1, Kind::Response(_)))));
}

#[tokio::test]
async fn asked_to_stop_a_plugin_goes_away_and_lets_requests_end() {
    let mut host = Host::start().await;
    let (_sending, resting) = host.open(host.get("rest"));
    host.logged("rest has begun").await;
    shutdown(host.fixture.channel()).await.unwrap();
    assert_eq!(Reply::of(resting).await.text(), "rested");
    let ended = soon(&mut host.reader).await.unwrap();
    assert!(matches!(ended, Ended::Closed), "{ended}");
    assert!(matches!(host.mux.open(host.get("hello")), Err((OpenError::Ended, _))));
    assert!(host.fixture.plugin.ended_within(Duration::from_secs(2)).await.success());
}

#[tokio::test]
async fn an_idle_stream_does_not_hold_up_the_end_not_even_one_whose_host_says_nothing() {
    for start in starts() {
        let mut fixture = Fixture::of(start).await;
        let mut host = ByHand::start(&fixture).await;
        host.greet();
        host.next().await.unwrap();
        let begun = Instant::now();
        shutdown(fixture.channel()).await.unwrap();
        let farewell = host.next().await.unwrap();
        assert!(matches!(farewell, Some((0, Kind::GoAway(it))) if it.last_id == 0));
        assert_eq!(host.next().await.unwrap(), None);
        assert!(fixture.plugin.ended_within(Duration::from_secs(2)).await.success());
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_with_the_process() {
    let mut host = Host::start().await;
    let (_sending, waiting) = host.open(host.get("wait"));
    host.logged("wait has begun").await;
    shutdown(host.fixture.channel()).await.unwrap();
    assert_eq!(Reply::of(waiting).await.failure, Some(Failure::Lost));
    assert!(host.fixture.plugin.ended_within(Duration::from_secs(2)).await.success());
}
