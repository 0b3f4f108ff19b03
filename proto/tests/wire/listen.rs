//! Where sockets are made, whose they are, and what they survive.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::{Gid, Group};
use outboard_proto::handshake::Address;
use outboard_proto::transport::{Listener, PeerCheck};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::support::{dial, listen, pair, path, serve, who};

#[tokio::test]
async fn e08_a_socket_gets_a_fresh_name_in_the_directory_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let listeners: Vec<_> =
        (0..3).map(|_| Listener::bind_unix(dir.path(), "plugin").unwrap()).collect();
    for listener in &listeners {
        let path = path(listener.address());
        assert_eq!(path.parent(), Some(dir.path()));
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("plugin"));
        assert!(path.metadata().unwrap().file_type().is_socket());
    }
    drop(listeners);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "sockets are left behind");
}

#[tokio::test]
async fn e09_a_socket_is_shared_with_a_group_by_number_or_name() {
    let dir = tempfile::tempdir().unwrap();
    let gid = Gid::effective();
    let name = Group::from_gid(gid).unwrap().unwrap().name;
    for group in [gid.to_string(), name] {
        let listener = Listener::bind_unix(dir.path(), "plugin").unwrap();
        listener.share_with_group(&group).unwrap();
        let metadata = path(listener.address()).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
        assert_eq!(metadata.gid(), gid.as_raw());
    }
}

#[tokio::test]
async fn e09_an_unknown_group_is_an_error_that_says_what_to_set() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind_unix(dir.path(), "plugin").unwrap();
    let error = listener.share_with_group("no such group").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("PLUGIN_UNIX_SOCKET_GROUP"), "{error}");
}

#[tokio::test]
async fn e10_a_path_over_the_limit_names_the_limit_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    // "/", "plugin" and eight digits come on top.
    let room = 107 - dir.path().as_os_str().len() - 1 - 15;
    let fits = dir.path().join("d".repeat(room));
    let too_long = dir.path().join("d".repeat(room + 1));
    for dir in [&fits, &too_long] {
        std::fs::create_dir(dir).unwrap();
    }
    let listener = Listener::bind_unix(&fits, "plugin").unwrap();
    assert_eq!(path(listener.address()).as_os_str().len(), 107);
    let error = Listener::bind_unix(&too_long, "plugin").err().unwrap().to_string();
    for part in ["has 108 bytes", "the limit is 107", "PLUGIN_UNIX_SOCKET_DIR"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_directory_that_the_handshake_cannot_carry_or_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a|b");
    std::fs::create_dir(&odd).unwrap();
    let error = Listener::bind_unix(&odd, "plugin").err().unwrap();
    assert!(error.to_string().contains("handshake can't carry"), "{error}");
    let error = Listener::bind_unix(Path::new("/nonexistent"), "plugin").err().unwrap();
    assert!(error.to_string().contains("check that its directory exists"), "{error}");
}

#[tokio::test]
async fn l17_a_connection_that_is_opened_and_closed_without_a_byte_disturbs_nobody() {
    let (host, plugin) = pair();
    for (client, server) in [(None, None), (Some(host), Some(plugin))] {
        let dir = tempfile::tempdir().unwrap();
        let (address, incoming) = listen(dir.path(), server);
        let _server = serve(incoming, "plugin");
        drop(UnixStream::connect(path(&address)).await.unwrap());
        let _silent = UnixStream::connect(path(&address)).await.unwrap();
        let channel = dial(&address, client.as_ref()).await.unwrap();
        assert_eq!(who(channel).await.unwrap(), "plugin");
    }
}

#[tokio::test]
async fn t06_a_plaintext_client_is_refused_and_the_listener_survives() {
    let dir = tempfile::tempdir().unwrap();
    let (host, plugin) = pair();
    let (address, incoming) = listen(dir.path(), Some(plugin));
    let _server = serve(incoming, "plugin");

    let mut raw = UnixStream::connect(path(&address)).await.unwrap();
    raw.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // An alert, then the end; never HTTP/2.
    let _ = raw.read_to_end(&mut answer).await;
    assert!(answer.len() < 16 && answer.first() != Some(&0), "{answer:?}");
    match dial(&address, None).await {
        Ok(channel) => assert!(who(channel).await.is_err()),
        Err(error) => assert!(error.to_string().contains("no HTTP/2"), "{error}"),
    }

    let channel = dial(&address, Some(&host)).await.unwrap();
    assert_eq!(who(channel).await.unwrap(), "plugin");
}

#[tokio::test]
async fn an_accepted_process_that_is_not_the_peer_is_refused_before_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind_unix(dir.path(), "plugin").unwrap();
    let address = listener.address().clone();
    let stranger = PeerCheck::new(|_| Err(io::Error::other("a stranger")));
    let _server = serve(listener.incoming(None, stranger), "plugin");
    let mut raw = UnixStream::connect(path(&address)).await.unwrap();
    assert_eq!(raw.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_tcp_listener_is_at_a_port_of_loopback() {
    let (host, plugin) = pair();
    let listener = Listener::bind_tcp_loopback().await.unwrap();
    let address = listener.address().clone();
    assert!(matches!(&address, Address::Tcp(tcp) if tcp.starts_with("127.0.0.1:")), "{address}");
    let _server = serve(listener.incoming(Some(plugin), PeerCheck::any()), "plugin");
    assert_eq!(who(dial(&address, Some(&host)).await.unwrap()).await.unwrap(), "plugin");
}
