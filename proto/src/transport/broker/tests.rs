use std::pin::pin;

use super::*;

const ID: u32 = 7;

fn shared() -> Arc<Shared> {
    Shared::new(BrokerConfig {
        socket_dir: PathBuf::from("/nonexistent"),
        socket_group: None,
        tls: None,
        check: PeerCheck::any(),
        allow_tcp: AddressRule::Loopback,
    })
}

fn announcement(network: &str, address: &str) -> ConnInfo {
    ConnInfo {
        service_id: ID,
        network: network.to_owned(),
        address: address.to_owned(),
        knock: None,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How long a dial that gets nothing takes.
async fn time_to_fail(shared: &Arc<Shared>) -> Duration {
    let start = Instant::now();
    let error = shared.announced(ID).await.unwrap_err();
    assert!(matches!(error, BrokerError::NotAnnounced { id: ID }), "{error}");
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn b02_a_dial_two_seconds_before_or_after_the_announcement_gets_it() {
    let shared = shared();
    let late = async {
        time::sleep(seconds(2)).await;
        shared.deliver(&announcement("unix", "/a"));
    };
    let (early, ()) = tokio::join!(shared.announced(ID), late);
    assert_eq!(early.unwrap(), Ok(Address::Unix("/a".into())));

    shared.deliver(&announcement("unix", "/b"));
    time::sleep(seconds(2)).await;
    assert_eq!(shared.announced(ID).await.unwrap(), Ok(Address::Unix("/b".into())));
}

#[tokio::test(start_paused = true)]
async fn b03_a_dial_that_is_never_announced_fails_after_five_seconds() {
    assert_eq!(time_to_fail(&shared()).await.as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn b04_an_announcement_of_six_seconds_ago_is_forgotten() {
    let shared = shared();
    shared.deliver(&announcement("unix", "/a"));
    time::sleep(seconds(6)).await;
    assert_eq!(time_to_fail(&shared).await.as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn b05_a_second_dial_needs_a_second_announcement() {
    let shared = shared();
    shared.deliver(&announcement("unix", "/a"));
    assert!(shared.announced(ID).await.is_ok());
    assert_eq!(time_to_fail(&shared).await.as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn b07_an_unknown_network_fails_the_dial_at_once() {
    let shared = shared();
    shared.deliver(&announcement("foo", "/a"));
    let start = Instant::now();
    let error = shared.announced(ID).await.unwrap().unwrap_err();
    assert_eq!(error, AddressError::Network { got: "\"foo\"".to_owned() });
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_was_dropped_leaves_the_announcement_to_the_next() {
    let shared = shared();
    {
        let mut dropped = pin!(shared.announced(ID));
        assert!(time::timeout(seconds(1), &mut dropped).await.is_err());
    }
    shared.deliver(&announcement("unix", "/a"));
    assert!(shared.announced(ID).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn closing_fails_a_waiting_dial_at_once_and_says_why() {
    let shared = shared();
    let start = Instant::now();
    let close = async { shared.close("the plugin does not serve it".to_owned()) };
    let (waiting, ()) = tokio::join!(shared.announced(ID), close);
    for error in [waiting.unwrap_err(), shared.announced(ID).await.unwrap_err()] {
        assert!(error.to_string().contains("does not serve it"), "{error}");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_knock_is_no_announcement() {
    let shared = shared();
    let knock = crate::goplugin::conn_info::Knock { knock: true, ..Default::default() };
    shared.deliver(&ConnInfo { knock: Some(knock), ..announcement("", "") });
    assert_eq!(time_to_fail(&shared).await.as_secs(), 5);
}

#[test]
fn ids_begin_with_one_and_skip_zero() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let (broker, _service) = Broker::serve(shared().config.clone());
    assert_eq!((broker.next_id(), broker.next_id()), (1, 2));
    broker.shared.last_id.store(u32::MAX, Ordering::Relaxed);
    assert_eq!(broker.next_id(), 1);
}
