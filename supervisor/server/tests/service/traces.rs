//! What is left behind: numbers, and lines of a log that no token is in.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Once};

use outboard::gateway::observe::Observer;
use outboard::metrics::Metrics;
use outboard_proto::plugin::v1::{AuthenticateRequest, AuthenticateResponse};
use outboard_proto::plugin::v1::{Refusal, RefusalReason, authenticate_response::Result as Said};
use tonic::Status;
use tracing_subscriber::EnvFilter;

use crate::fixture::{EMAIL, Fixture, Setup, TOKEN};
use crate::plugin::{Plugin, look_up};

/// All that is logged on this thread, which is all that a test has.
struct Log;

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// One for all tests: what none of them listened to when it was first said would never be heard.
    fn begin() {
        static BEGUN: Once = Once::new();
        BEGUN.call_once(|| {
            let filter = EnvFilter::new("outboard=trace");
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Self).init();
        });
    }

    fn text() -> String {
        LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Quotes the token wherever it can, and as URLs have it.
async fn quoting(request: AuthenticateRequest) -> Result<AuthenticateResponse, Status> {
    let token = &request.token;
    match request.email.as_str() {
        EMAIL => Ok(look_up(&request, vec!["a".to_owned()])),
        "down@example.com" => {
            let encoded = token.replace('+', "%2B").replace('/', "%2F");
            Err(Status::unavailable(format!("GET /?access_token={encoded} and {token} failed")))
        }
        _ => {
            let (reason, message) = (RefusalReason::Token.into(), format!("{token} is unknown"));
            let refusal = Said::Refusal(Refusal { reason, message });
            Ok(AuthenticateResponse { result: Some(refusal) })
        }
    }
}

#[tokio::test]
async fn no_token_gets_into_a_log_or_an_answer() {
    Log::begin();
    let fixture = Setup::new().start(Plugin::new(quoting)).await;
    let nasty = "to+ken/with=signs";
    for token in [TOKEN, nasty] {
        for email in [EMAIL, "down@example.com", "bob@example.com"] {
            let headers = [("Email-Id", email), ("Access-Token", token)];
            let forwarded = fixture.forward("?groups=a", &headers).await;
            let body = format!(r#"{{"email":"{email}","token":"{token}"}}"#);
            let asked = fixture.post("/v1/authenticate", &body).await;
            let broken = fixture.post("/v1/authenticate", &body[..body.len() - 1]).await;
            for reply in [forwarded, asked, broken] {
                assert!(!reply.raw.contains(token), "{}", reply.raw);
            }
        }
    }
    let doubled = [("Email-Id", EMAIL), ("Access-Token", TOKEN), ("Access-Token", nasty)];
    fixture.forward("", &doubled).await;
    let log = Log::text();
    assert!(log.contains("refuses somebody") && log.contains("could not say"), "{log}");
    for token in [TOKEN, nasty, "to%2Bken%2Fwith=signs"] {
        assert!(!log.contains(token), "{log}");
    }
}

async fn page(fixture: &Fixture) -> String {
    let metrics = Metrics::new(Observer::default(), Arc::default());
    metrics.with_auth(fixture.auth.clone()).page().await
}

#[tokio::test]
async fn the_page_of_metrics_tells_who_was_let_in() {
    let fixture = Setup::new().start(Plugin::new(quoting)).await;
    fixture.pass("").await;
    fixture.pass("?groups=b").await;
    fixture.forward("", &[("Email-Id", "bob@example.com"), ("Access-Token", "x")]).await;
    while fixture.auth.held_back().is_empty() {
        fixture.forward("", &[("Email-Id", "down@example.com"), ("Access-Token", "x")]).await;
    }
    let page = page(&fixture).await;
    for line in [
        "outboard_auth_decisions_total{result=\"allowed\"} 1",
        "outboard_auth_decisions_total{result=\"denied\"} 1",
        "outboard_auth_decisions_total{result=\"refused\"} 1",
        "outboard_auth_decisions_total{result=\"unavailable\"} 5",
        "outboard_auth_calls_total{result=\"failed\"} 5",
        "outboard_auth_cache_hits_total 0",
        "outboard_auth_joined_total 0",
        "outboard_auth_held_back{instance=\"gate\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}
