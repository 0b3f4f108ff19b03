//! What becomes of prints and logs.

use std::time::Duration;

use outboard_proto::goplugin::grpc_stdio_client::GrpcStdioClient;
use outboard_proto::goplugin::stdio_data::Channel;
use tokio::time::timeout;

use crate::host::{SOON, health, shutdown};
use crate::outboard::{Fixture, get};

const MEGABYTE: usize = 1_000_000;

#[tokio::test]
async fn s02_a_megabyte_printed_at_once_arrives_whole_and_calls_go_on() {
    let fixture = Fixture::start("busy").await;
    let channel = fixture.plugin.channel().await;
    let mut stdio = GrpcStdioClient::new(channel.clone());
    let mut pieces = stdio.stream_stdio(()).await.unwrap().into_inner();
    let printed = fixture.handle(get(&format!("print/{MEGABYTE}")));
    assert_eq!(timeout(SOON, printed).await.unwrap().unwrap().body, "printed");
    assert_eq!(health(channel, "plugin").await.unwrap(), 1);
    let mut received = 0;
    while received < MEGABYTE {
        let piece = timeout(SOON, pieces.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(piece.channel(), Channel::Stdout);
        assert!((1..=1024).contains(&piece.data.len()), "{}", piece.data.len());
        received += piece.data.len();
    }
    assert_eq!(received, MEGABYTE);
}

#[tokio::test]
async fn s03_what_nobody_listens_to_is_dropped_and_counted_and_calls_go_on() {
    let mut fixture = Fixture::start("busy").await;
    let printed = fixture.handle(get(&format!("print/{MEGABYTE}")));
    assert_eq!(timeout(SOON, printed).await.unwrap().unwrap().body, "printed");
    let channel = fixture.plugin.channel().await;
    assert_eq!(health(channel.clone(), "plugin").await.unwrap(), 1);
    shutdown(channel).await.unwrap();
    let line = fixture.plugin.logged("\"bytes\"").await;
    assert_eq!(line["@level"], "warn");
    assert_eq!(line["bytes"], MEGABYTE - 64 * 1024);
    assert!(fixture.plugin.ended_within(Duration::from_secs(2)).await.success());
    assert_eq!(fixture.plugin.rest_of_stdout().await, "", "nothing of it on the real stdout");
}

#[tokio::test]
async fn s04_what_was_printed_right_before_the_end_arrives() {
    let fixture = Fixture::start("busy").await;
    let channel = fixture.plugin.channel().await;
    let mut stdio = GrpcStdioClient::new(channel.clone());
    let mut pieces = stdio.stream_stdio(()).await.unwrap().into_inner();
    // Less than a line: the program's own buffer holds it until the end.
    fixture.handle(get("print/100")).await.unwrap();
    shutdown(channel).await.unwrap();
    let mut received = 0;
    while let Ok(Some(piece)) = timeout(SOON, pieces.message()).await.unwrap() {
        received += piece.data.len();
    }
    assert_eq!(received, 100);
}

#[tokio::test]
async fn s05_an_event_is_an_hclog_line_with_its_fields_flat() {
    let mut fixture = Fixture::start("busy").await;
    fixture.handle(get("tell")).await.unwrap();
    let line = fixture.plugin.logged("\"told\"").await;
    assert_eq!(line["@level"], "info");
    assert_eq!(line["@module"], "busy");
    assert_eq!(line["count"], 7);
    let timestamp = line["@timestamp"].as_str().unwrap();
    assert_eq!(timestamp.split_once('.').unwrap().1.len(), "000000Z".len(), "{timestamp}");
}

#[tokio::test]
async fn s10_a_panic_is_a_line_at_error() {
    let mut fixture = Fixture::start("busy").await;
    fixture.handle(get("panic")).await.unwrap();
    let line = fixture.plugin.logged("panicked").await;
    assert_eq!(line["@level"], "error");
    assert_eq!(line["@message"], "panicked: as asked");
    assert!(line["location"].as_str().unwrap().contains("busy.rs"), "{line}");
}
