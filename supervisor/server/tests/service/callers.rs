//! Who may call, how often, and how connections end.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::fixture::{EMAIL, Fixture, PATIENCE, Setup, TOKEN, eventually};
use crate::http::{ask, ask_on, request};
use crate::plugin::{Plugin, look_up};

/// A user and a group that are nobody's here.
const STRANGER: u32 = 54_321;
const GROUP: u32 = 54_322;

/// What curl gets as a user of these groups: a status, or what it says of a connection that it didn't get.
async fn as_user(socket: &Path, uid: u32, gid: u32) -> String {
    let dir = socket.parent().unwrap();
    // So that it is the socket alone that lets in or not.
    open(dir, 0o755);
    let mut curl = Command::new("curl");
    curl.args(["-s", "-S", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket"]);
    curl.arg(socket).arg("http://x/v1/forward-auth").uid(uid).gid(gid).env_clear();
    let output = tokio::task::spawn_blocking(move || curl.output().unwrap()).await.unwrap();
    if output.status.success() {
        String::from_utf8(output.stdout).unwrap()
    } else {
        String::from_utf8(output.stderr).unwrap()
    }
}

fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn another_user_is_refused_even_where_the_socket_was_opened_up() {
    if !is_root() {
        eprintln!("only root can become another user; not tried");
        return;
    }
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    assert_eq!(as_user(&fixture.socket, 0, 0).await, "401");
    let refused = as_user(&fixture.socket, STRANGER, STRANGER).await;
    assert!(refused.starts_with("curl: (7)"), "the kernel refuses: {refused}");
    open(&fixture.socket, 0o666);
    let refused = as_user(&fixture.socket, STRANGER, STRANGER).await;
    assert!(refused.starts_with("curl: ("), "it is closed without a word: {refused}");
}

#[tokio::test]
async fn members_of_the_group_are_let_in_and_nobody_else_is() {
    if !is_root() {
        eprintln!("only root can give a socket to another group; not tried");
        return;
    }
    let setup = Setup { group: Some(GROUP.to_string()), ..Setup::new() };
    let fixture = setup.start(Plugin::knows(&[])).await;
    assert_eq!(as_user(&fixture.socket, STRANGER, GROUP).await, "401");
    assert!(as_user(&fixture.socket, STRANGER, STRANGER).await.starts_with("curl: (7)"));
    open(&fixture.socket, 0o666);
    assert!(as_user(&fixture.socket, STRANGER, STRANGER).await.starts_with("curl: ("));
    assert_eq!(as_user(&fixture.socket, STRANGER, GROUP).await, "401");
}

#[tokio::test]
async fn a_process_of_a_plugin_is_refused() {
    let own = i32::try_from(std::process::id()).unwrap();
    let is_plugin = Arc::new(move |_: std::os::fd::BorrowedFd<'_>, pid: Option<i32>| {
        assert_eq!(pid, Some(own));
        true
    });
    let setup = Setup { is_plugin, ..Setup::new() };
    let fixture = setup.start(Plugin::knows(&[])).await;
    let mut stream = UnixStream::connect(&fixture.socket).await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_caller_has_a_rate_that_time_fills_and_a_reload_changes() {
    let mut setup = Setup::new();
    setup.rules.rate = 5;
    let fixture = setup.start(Plugin::knows(&[])).await;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let reply = fixture.pass("").await;
        if reply.status == 429 {
            assert_eq!(reply.header("retry-after"), "1");
            assert!(reply.error().contains("service.rate"));
        }
        statuses.push(reply.status);
    }
    assert!(statuses[..5].iter().all(|&status| status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let mut rules = (**fixture.rules.load()).clone();
    rules.rate = 10_000;
    fixture.rules.store(Arc::new(rules));
    let back = async { while fixture.pass("").await.status != 200 {} };
    timeout(PATIENCE, back).await.unwrap();
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let text =
        request("GET", "/v1/forward-auth", &[("Email-Id", EMAIL), ("Access-Token", TOKEN)], "");
    let kept = text.replace("connection: close\r\n", "");
    let stream = UnixStream::connect(&fixture.socket).await.unwrap();
    let reply = ask_on(stream, &format!("{kept}{kept}{text}")).await;
    assert_eq!(reply.raw.matches("HTTP/1.1 200 ").count(), 3, "{}", reply.raw);
}

#[tokio::test]
async fn what_is_no_http_gets_no_further() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /v1/forward-auth HTTP/1.1\r\nhost: x\r\nemail-id: a\r\n b\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
    ] {
        let mut stream = UnixStream::connect(&fixture.socket).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 ") && !answer.contains(" 202 "), "{answer} {read:?}");
    }
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100 << 10));
    let stream = UnixStream::connect(&fixture.socket).await.unwrap();
    assert_eq!(ask_on(stream, &large).await.status, 431);
    assert_eq!(fixture.pass("").await.status, 200);
}

/// A service whose plugin answers when it is told to.
async fn waiting() -> (Arc<Fixture>, Arc<tokio::sync::Semaphore>) {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let plugin = Plugin::new(move |request| {
        let held = held.clone();
        async move {
            held.acquire().await.unwrap().forget();
            Ok(look_up(&request, Vec::new()))
        }
    });
    (Arc::new(Setup::new().start(plugin).await), gate)
}

#[tokio::test]
async fn at_the_end_requests_are_answered_and_idle_connections_closed() {
    let (fixture, gate) = waiting().await;
    let mut idle = UnixStream::connect(&fixture.socket).await.unwrap();
    let asked = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.pass("").await }
    });
    eventually(|| fixture.times() == 1).await;
    fixture.closing.cancel();
    let mut rest = Vec::new();
    timeout(PATIENCE, idle.read_to_end(&mut rest)).await.unwrap().unwrap();
    eventually(|| !fixture.socket.exists()).await;
    assert!(UnixStream::connect(&fixture.socket).await.is_err(), "nobody new comes in");
    assert!(!fixture.serving.is_finished());
    gate.add_permits(1);
    assert_eq!(asked.await.unwrap().status, 200);
    eventually(|| fixture.serving.is_finished()).await;
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_keep_its_connection() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    for _ in 0..50 {
        let mut stream = UnixStream::connect(&fixture.socket).await.unwrap();
        stream.write_all(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
    }
    fixture.closing.cancel();
    eventually(|| fixture.serving.is_finished()).await;
}

#[tokio::test]
async fn a_head_that_is_asked_for_has_no_body() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let reply = ask(&fixture.socket, "HEAD", "/v1/nothing", &[], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (404, ""));
}
