//! What is dialled, what is not, and what happens when the other side goes and comes.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use outboard_proto::handshake::Address;
use outboard_proto::transport::{AddressRule, ConnectError, Listener, PeerCheck, connect};
use tokio::net::UnixListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use crate::support::{PATIENCE, Task, dial, named, serve, who};

fn tcp(address: &str) -> Address {
    Address::Tcp(address.to_owned())
}

async fn error(address: &Address, rule: AddressRule) -> String {
    let check = PeerCheck::any().with_tcp(rule);
    connect(address, None, &check, PATIENCE).await.unwrap_err().to_string()
}

#[tokio::test]
async fn h14_all_spellings_of_this_machine_are_dialled() {
    let listener = Listener::bind_tcp_loopback().await.unwrap();
    let (_, port) = listener.address().host_and_port().unwrap();
    let _server = serve(listener.incoming(None, PeerCheck::any()), "plugin");
    for host in ["127.0.0.1", "localhost", "", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        let channel = dial(&tcp(&format!("{host}:{port}")), None).await.unwrap();
        assert_eq!(who(channel).await.unwrap(), "plugin", "{host}");
    }
}

#[tokio::test]
async fn h15_an_abstract_socket_is_dialled() {
    let name = format!("outboard-test-{}", std::process::id()).into_bytes();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let _server = plain(UnixListener::from_std(listener).unwrap());
    let channel = dial(&Address::Abstract(name), None).await.unwrap();
    assert_eq!(who(channel).await.unwrap(), "plugin");
}

#[tokio::test]
async fn tcp_to_another_machine_needs_leave_and_no_name_is_looked_up_without_it() {
    for address in ["192.0.2.1:80", "example.com:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"] {
        let error = error(&tcp(address), AddressRule::Loopback).await;
        assert!(error.contains("only allowed to this machine"), "{error}");
    }
    let error = error(&tcp("127.0.0.1:80"), AddressRule::UnixOnly).await;
    assert!(error.contains("TCP is not allowed here"), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_missing_or_that_nobody_listens_on_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plugin");
    for exists in [false, true] {
        if exists {
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        }
        let error = error(&Address::Unix(path.clone()), AddressRule::Loopback).await;
        assert!(error.contains(path.to_str().unwrap()) && error.contains("still runs"), "{error}");
    }
}

#[tokio::test]
async fn a_process_that_listens_but_is_not_the_peer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind_unix(dir.path(), "plugin").unwrap();
    let check = PeerCheck::new(|_| Err(io::Error::other("pid 7 is a stranger")));
    let result = connect(listener.address(), None, &check, PATIENCE).await;
    let error = result.unwrap_err();
    assert!(matches!(&error, ConnectError::Peer { .. }), "{error}");
    assert!(error.to_string().contains("pid 7 is a stranger"), "{error}");
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_given_up_in_time() {
    let (host, _) = crate::support::pair();
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind_unix(dir.path(), "plugin").unwrap();
    let limit = Duration::from_millis(50);
    let result = connect(listener.address(), Some(&host), &PeerCheck::any(), limit).await;
    let error = result.unwrap_err();
    assert!(matches!(&error, ConnectError::Timeout { .. }), "{error}");
}

/// A server without checks at a fixed path, so that it can come back there.
fn plain(listener: UnixListener) -> Task {
    let incoming = UnixListenerStream::new(listener);
    let server = Server::builder().add_service(named("plugin")).serve_with_incoming(incoming);
    Task::spawn(async move { server.await.unwrap() })
}

/// One connection, which breaks when the task is dropped: tonic's own tasks would keep it.
fn at(path: &Path) -> Task {
    let _ = std::fs::remove_file(path);
    let mut listener = UnixListenerStream::new(UnixListener::bind(path).unwrap());
    Task::spawn(async move {
        let socket = listener.next().await.unwrap().unwrap();
        let service = hyper_util::service::TowerToHyperService::new(
            tonic::service::Routes::new(named("plugin")).prepare(),
        );
        let executor = hyper_util::rt::TokioExecutor::new();
        let _ = hyper_util::server::conn::auto::Builder::new(executor)
            .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
            .await;
    })
}

#[tokio::test]
async fn a_channel_connects_again_through_the_same_check() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("plugin");
    let is_stranger = Arc::new(AtomicBool::new(false));
    let asked = is_stranger.clone();
    let check = PeerCheck::new(move |_| {
        if asked.load(Ordering::Relaxed) {
            return Err(io::Error::other("a stranger took the socket"));
        }
        Ok(())
    });

    let first = at(&path);
    let channel = connect(&Address::Unix(path.clone()), None, &check, PATIENCE).await.unwrap();
    assert_eq!(who(channel.clone()).await.unwrap(), "plugin");
    drop(first);
    let second = at(&path);
    assert_eq!(until_reconnected(&channel).await.unwrap(), "plugin");

    is_stranger.store(true, Ordering::Relaxed);
    drop(second);
    let _third = at(&path);
    let error = until_reconnected(&channel).await.unwrap_err();
    assert!(format!("{error:?}").contains("a stranger took the socket"), "{error:?}");
}

/// The first call may still meet the connection that just broke.
async fn until_reconnected(channel: &tonic::transport::Channel) -> Result<String, tonic::Status> {
    let first = who(channel.clone()).await;
    if first.is_ok() { first } else { who(channel.clone()).await }
}

#[tokio::test]
async fn a_full_queue_of_connections_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plugin");
    let listener = tight_listener(&path);
    // Fills the queue: the next connection would be refused at once.
    let mut queued = Vec::new();
    while let Ok(socket) = nonblocking(&path) {
        queued.push(socket);
    }
    let address = Address::Unix(path);
    let mut dialling = std::pin::pin!(dial(&address, None));
    let waits = tokio::time::timeout(Duration::from_millis(20), &mut dialling).await;
    assert!(waits.is_err(), "the queue had room");
    drop(queued);
    let _server = plain(listener);
    assert_eq!(who(dialling.await.unwrap()).await.unwrap(), "plugin");
}

fn unix_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap()
}

fn tight_listener(path: &Path) -> UnixListener {
    let socket = unix_socket();
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
    socket::listen(&socket, Backlog::new(1).unwrap()).unwrap();
    UnixListener::from_std(socket.into()).unwrap()
}

fn nonblocking(path: &Path) -> nix::Result<OwnedFd> {
    let socket = unix_socket();
    socket::connect(socket.as_raw_fd(), &UnixAddr::new(path).unwrap())?;
    Ok(socket)
}
