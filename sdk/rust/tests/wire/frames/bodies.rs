//! Bodies in pieces, both ways, and what becomes of those that nobody reads.

use outboard_proto::plugin::v1::{HandleRequest, ResetCode};

use super::*;

const MIB: usize = 1024 * 1024;

fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
}

async fn bodies_pass_both_ways(start: Start) {
    let host = Host::of(start).await;
    let body = pattern(3 * MIB);
    let mirrored = (0..32).map(|_| host.send("mirror", body.clone()));
    for reply in futures_util::future::join_all(mirrored).await {
        assert_eq!(reply.status(), 200);
        assert!(reply.body == body, "{} bytes", reply.body.len());
    }
}

#[tokio::test]
async fn bodies_larger_than_every_window_pass_both_ways_at_once() {
    bodies_pass_both_ways(Start::example("streams")).await;
}

#[tokio::test]
async fn so_they_do_on_several_threads() {
    bodies_pass_both_ways(Start::example("streams").var("STREAMS_THREADS", "2")).await;
}

#[tokio::test]
async fn a_whole_body_is_read_and_written_whatever_its_size() {
    let host = Host::start().await;
    for length in [1, 4 * 1024, 64 * 1024, 64 * 1024 + 1, 3 * MIB] {
        let reply = host.send("whole", pattern(length)).await;
        assert_eq!(reply.text(), length.to_string());
        let reply = host.ask(host.get(&format!("zeros?bytes={length}"))).await;
        assert_eq!((reply.status(), reply.body.len()), (200, length));
        let told = reply.header("content-length").map(|told| told.parse().unwrap());
        assert_eq!(told, (64 * 1024 < length).then_some(length), "one frame needs none");
    }
    let reply = host.send("whole", pattern(4 * MIB + 1)).await;
    assert_eq!(reply.status(), 413);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let host = Host::start().await;
    let (mut sending, receiving) = host.open(host.post("mirror"));
    sending.send(Bytes::from_static(b"body"), false).await.unwrap();
    let sum = Header { name: "x-sum".to_owned(), value: Bytes::from_static(b"5f2c") };
    sending.trailers(vec![sum.clone()]).unwrap();
    let reply = Reply::of(receiving).await;
    assert_eq!((reply.text(), &reply.trailers[..]), ("body", &[sum][..]));
}

#[tokio::test]
async fn what_is_not_read_is_not_made() {
    let host = Host::start().await;
    let (_sending, mut receiving) = host.open(host.get("endless"));
    let head = soon(receiving.part()).await.unwrap().unwrap();
    assert!(matches!(head, Part::Response(_)));
    let mut made = 0;
    for _ in 0..100 {
        made = host.ask(host.get("pieces")).await.text().parse().unwrap();
    }
    // With the head, in credit, and one that waits; 16 KiB each.
    assert!((2..=6).contains(&made), "{made}");
    for _ in 0..64 {
        assert!(matches!(soon(receiving.part()).await, Some(Ok(Part::Data(_)))));
    }
    let more: usize = host.ask(host.get("pieces")).await.text().parse().unwrap();
    assert!((64..200).contains(&more), "{more}");
}

#[tokio::test]
async fn uploads_that_nobody_reads_hold_up_nobody() {
    let host = Host::start().await;
    let mut stuck = Vec::new();
    for _ in 0..40 {
        let (mut sending, receiving) = host.open(host.post("wait"));
        let upload = tokio::spawn(async move { sending.send(pattern(MIB), true).await });
        stuck.push((upload, receiving));
    }
    for _ in 0..100 {
        assert_eq!(host.ask(host.get("hello")).await.text(), "hello");
    }
    assert_eq!(host.send("whole", pattern(MIB)).await.text(), MIB.to_string());
    assert!(stuck.iter().all(|(upload, _)| !upload.is_finished()));
    for (upload, _) in stuck {
        upload.abort();
    }
}

#[tokio::test]
async fn an_upload_that_is_refused_is_stopped_and_the_answer_arrives() {
    let host = Host::start().await;
    let (mut sending, receiving) = host.open(host.post("refuse"));
    assert_eq!(Reply::of(receiving).await.status(), 403);
    soon(sending.over()).await;
    assert_eq!(host.mux.open_requests(), 0);
}

#[tokio::test]
async fn a_client_is_told_to_go_on_only_when_its_body_is_wanted() {
    let host = Host::start().await;
    let on_demand = |path: &str| {
        let mut frame = host.post(path);
        frame.request.as_mut().unwrap().expects_continue = true;
        frame
    };
    let (_sending, receiving) = host.open(on_demand("refuse"));
    let reply = Reply::of(receiving).await;
    assert_eq!((reply.status(), reply.informational.len()), (403, 0));

    for path in ["whole", "mirror"] {
        let (mut sending, mut receiving) = host.open(on_demand(path));
        let first = soon(receiving.part()).await;
        let Some(Ok(Part::Informational(first))) = first else { panic!("{path}: {first:?}") };
        assert_eq!(first.status, 100);
        sending.send(Bytes::from_static(b"4"), true).await.unwrap();
        let reply = Reply::of(receiving).await;
        assert_eq!((reply.status(), reply.informational.len()), (200, 0));
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_cut_off_and_one_that_never_began_is_a_failure() {
    let mut host = Host::start().await;
    let reply = host.ask(host.get("broken")).await;
    assert_eq!(reply.body, b"half");
    let Some(Failure::Reset { code: ResetCode::Internal, message }) = reply.failure else {
        panic!("{reply:?}")
    };
    assert!(message.contains("the other half is lost"), "{message}");
    host.logged("a response is cut off").await;
    let reply = host.ask(host.get("broken?early")).await;
    assert_eq!((reply.outcome, reply.failure), (Some(Outcome::Fail), None));
    host.logged("a response has no beginning").await;
    assert_eq!(host.ask(host.get("hello")).await.text(), "hello");
}

#[tokio::test]
async fn a_connection_carries_bytes_both_ways_until_both_have_ended() {
    let mut host = Host::start().await;
    let mut frame = host.post("upgrade");
    frame.request.as_mut().unwrap().upgrade = "other, Echo".to_owned();
    let (mut sending, mut receiving) = host.open(frame);
    let Some(Ok(Part::Response(head))) = soon(receiving.part()).await else { panic!("no 101") };
    assert!(!head.end);
    let response = head.response.unwrap();
    assert_eq!((response.status, response.headers[0].name.as_str()), (101, "upgrade"));
    let body = pattern(3 * MIB);
    let sent = body.clone();
    let upload = tokio::spawn(async move { sending.send(sent, true).await });
    let reply = Reply::of(receiving).await;
    upload.await.unwrap().unwrap();
    assert_eq!(reply.failure, None);
    assert!(reply.body == [&body[..], b" and bye"].concat(), "{} bytes", reply.body.len());
    host.logged("upgrade is dropped").await;
    assert_eq!(host.mux.open_requests(), 0);
}

#[tokio::test]
async fn a_connection_whose_handler_panics_does_not_seem_to_end_well() {
    let host = Host::start().await;
    let mut frame = host.post("bad-upgrade");
    frame.request.as_mut().unwrap().upgrade = "echo".to_owned();
    let (_sending, receiving) = host.open(frame);
    let reply = Reply::of(receiving).await;
    assert_eq!(reply.body, b"half");
    assert!(matches!(reply.failure, Some(Failure::Reset { code: ResetCode::Internal, .. })));
}

#[tokio::test]
async fn who_does_not_ask_for_an_upgrade_gets_none() {
    let host = Host::start().await;
    assert_eq!(host.ask(host.get("upgrade")).await.status(), 426);
    let mut frame = host.get("upgrade");
    frame.request.as_mut().unwrap().upgrade = "websocket".to_owned();
    assert_eq!(host.ask(frame).await.status(), 426);
}

/// The host leaves it without an end, as the plugin might accept.
#[tokio::test]
async fn a_request_that_could_be_upgraded_has_an_empty_body_for_who_does_not_care() {
    let host = Host::start().await;
    for (path, text) in [("whole", "0"), ("mirror", "")] {
        let mut frame = host.post(path);
        frame.request.as_mut().unwrap().upgrade = "h2c".to_owned();
        let (_sending, receiving) = host.open(frame);
        assert_eq!(Reply::of(receiving).await.text(), text, "{path}");
    }
}

#[tokio::test]
async fn the_plain_path_collects_a_body_in_pieces_up_to_its_limit() {
    let host = Host::start().await;
    for (path, expected) in [("mirror", Some("body")), ("endless", None), ("broken", None)] {
        let frame = host.get(path);
        let mut client = HttpClient::new(host.fixture.channel());
        let call = HandleRequest {
            activation: frame.activation,
            request: frame.request,
            r#match: frame.matches.first().cloned(),
            body: Bytes::from_static(b"body"),
            ..HandleRequest::default()
        };
        let answer = soon(client.handle(call)).await.unwrap().into_inner();
        assert_eq!(answer.response.is_some(), expected.is_some(), "{path}");
        assert_eq!(answer.outcome() == Outcome::Fail, expected.is_none(), "{path}");
        assert_eq!(answer.body, expected.unwrap_or_default());
    }
}
