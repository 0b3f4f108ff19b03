//! `/v1/events`: every form, every status, and that what was accepted is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outboard::events::{self, Events, Working};
use outboard::plugin::roles::{Notifier, Roles, Roster};
use outboard::plugin::snapshot::Routes;
use outboard_core::event::Types;
use outboard_store::outbox::{Bounds, Line, Window};
use outboard_store::{DatabaseUrl, Options, Store};
use serde_json::{Value, json};

use crate::fixture::{Fixture, PATIENCE, Setup};
use crate::http::{Reply, ask};
use crate::plugin::Plugin;

/// An instance that is told of everything, and never runs.
const CRIER: &str = "crier";
/// Of the outbox.
const MOST_BYTES: u64 = 200_000;

/// A real outbox, and those who work on it.
pub(crate) struct Outbox {
    pub(crate) events: Events,
    _working: Working,
}

impl Outbox {
    pub(crate) async fn open(dir: &Path, routes: &Arc<Routes>) -> Self {
        let url = DatabaseUrl::sqlite(dir.join("outboard.db"));
        let store = Store::open(&url, &Options::default()).await.unwrap();
        let roster = Roster::default();
        let crier = Notifier { plugin: "crier".into(), types: Types::new(&["*"]).unwrap() };
        let notifiers = BTreeMap::from([(CRIER.to_owned(), crier)]);
        roster.set(Roles { notifiers, ..Roles::default() });
        let settings = events::Settings {
            max_event: 64 << 10,
            bounds: Bounds { max_bytes: MOST_BYTES, pending: 100_000, pending_bytes: 1 << 30 },
            max_age: PATIENCE,
            attempts: 5,
            timeout: PATIENCE,
            concurrency: 1,
            retention: Duration::from_hours(1),
        };
        let (events, working) = Events::open(store, false, routes.clone(), roster, settings);
        Self { events, _working: working }
    }

    /// What is to be delivered.
    async fn kept(&self) -> Vec<Value> {
        let window = Window { rows: 10_000, bytes: 1 << 30 };
        let pending = self.events.outbox().pending(CRIER, Line::Order, 0, window).await.unwrap();
        pending.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect()
    }

    pub(crate) async fn ids(&self) -> Vec<String> {
        let kept = self.kept().await;
        kept.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const ANY: &str = "application/json";

async fn start() -> Fixture {
    Setup::new().start(Plugin::knows(&[])).await
}

async fn publish(fixture: &Fixture, kind: &str, body: &str) -> Reply {
    ask(&fixture.socket, "POST", "/v1/events", &[("content-type", kind)], body).await
}

fn event(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "job.started" })
}

fn proctor() -> Value {
    let content = json!({ "ExecutionID": "7", "Status": "CREATED" });
    json!({ "type": "EXECUTION_EVENT", "user": { "email": "ada@example.com" }, "content": content })
}

#[tokio::test]
async fn events_are_taken_in_all_their_forms() {
    let fixture = start().await;
    let accepted = async |kind: &str, body: Value, count: usize| {
        let reply = publish(&fixture, kind, &body.to_string()).await;
        assert_eq!(reply.status, 202, "{kind} {body} {reply:?}");
        let receipts = reply.json()["receipts"].as_array().unwrap().clone();
        assert_eq!(receipts.len(), count);
        assert!(receipts.iter().all(|receipt| receipt["repeated"] == false), "{receipts:?}");
    };
    accepted(ONE, event("1"), 1).await;
    accepted("application/cloudevents+json; charset=utf-8", event("2"), 1).await;
    accepted(BATCH, json!([event("3"), event("4")]), 2).await;
    accepted(BATCH, json!([]), 0).await;
    accepted(ANY, event("5"), 1).await;
    accepted(ANY, proctor(), 1).await;
    accepted(ANY, json!([event("6"), proctor()]), 2).await;
    let kept = fixture.outbox.kept().await;
    assert_eq!(kept.len(), 8);
    assert_eq!(kept[5]["source"], "/proctor");
    assert_eq!(kept[5]["subject"], "7");
}

#[tokio::test]
async fn an_event_may_also_be_in_headers() {
    let fixture = start().await;
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/shop"),
        ("ce-type", "job.started"),
        ("ce-partitionkey", "a%20b"),
    ];
    let reply = ask(&fixture.socket, "POST", "/v1/events", &headers, r#"{"a":1}"#).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let kept = fixture.outbox.kept().await;
    assert_eq!((&kept[0]["data"], &kept[0]["partitionkey"]), (&json!({ "a": 1 }), &json!("a b")));
    let reply = ask(&fixture.socket, "POST", "/v1/events", &headers[..3], "{}").await;
    assert_eq!(reply.status, 400);
    // What the body's type says goes before the headers.
    let both = [("content-type", ONE), ("ce-id", "x")];
    let body = event("2").to_string();
    assert_eq!(ask(&fixture.socket, "POST", "/v1/events", &both, &body).await.status, 202);
    assert_eq!(fixture.outbox.ids().await, ["1", "2"]);
}

#[tokio::test]
async fn a_repeat_is_answered_as_one_and_kept_once() {
    let fixture = start().await;
    for repeated in [false, true, true] {
        let reply = publish(&fixture, ONE, &event("1").to_string()).await;
        let expected = json!({ "receipts": [{ "id": "1", "repeated": repeated }] });
        assert_eq!((reply.status, reply.json()), (202, expected));
    }
    assert_eq!(fixture.outbox.ids().await, ["1"]);
}

#[tokio::test]
async fn what_is_no_event_is_told_with_its_place_and_nothing_of_the_call_is_kept() {
    let fixture = start().await;
    let bad = async |kind: &str, body: &str, expected: &str| {
        let reply = publish(&fixture, kind, body).await;
        assert_eq!(reply.status, 400, "{kind} {body}");
        assert!(reply.error().contains(expected), "{body}: {}", reply.error());
    };
    bad(ONE, "", "").await;
    bad(ONE, "{", "").await;
    bad(ONE, "[]", "").await;
    bad(ONE, r#"{"specversion":"1.0","id":"1","source":"/a"}"#, "type").await;
    bad(ONE, r#"{"specversion":"2.0","id":"1","source":"/a","type":"x"}"#, "specversion").await;
    bad(ONE, r#"{"specversion":"1.0","id":"1","id":"2","source":"/a","type":"x"}"#, "id").await;
    bad(BATCH, &json!([event("1"), { "specversion": "1.0" }]).to_string(), "[1]").await;
    bad(BATCH, &event("1").to_string(), "").await;
    bad(BATCH, &json!(vec![event("1"); 1001]).to_string(), "1000").await;
    bad(ANY, "null", "").await;
    bad(ANY, r#"{"type":"x","user":{"email":7},"content":{}}"#, "").await;
    for kind in ["text/plain", "application/xml", "application/cloudevents+avro", ""] {
        let reply = publish(&fixture, kind, &event("1").to_string()).await;
        assert_eq!(reply.status, 415, "{kind}");
        assert!(reply.error().contains("application/cloudevents+json"));
    }
    for method in ["GET", "PUT", "DELETE"] {
        let reply = ask(&fixture.socket, method, "/v1/events", &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
    }
    assert!(fixture.outbox.ids().await.is_empty());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_event() {
    let fixture = start().await;
    let mut body = event("1").to_string().into_bytes();
    body.insert(20, 0xff);
    let length = body.len();
    let mut text = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {ONE}\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    text.extend(body);
    let mut stream = tokio::net::UnixStream::connect(&fixture.socket).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &text).await.unwrap();
    assert_eq!(crate::http::ask_on(stream, "").await.status, 400);
}

#[tokio::test]
async fn a_large_event_is_refused_alone_and_in_a_list() {
    let fixture = start().await;
    let mut large = event("1");
    large["data"] = "x".repeat(70 << 10).into();
    let reply = publish(&fixture, ONE, &large.to_string()).await;
    assert_eq!(reply.status, 413);
    assert!(reply.error().contains("events.max_event"));
    let reply = publish(&fixture, BATCH, &json!([event("2"), large]).to_string()).await;
    assert_eq!(reply.status, 413);
    assert!(reply.error().contains("event 1"), "{}", reply.error());
    let ten_mib = "x".repeat(10 << 20);
    assert_eq!(publish(&fixture, ONE, &ten_mib).await.status, 413);
    assert!(fixture.outbox.ids().await.is_empty());
    assert_eq!(publish(&fixture, ONE, &event("3").to_string()).await.status, 202);
}

#[tokio::test]
async fn a_full_outbox_asks_to_come_back() {
    let fixture = start().await;
    let mut large = event("1");
    large["data"] = "x".repeat(60 << 10).into();
    let mut accepted = 0;
    let refused = loop {
        large["id"] = accepted.to_string().into();
        let reply = publish(&fixture, ONE, &large.to_string()).await;
        if reply.status != 202 {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 100, "the outbox has no end");
    };
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(refused.error().contains("events.max_bytes"));
    assert_eq!(fixture.outbox.ids().await.len(), accepted);
}
