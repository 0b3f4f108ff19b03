//! How a plugin serves, and how it ends.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outboard_proto::env::{COOKIE_KEY, COOKIE_VALUE, HOST_ADDRESS};
use outboard_proto::goplugin::grpc_broker_client::GrpcBrokerClient;
use outboard_proto::goplugin::grpc_stdio_client::GrpcStdioClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::timeout;
use tonic::Code;

use crate::host::{SOON, Start, example, health, shutdown};
use crate::outboard::{Fixture, get};

/// What a host grants between asking and killing.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn l01_health_is_serving_for_plugin_and_the_empty_name_and_not_found_else() {
    let plugin = Start::example("hello").run().await;
    let channel = plugin.channel().await;
    assert_eq!(health(channel.clone(), "plugin").await.unwrap(), 1);
    assert_eq!(health(channel.clone(), "").await.unwrap(), 1);
    assert_eq!(health(channel, "nope").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn l13_asked_to_go_an_idle_plugin_exits_at_once_with_0_and_takes_its_socket_along() {
    let mut plugin = Start::example("hello").run().await;
    let channel = plugin.channel().await;
    // As hosts do, which keep both streams open for good.
    let mut streams =
        (GrpcBrokerClient::new(channel.clone()), GrpcStdioClient::new(channel.clone()));
    let broker = streams.0.start_stream(tokio_stream::pending()).await.unwrap();
    let stdio = streams.1.stream_stdio(()).await.unwrap();
    let begun = Instant::now();
    shutdown(channel).await.unwrap();
    assert!(plugin.ended_within(GRACE).await.success());
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(!plugin.socket().exists());
    drop((broker, stdio));
}

#[tokio::test]
async fn l14_shutdown_is_answered_promptly_while_calls_run_and_the_exit_comes_in_time() {
    let mut fixture = Fixture::start("busy").await;
    let channel = fixture.plugin.channel().await;
    let sleeping = tokio::spawn(fixture.handle(get("sleep")));
    assert!(fixture.handle(get("whoami")).await.is_ok(), "the other call has begun");
    let begun = Instant::now();
    shutdown(channel).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(fixture.plugin.ended_within(GRACE).await.success());
    assert!(timeout(SOON, sleeping).await.unwrap().unwrap().is_err(), "it was cancelled");
}

#[tokio::test]
async fn l14_a_handler_that_blocks_its_thread_can_not_outlive_the_hosts_patience() {
    let mut fixture = Fixture::start("busy").await;
    let channel = fixture.plugin.channel().await;
    let blocking = tokio::spawn(fixture.handle(get("block")));
    fixture.plugin.logged("at the gate").await;
    shutdown(channel).await.unwrap();
    fixture.plugin.signal(Signal::SIGUSR1);
    assert!(fixture.plugin.ended_within(GRACE).await.success());
    assert!(!fixture.plugin.socket().exists());
    assert!(blocking.await.unwrap().is_err());
}

#[tokio::test]
async fn l15_sigint_does_not_end_a_plugin() {
    let plugin = Start::example("hello").run().await;
    let channel = plugin.channel().await;
    for _ in 0..3 {
        plugin.signal(Signal::SIGINT);
        assert_eq!(health(channel.clone(), "plugin").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn sigterm_ends_a_plugin_as_shutdown_does() {
    let mut plugin = Start::example("hello").run().await;
    plugin.signal(Signal::SIGTERM);
    assert!(plugin.ended_within(GRACE).await.success());
    assert!(!plugin.socket().exists());
}

#[tokio::test]
async fn l16_under_outboard_the_end_of_stdin_is_the_hosts_end() {
    let mut plugin = Start::example("hello").var(HOST_ADDRESS, "unix:///nowhere").run().await;
    drop(plugin.stdin.take());
    assert!(plugin.ended_within(GRACE).await.success());
    assert!(!plugin.socket().exists());
}

/// Such a host passes on its own stdin, which may end, or hold what it has not read yet.
#[tokio::test]
async fn l16_under_another_host_stdin_is_let_alone() {
    let mut plugin = Start::example("hello").run().await;
    let mut stdin = plugin.stdin.take().unwrap();
    stdin.write_all(b"the host's own").await.unwrap();
    drop(stdin);
    plugin.lives_on_for(Duration::from_millis(1500)).await;
    assert_eq!(health(plugin.channel().await, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn l16_under_another_host_a_new_parent_is_the_hosts_end() {
    let dir = tempfile::TempDir::new().unwrap();
    let (sender, mut stdout) = pipe::pipe().unwrap();
    // A host that is killed the moment it has the line.
    let mut host = Command::new("sh")
        .args(["-c", "\"$0\" & read forever"])
        .arg(example("hello"))
        .env(COOKIE_KEY, COOKIE_VALUE)
        .env("PLUGIN_UNIX_SOCKET_DIR", dir.path())
        .stdin(Stdio::piped())
        .stdout(sender.into_blocking_fd().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = [0];
    while line != *b"\n" {
        timeout(SOON, stdout.read_exact(&mut line)).await.unwrap().unwrap();
    }
    host.kill().unwrap();
    host.wait().unwrap();
    // The plugin holds the pipe's last writing end.
    timeout(SOON, stdout.read_to_end(&mut Vec::new())).await.expect("it lives on").unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the socket is gone");
}

#[tokio::test]
async fn l17_a_connection_without_a_byte_does_no_harm() {
    let plugin = Start::example("hello").run().await;
    for _ in 0..10 {
        drop(UnixStream::connect(plugin.socket()).await.unwrap());
    }
    let silent = UnixStream::connect(plugin.socket()).await.unwrap();
    let mut loud = UnixStream::connect(plugin.socket()).await.unwrap();
    loud.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(health(plugin.channel().await, "plugin").await.unwrap(), 1);
    drop((silent, loud));
}

#[tokio::test]
async fn l18_a_host_that_comes_back_is_served_again_and_several_at_once() {
    let plugin = Start::example("hello").run().await;
    for _ in 0..3 {
        assert_eq!(health(plugin.channel().await, "plugin").await.unwrap(), 1);
    }
    let (first, second) = (plugin.channel().await, plugin.channel().await);
    assert_eq!(health(first, "plugin").await.unwrap(), 1);
    assert_eq!(health(second, "plugin").await.unwrap(), 1);
}
