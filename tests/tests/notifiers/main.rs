//! The bundled notifiers in a real supervisor: an event that a plugin announces reaches a chat, a URL and a mailbox.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::receiver::Receiver;
use e2e::supervisor::{LIMIT, Supervisor, stage::Stage};
use serde_json::Value;

/// The part of a URL that must never be seen.
const SECRET: &str = "services/T0TOPSECRET/B0HUSHHUSH";

const EVENT: &str = r#"{"user":{"email":"ann@example.org"},"content":{"JobName":"a-job"}}"#;

/// The mock, which announces, and those notifiers.
fn stage(notifiers: &[&str]) -> Result<Stage> {
    let stage = Stage::with_mock()?;
    fs::copy(stage.plugin("mock/roles.toml"), stage.plugin("mock/plugin.toml"))?;
    for name in notifiers {
        stage.install(name)?;
    }
    Ok(stage)
}

/// Of a plugin and its instance, and the operator's grant.
fn configuration(instance: &str) -> String {
    format!("[[plugin]]\nname = \"mock\"\ngrants.emit = [\"mock.*\"]\n{instance}")
}

fn slack(url: &str) -> String {
    let parameters = format!("parameters = {{ url = \"{url}\", timeout = \"2s\" }}");
    configuration(&format!("[[instance]]\nplugin = \"slack\"\nname = \"alerts\"\n{parameters}\n"))
}

fn announce(supervisor: &Supervisor<'_>) -> Result<()> {
    let reply =
        supervisor.request("POST", "/api/mock/emit/mock.greeting?id=greeting", "", EVENT)?;
    ensure!(reply.status == 200, "{}: {}", reply.status, reply.text());
    Ok(())
}

#[test]
fn what_a_plugin_announces_is_posted_to_a_channel_and_the_url_is_nowhere() -> Result<()> {
    let receiver = Receiver::http(["200 OK\r\n"])?;
    let stage = stage(&["slack"])?;
    stage.configure(&slack(&receiver.url(SECRET)))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    let sent = receiver.next()?;
    ensure!(sent.first == format!("POST /{SECRET} HTTP/1.1"), "{}", sent.first);
    let message: Value = serde_json::from_str(&sent.body)?;
    let text = message["text"].as_str().unwrap_or_default();
    ensure!(text.starts_with("User: ann@example.org\nmock.greeting"), "{message}");
    let log = supervisor.log.all().join("\n");
    ensure!(!log.contains("TOPSECRET") && !log.contains("HUSHHUSH"), "{log}");
    Ok(())
}

#[test]
fn n16_a_channel_that_asks_for_time_gets_it_and_then_the_event() -> Result<()> {
    let busy = "429 Too Many Requests\r\nretry-after: 2\r\n";
    let receiver = Receiver::http([busy, "503 Service Unavailable\r\n", "200 OK\r\n"])?;
    let stage = stage(&["slack"])?;
    stage.configure(&slack(&receiver.url(SECRET)))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    let first = receiver.next()?;
    let begun = Instant::now();
    let second = receiver.next()?;
    let waited = begun.elapsed();
    ensure!(waited > Duration::from_millis(1900), "it came again after {waited:?}");
    let third = receiver.next()?;
    ensure!(first.body == second.body && second.body == third.body);
    Ok(())
}

#[test]
fn what_a_channel_refuses_is_a_dead_letter_with_its_word_and_without_the_url() -> Result<()> {
    let receiver = Receiver::http(["404 Not Found\r\n"])?;
    let stage = stage(&["slack"])?;
    stage.configure(&slack(&receiver.url(SECRET)))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    let end = Instant::now() + LIMIT;
    let dead = loop {
        let dead = supervisor.command(&["event", "dead", "--json"])?.stdout;
        if dead.contains("404 Not Found") || Instant::now() > end {
            break dead;
        }
        supervisor.log.more_than(supervisor.log.mark(), Duration::from_millis(100));
    };
    ensure!(dead.contains("404 Not Found"), "{dead}");
    ensure!(!dead.contains("TOPSECRET"), "{dead}");
    Ok(())
}

#[test]
fn slacks_variable_reaches_slack_and_no_other_plugin() -> Result<()> {
    let receiver = Receiver::http(["200 OK\r\n"])?;
    let mut stage = stage(&["slack"])?;
    stage.set("SLACK_PLUGIN_URL", &receiver.url(SECRET));
    stage.configure(&configuration(""))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    receiver.next()?;
    let env = supervisor.get("/api/mock/env")?.text();
    ensure!(!env.contains("SLACK_PLUGIN_URL"), "{env}");
    Ok(())
}

#[test]
fn without_a_url_slack_says_which_one_is_missing_and_the_others_serve() -> Result<()> {
    let stage = stage(&["slack"])?;
    let supervisor = stage.serve()?;
    let slack = supervisor.plugin("slack")?;
    ensure!(slack.0.to_string().contains("SLACK_PLUGIN_URL"), "{slack:?}");
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn those_that_have_to_be_configured_may_lie_there_and_not_be_started() -> Result<()> {
    let names = ["email-code", "gate", "mail", "otp", "slack", "webauthn", "webhook"];
    let stage = stage(&names)?;
    let tables = names.map(|name| format!("[[plugin]]\nname = \"{name}\"\nenabled = false\n"));
    stage.configure(&tables.concat())?;
    let supervisor = stage.serve()?;
    for name in names {
        let plugin = supervisor.plugin(name)?;
        ensure!(plugin.error().is_empty() && plugin.pid().is_err(), "{plugin:?}");
    }
    let log = supervisor.log.all().join("\n");
    ensure!(!log.contains("\"level\":\"ERROR\""), "{log}");
    Ok(())
}

#[test]
fn a_webhook_gets_a_cloudevent_with_a_signature_under_an_id_that_stays() -> Result<()> {
    let receiver = Receiver::http(["500 Internal Server Error\r\n", "204 No Content\r\n"])?;
    let stage = stage(&["webhook"])?;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let parameters =
        format!("parameters = {{ url = \"{}\", secrets = [\"{secret}\"] }}", receiver.url(SECRET));
    let instance = format!("[[instance]]\nplugin = \"webhook\"\nname = \"shop\"\n{parameters}\n");
    stage.configure(&configuration(&instance))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    let (first, second) = (receiver.next()?, receiver.next()?);
    ensure!(first.field("webhook-id") == second.field("webhook-id"), "{first:?} {second:?}");
    ensure!(first.field("webhook-id").is_some_and(|id| !id.is_empty()), "{first:?}");
    for sent in [first, second] {
        let signature = sent.field("webhook-signature").unwrap_or_default().to_owned();
        ensure!(signature.starts_with("v1,"), "{signature:?}");
        let event: Value = serde_json::from_str(&sent.body)?;
        ensure!(event["id"] == "greeting-0" && event["type"] == "mock.greeting", "{event}");
        ensure!(event["source"] == "/plugins/mock/mock", "{event}");
        ensure!(event["data"] == serde_json::from_str::<Value>(EVENT)?, "{event}");
    }
    Ok(())
}

#[test]
fn a_mailbox_gets_a_mail() -> Result<()> {
    let receiver = Receiver::smtp()?;
    let stage = stage(&["mail"])?;
    let parameters = format!(
        "[instance.parameters]\nserver = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
         from = \"outboard@example.org\"\nto = [\"ann@example.org\"]\n",
        receiver.port()
    );
    let instance = format!("[[instance]]\nplugin = \"mail\"\nname = \"oncall\"\n{parameters}");
    stage.configure(&configuration(&instance))?;
    let supervisor = stage.serve()?;

    announce(&supervisor)?;

    let mail = receiver.next()?;
    ensure!(mail.field("subject") == Some("mock.greeting"), "{mail:?}");
    ensure!(mail.body.contains("\"JobName\": \"a-job\""), "{mail:?}");
    Ok(())
}
