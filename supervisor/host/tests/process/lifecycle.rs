//! Health, stopping, killing, crashing: what must hold however the tree is held together.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outboard_host::{Exit, HealthError, Process};
use outboard_proto::handshake::Address;
use tokio::time::timeout;

use crate::handshake::brief;
use crate::stage::{Stage, command};

crate::tests![
    l02_a_plugin_that_says_not_serving_is_unhealthy,
    l03_connecting_does_not_wait_for_headers,
    l04_a_plugin_without_any_service_starts_and_is_stopped_by_sigterm,
    l05_a_refused_connection_is_a_start_error,
    l06_a_plugin_that_accepts_and_is_silent_does_not_hold_up_its_host,
    l07_a_stop_is_quick_and_leaves_no_socket,
    a_killed_plugin_leaves_no_socket_and_what_took_its_place_stays,
    l08_an_error_in_answer_to_shutdown_counts_as_asked,
    l09_a_stopped_plugin_is_killed_within_the_grace,
    l10_a_grandchild_that_holds_the_pipes_delays_nothing,
    l10_a_grandchild_does_not_outlive_a_crash,
    l11_a_crash_in_a_call_fails_the_call_and_is_seen_at_once,
    l12_killing_twice_and_stopping_the_dead_is_no_error,
    l12_dropping_a_start_kills_what_was_started,
    a_plugin_that_stays_after_shutdown_is_terminated,
    dropping_a_process_kills_its_tree,
    a_guard_that_is_killed_takes_its_tree_with_it_and_counts_as_killed,
    another_plugins_socket_is_refused,
];

const GRACE: Duration = Duration::from_secs(5);
const TERMINATED: Exit = Exit::Signal { signal: 15, core: false };
const KILLED: Exit = Exit::Signal { signal: 9, core: false };

async fn l02_a_plugin_that_says_not_serving_is_unhealthy(stage: Stage) {
    let process = stage.start(&["serve:not-serving"]).await;
    let error = process.check_health().await.expect_err("unhealthy");
    assert!(matches!(error, HealthError::NotServing(_)), "{error}");
}

async fn l03_connecting_does_not_wait_for_headers(stage: Stage) {
    let began = Instant::now();
    let process = stage.start(&["serve:lazy"]).await;
    process.check_health().await.expect("healthy");
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}

async fn l04_a_plugin_without_any_service_starts_and_is_stopped_by_sigterm(stage: Stage) {
    let process = stage.start(&["serve:bare"]).await;
    process.check_health().await.expect("no health service counts as healthy");
    let began = Instant::now();
    assert_eq!(process.stop(Duration::from_mins(1)).await, TERMINATED);
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}

async fn l05_a_refused_connection_is_a_start_error(stage: Stage) {
    let line = format!("out:1|1|unix|{}|grpc\n", stage.dir().join("nobody").display());
    let launch = stage.launch(&["beacon", &line, "stay"]);
    stage.fails(launch, &["nobody listens on", "/nobody", "must listen before"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn l06_a_plugin_that_accepts_and_is_silent_does_not_hold_up_its_host(stage: Stage) {
    let path = stage.dir().join("silent");
    let line = format!("out:1|1|unix|{}|grpc\n", path.display());
    let listen = format!("listen:{}", path.display());
    let launch = brief(stage.launch(&["beacon", &listen, &line, "stay"]));
    stage.fails(launch, &["does not answer gRPC", "silent for 300ms"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn l07_a_stop_is_quick_and_leaves_no_socket(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    let Address::Unix(socket) = process.handshake().address.clone() else { panic!("no socket") };
    assert!(socket.exists());
    let began = Instant::now();
    assert_eq!(process.stop(GRACE).await, Exit::Code(0));
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
    assert!(!socket.exists());
}

async fn a_killed_plugin_leaves_no_socket_and_what_took_its_place_stays(stage: Stage) {
    let socket = |process: &Process| match &process.handshake().address {
        Address::Unix(socket) => socket.clone(),
        other => panic!("no socket: {other}"),
    };
    let process = stage.start(&["serve"]).await;
    assert!(socket(&process).exists());
    process.kill().await;
    assert!(!socket(&process).exists());

    let process = stage.start(&["serve"]).await;
    std::fs::remove_file(socket(&process)).expect("removed");
    std::fs::write(socket(&process), "precious").expect("written");
    process.kill().await;
    assert!(socket(&process).exists());
}

async fn l08_an_error_in_answer_to_shutdown_counts_as_asked(stage: Stage) {
    let process = stage.start(&["serve:unavailable"]).await;
    assert_eq!(process.stop(GRACE).await, Exit::Code(7));
}

async fn l09_a_stopped_plugin_is_killed_within_the_grace(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    kill(Pid::from_raw(process.pid()), Signal::SIGSTOP).expect("stopped");
    let (began, grace) = (Instant::now(), Duration::from_millis(400));
    assert_eq!(process.stop(grace).await, KILLED);
    assert!(began.elapsed() < grace + GRACE, "{:?}", began.elapsed());
}

async fn l10_a_grandchild_that_holds_the_pipes_delays_nothing(stage: Stage) {
    let process = stage.start(&["daemon", "serve"]).await;
    let mut grandchild = stage.beacon().await;
    let began = Instant::now();
    assert_eq!(process.stop(GRACE).await, Exit::Code(0));
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
    assert!(grandchild.is_out());
}

async fn l10_a_grandchild_does_not_outlive_a_crash(stage: Stage) {
    let process = stage.start(&["daemon", "serve"]).await;
    let grandchild = stage.beacon().await;
    command(&process, "crash").await.expect_err("crashed");
    grandchild.out().await;
    drop(process);
}

async fn l11_a_crash_in_a_call_fails_the_call_and_is_seen_at_once(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    let mut exited = process.exited();
    assert_eq!(*exited.borrow(), None);
    command(&process, "crash").await.expect_err("crashed");
    let exit = timeout(GRACE, exited.wait_for(Option::is_some)).await;
    let exit = *exit.expect("seen at once").expect("known");
    assert!(matches!(exit, Some(Exit::Signal { signal: 6, .. })), "{exit:?}");
}

async fn l12_killing_twice_and_stopping_the_dead_is_no_error(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    let (first, second) = tokio::join!(process.kill(), process.kill());
    assert_eq!((first, second), (KILLED, KILLED));
    assert_eq!(process.kill().await, KILLED);
    let began = Instant::now();
    assert_eq!(process.stop(Duration::from_mins(1)).await, KILLED);
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}

async fn l12_dropping_a_start_kills_what_was_started(stage: Stage) {
    let mut starting = Box::pin(stage.begin(stage.launch(&["daemon", "beacon", "stay"])));
    let (first, second) = tokio::select! {
        started = &mut starting => panic!("started: {started:?}"),
        beacons = async { (stage.beacon().await, stage.beacon().await) } => beacons,
    };
    drop(starting);
    first.out().await;
    second.out().await;
}

async fn a_plugin_that_stays_after_shutdown_is_terminated(stage: Stage) {
    let process = stage.start(&["serve:deaf"]).await;
    let (began, grace) = (Instant::now(), Duration::from_millis(400));
    assert_eq!(process.stop(grace).await, TERMINATED);
    assert!(began.elapsed() >= grace / 2, "{:?}", began.elapsed());
}

async fn dropping_a_process_kills_its_tree(stage: Stage) {
    let process = stage.start(&["daemon", "beacon", "serve"]).await;
    let (first, second) = (stage.beacon().await, stage.beacon().await);
    drop(process);
    first.out().await;
    second.out().await;
}

async fn a_guard_that_is_killed_takes_its_tree_with_it_and_counts_as_killed(stage: Stage) {
    let process = stage.start(&["daemon", "serve"]).await;
    let grandchild = stage.beacon().await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()));
    let status = status.expect("it runs");
    let guard = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("a parent");
    kill(Pid::from_raw(guard.trim().parse().expect("an id")), Signal::SIGKILL).expect("killed");
    let mut exited = process.exited();
    let exit = *exited.wait_for(Option::is_some).await.expect("known");
    assert_eq!(exit, Some(KILLED));
    grandchild.out().await;
    assert_eq!(process.stop(GRACE).await, KILLED);
}

async fn another_plugins_socket_is_refused(stage: Stage) {
    let honest = stage.start(&["serve"]).await;
    let Address::Unix(socket) = &honest.handshake().address else { panic!("no socket") };
    let line = format!("out:1|1|unix|{}|grpc\n", socket.display());
    let launch = stage.launch(&["beacon", &line, "stay"]);
    stage.fails(launch, &["where another process listens", "address of its own socket"]).await;
    assert!(stage.beacon().await.is_out());
    assert!(socket.exists(), "a socket that is not the plugin's own is left alone");
    honest.check_health().await.expect("undisturbed");
}
