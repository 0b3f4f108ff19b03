//! What a plugin makes of its environment.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use nix::unistd::{Gid, Group, Uid};
use outboard_proto::env::COOKIE_KEY;
use outboard_proto::transport::{AddressRule, Broker, BrokerConfig, PeerCheck};

use crate::host::{Start, health};

/// `nogroup` or `nobody`, on any Linux, and no test's own group.
const NOGROUP: Gid = Gid::from_raw(65534);

#[tokio::test]
async fn e04_without_its_cookie_a_plugin_explains_itself_and_exits_with_1() {
    let by_hand = Start::example("hello").without(COOKIE_KEY);
    let by_another = Start::example("hello").var(COOKIE_KEY, "other");
    for start in [by_hand, by_another] {
        let refusal = start.refused().await;
        assert_eq!(refusal.status.code(), Some(1));
        assert_eq!(refusal.stdout, "");
        assert!(refusal.stderr.contains("is a plugin"), "{}", refusal.stderr);
    }
}

#[tokio::test]
async fn e05_the_highest_common_version_is_spoken_or_else_the_lowest_of_ours() {
    for (theirs, agreed) in [("3,2,9", "3"), ("7", "2"), ("", "2"), ("abc,5", "5"), ("1, 2", "2")] {
        let start = go_plugin().var("PLUGIN_PROTOCOL_VERSIONS", theirs);
        assert_eq!(start.run().await.fields()[1], agreed, "{theirs:?}");
    }
    let silent = go_plugin().without("PLUGIN_PROTOCOL_VERSIONS");
    assert_eq!(silent.run().await.fields()[1], "2");
}

#[tokio::test]
async fn e06_unless_asked_for_multiplexing_the_line_has_six_fields() {
    let plugin = Start::example("hello").run().await;
    assert_eq!(plugin.fields().len(), 6, "{}", plugin.line);
    assert_eq!(plugin.fields()[5], "", "no certificate either");
    let empty = Start::example("hello").var("PLUGIN_MULTIPLEX_GRPC", "").run().await;
    assert_eq!(empty.fields().len(), 6, "{}", empty.line);
}

#[tokio::test]
async fn e07_asked_for_multiplexing_the_line_says_that_there_is_none() {
    for asked in ["true", "false"] {
        let plugin = Start::example("hello").var("PLUGIN_MULTIPLEX_GRPC", asked).run().await;
        assert_eq!(plugin.fields()[5..], ["", "false"], "{}", plugin.line);
        assert_eq!(health(plugin.channel().await, "plugin").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn e08_main_and_brokered_sockets_are_in_the_hosts_directory() {
    let plugin = go_plugin().run().await;
    let dir = plugin.dir.path();
    assert_eq!(plugin.socket().parent(), Some(dir));
    let broker = Broker::over(plugin.channel().await, config(&plugin));
    assert_eq!(health(broker.dial(1).await.unwrap(), "").await.unwrap(), 1);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 2);
}

#[tokio::test]
async fn e09_sockets_are_handed_to_the_hosts_group_by_number_or_name() {
    // Only root may hand files to a group that it is not in; anyone else would see no difference.
    let gid = if Uid::effective().is_root() { NOGROUP } else { Gid::effective() };
    let name = Group::from_gid(gid).unwrap().map(|group| group.name);
    for group in std::iter::once(gid.to_string()).chain(name) {
        let plugin = go_plugin().var("PLUGIN_UNIX_SOCKET_GROUP", &group).run().await;
        let broker = Broker::over(plugin.channel().await, config(&plugin));
        broker.dial(1).await.unwrap();
        for entry in fs::read_dir(plugin.dir.path()).unwrap() {
            let socket = entry.unwrap().metadata().unwrap();
            assert_eq!(socket.permissions().mode() & 0o777, 0o660);
            assert_eq!(socket.gid(), gid.as_raw());
        }
    }
}

#[tokio::test]
async fn e09_an_unknown_group_is_a_start_error() {
    let start = Start::example("hello").var("PLUGIN_UNIX_SOCKET_GROUP", "no-such-group");
    check_start_error(start, "no-such-group").await;
}

#[tokio::test]
async fn e10_a_socket_path_that_is_too_long_is_a_start_error() {
    let start = Start::example("hello");
    let deep = start.dir.path().join("x".repeat(120));
    fs::create_dir(&deep).unwrap();
    let start = start.var("PLUGIN_UNIX_SOCKET_DIR", deep.to_str().unwrap());
    check_start_error(start, "the limit is 107").await;
}

/// A log line at error that says what is wrong, nothing on stdout, and a code other than 0.
pub(crate) async fn check_start_error(start: Start, reason: &str) {
    let refusal = start.refused().await;
    assert_eq!(refusal.status.code(), Some(1));
    assert_eq!(refusal.stdout, "");
    let line = refusal.stderr.lines().last().expect("something on stderr");
    let line: serde_json::Value = serde_json::from_str(line).expect(line);
    assert_eq!(line["@level"], "error");
    assert!(line["@message"].as_str().unwrap().contains(reason), "{line}");
}

fn go_plugin() -> Start {
    Start::example("go_plugin").var("EXAMPLE_PLUGIN", "hello").var("PLUGIN_PROTOCOL_VERSIONS", "5")
}

fn config(plugin: &crate::host::Plugin) -> BrokerConfig {
    BrokerConfig {
        socket_dir: plugin.dir.path().to_owned(),
        socket_group: None,
        tls: None,
        check: PeerCheck::any(),
        allow_tcp: AddressRule::UnixOnly,
    }
}
