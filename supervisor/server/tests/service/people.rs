//! `/v1/authenticate` and `/v1/authorize`: every status, and input that is not what it should be.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tonic::Status;

use crate::fixture::{EMAIL, Fixture, Setup, TOKEN};
use crate::http::{ask, ask_on};
use crate::plugin::Plugin;

async fn knowing(groups: &[&str]) -> Fixture {
    Setup::new().start(Plugin::knows(groups)).await
}

fn claim(email: &str, token: &str) -> String {
    json!({ "email": email, "token": token }).to_string()
}

#[tokio::test]
async fn somebody_who_is_who_they_say_is_described() {
    let fixture = knowing(&["a", "größe"]).await;
    let reply = fixture.post("/v1/authenticate", &claim(EMAIL, TOKEN)).await;
    let user = json!({ "name": "Ada", "email": EMAIL, "groups": ["a", "größe"] });
    assert_eq!((reply.status, reply.json()), (200, json!({ "user": user })));
    assert!(!reply.raw.contains(TOKEN));
    let wants = |groups: &[&str], rule: Option<&str>| {
        let mut body = json!({ "email": EMAIL, "token": TOKEN, "required_groups": groups });
        if let Some(rule) = rule {
            body["match"] = rule.into();
        }
        body.to_string()
    };
    for (groups, rule, allowed) in [
        (&[][..], None, true),
        (&["a"], None, true),
        (&["a", "x"], None, false),
        (&["a", "x"], Some("all"), false),
        (&["a", "x"], Some("any"), true),
        (&["x"], Some("any"), false),
    ] {
        let reply = fixture.post("/v1/authorize", &wants(groups, rule)).await;
        let expected = json!({ "allowed": allowed, "user": user });
        assert_eq!((reply.status, reply.json()), (200, expected), "{groups:?} {rule:?}");
    }
}

#[tokio::test]
async fn who_is_refused_is_not_told_why() {
    let fixture = knowing(&[]).await;
    let mut told = Vec::new();
    for (email, token) in [(EMAIL, "wrong"), ("bob@example.com", TOKEN), ("", ""), (EMAIL, "a\nb")]
    {
        let reply = fixture.post("/v1/authenticate", &claim(email, token)).await;
        assert_eq!(reply.status, 401, "{email} {token}");
        told.push(reply.error());
        assert_eq!(fixture.post("/v1/authorize", &claim(email, token)).await.status, 401);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn a_plugin_that_can_not_say_is_503_and_its_words_stay_here() {
    let down = Plugin::new(|request| async move {
        Err(Status::unavailable(format!("GET /profile?access_token={}", request.token)))
    });
    let fixture = Setup::new().start(down).await;
    for path in ["/v1/authenticate", "/v1/authorize"] {
        let reply = fixture.post(path, &claim(EMAIL, TOKEN)).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
        assert!(!reply.raw.contains(TOKEN) && !reply.raw.contains("profile"), "{}", reply.raw);
    }
}

#[tokio::test]
async fn what_is_not_asked_as_it_should_be_is_told_so() {
    let fixture = knowing(&[]).await;
    let path = "/v1/authorize";
    let bad = [
        "",
        "{",
        "[]",
        "null",
        r#"{"email":"a"}"#,
        r#"{"email":1,"token":"b"}"#,
        r#"{"email":"a","token":"b","x":1}"#,
        r#"{"email":"a","email":"a","token":"b"}"#,
        r#"{"email":"a","token":"b","required_groups":"c"}"#,
        r#"{"email":"a","token":"b","required_groups":[""]}"#,
        r#"{"email":"a","token":"b","match":"ALL"}"#,
        r#"{"email":"a","token":"b"} {}"#,
    ];
    for body in bad {
        let reply = fixture.post(path, body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(!reply.error().is_empty());
    }
    let good = claim(EMAIL, TOKEN);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let reply = ask(&fixture.socket, "POST", path, &[("content-type", kind)], &good).await;
        assert_eq!(reply.status, 415, "{kind}");
    }
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(ask(&fixture.socket, "POST", path, &kind, &good).await.status, 200);
    for method in ["GET", "PUT", "DELETE"] {
        let reply = ask(&fixture.socket, method, path, &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
    }
    for path in ["/", "/v1", "/v1/authorise", "/v1/authorize/", "//v1/authorize"] {
        let reply = fixture.post(path, &good).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.error().contains("/v1/forward-auth"));
    }
}

#[tokio::test]
async fn a_body_is_bounded_whether_it_says_so_or_not() {
    let fixture = knowing(&[]).await;
    let large = claim(EMAIL, &"x".repeat(2 << 20));
    let reply = fixture.post("/v1/authenticate", &large).await;
    assert_eq!(reply.status, 413);
    let head = "POST /v1/authenticate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000)).repeat(20);
    let stream = UnixStream::connect(&fixture.socket).await.unwrap();
    let reply = ask_on(stream, &format!("{head}{chunks}")).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_slow_body_is_cut_off_and_a_slow_head_too() {
    let mut setup = Setup::new();
    setup.patience.body = Duration::from_millis(200);
    setup.patience.head = Duration::from_millis(200);
    let fixture = setup.start(Plugin::knows(&[])).await;
    let head = "POST /v1/authenticate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let stream = UnixStream::connect(&fixture.socket).await.unwrap();
    let reply = ask_on(stream, head).await;
    assert_eq!(reply.status, 408);
    assert!(reply.error().contains("in time"));
    let mut stream = UnixStream::connect(&fixture.socket).await.unwrap();
    stream.write_all(b"POST /v1/authen").await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
    tokio::time::timeout(crate::fixture::PATIENCE, read).await.expect("it is closed").unwrap();
}

#[tokio::test]
async fn all_bodies_together_have_an_end() {
    let mut setup = Setup::new();
    setup.body_space = 1000;
    let fixture = setup.start(Plugin::knows(&[])).await;
    let large = claim(EMAIL, &"x".repeat(2000));
    let reply = fixture.post("/v1/authenticate", &large).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    for _ in 0..100 {
        let reply = fixture.post("/v1/authenticate", &claim(EMAIL, TOKEN)).await;
        assert_eq!(reply.status, 200, "what is answered gives its room back");
    }
}
