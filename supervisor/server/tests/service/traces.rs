//! What is left behind: numbers, and lines of a log that no token is in.

use std::io::Write;
use std::sync::{Arc, Mutex};

use outboard::gateway::observe::Observer;
use outboard::metrics::Metrics;
use outboard_proto::plugin::v1::{AuthenticateRequest, AuthenticateResponse};
use outboard_proto::plugin::v1::{Refusal, RefusalReason, authenticate_response::Result as Said};
use tonic::Status;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{EMAIL, Fixture, Setup, TOKEN};
use crate::plugin::{Plugin, look_up};

/// All that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
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
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("outboard=trace"))
        .with_writer(log.clone())
        .finish();
    // The runtime of this test has this thread only.
    let _logging = tracing::subscriber::set_default(subscriber);
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
    let log = log.text();
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
