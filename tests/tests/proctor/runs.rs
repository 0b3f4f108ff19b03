//! What is announced: Proctor's cases for its execution handler, against the example.

use anyhow::{Context as _, Result, ensure};
use e2e::wait::until;
use serde_json::{Value, json};

use crate::example::{ANN, BOB, Example};

#[test]
fn case_47_48_a_run_that_was_started_is_announced_with_all_that_proctor_tells() -> Result<()> {
    let example = Example::start()?;
    let args = json!({ "database": "a & b <c>", "again": "no" });

    let reply = example.post("/execution", ANN, &json!({ "name": "backup", "args": args }))?;
    ensure!(reply.status == 201, "{reply:?}");
    let run = reply.json()?;
    ensure!(run["jobName"] == "backup" && run["status"] == "CREATED", "{run}");
    let receipt = run["event"].as_str().context("no receipt")?;
    let id = run["executionId"].to_string();

    let events = example.events(1)?;
    let [event] = &events[..] else { anyhow::bail!("{events:?}") };
    ensure!(event["id"] == receipt && event["type"] == "EXECUTION_EVENT", "{event}");
    ensure!(event["source"] == "/proctor" && event["subject"] == id.as_str());
    let data = &event["data"];
    ensure!(data["user"] == json!({ "email": "ann@example.org" }), "{event}");
    let content = data["content"].as_object().context("no content")?;
    ensure!(content.len() == 5, "{event}");
    ensure!(content["ExecutionID"] == id.as_str(), "{event}");
    ensure!(content["JobName"] == "backup" && content["Status"] == "CREATED", "{event}");
    ensure!(content["ImageTag"] == "example/backup:7", "{event}");
    let told: Value = serde_json::from_str(content["Args"].as_str().context("no Args")?)?;
    ensure!(told == args, "{event}");
    Ok(())
}

#[test]
fn case_49_50_what_was_not_started_is_not_announced() -> Result<()> {
    let example = Example::start()?;
    example.describe("away", &["/no/such/program"], &[])?;

    let malformed = example.ask("POST", "/execution", Some(ANN), "{\"name\": \"hello\"")?;
    ensure!(malformed.status == 400 && malformed.text().contains("parsed"), "{malformed:?}");
    let broken = example.post("/execution", ANN, &json!({ "name": "away" }))?;
    ensure!(broken.status == 500 && broken.text().contains("No such file"), "{broken:?}");
    ensure!(example.post("/execution", BOB, &json!({ "name": "backup" }))?.status == 403);
    let mistake = json!({ "name": "hello", "args": { "a=b": "c" } });
    ensure!(example.post("/execution", ANN, &mistake)?.status == 400);

    // The first that is told of is one that came after all of these.
    let last = example.post("/execution", ANN, &json!({ "name": "hello" }))?.json()?;
    let events = example.events(1)?;
    ensure!(events.len() == 1 && events[0]["id"] == last["event"], "{events:?}");
    Ok(())
}

#[test]
fn each_run_is_announced_once_and_by_whom_it_was_started() -> Result<()> {
    let example = Example::start()?;
    let mut expected = Vec::new();
    for who in [ANN, BOB, ANN, BOB] {
        let run = example.post("/execution", who, &json!({ "name": "hello" }))?.json()?;
        expected.push((run["executionId"].to_string(), who.0.to_owned()));
    }
    let events = example.events(expected.len())?;
    let mut told: Vec<_> = events
        .iter()
        .map(|event| {
            let data = &event["data"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&data["content"]["ExecutionID"]), text(&data["user"]["email"]))
        })
        .collect();
    expected.sort();
    told.sort();
    ensure!(told == expected, "{told:?}");
    Ok(())
}

#[test]
fn the_status_of_a_run_can_be_asked_for() -> Result<()> {
    let example = Example::start()?;
    example.describe("failing", &["false"], &[])?;
    for (name, expected) in [("hello", "FINISHED"), ("failing", "FAILED")] {
        let run = example.post("/execution", ANN, &json!({ "name": name }))?.json()?;
        let path = format!("/execution/{}/status", run["executionId"]);
        let status = || Ok(example.get(&path, BOB)?.json()?["status"].take());
        let status = until(status, |status| status != "CREATED")?;
        ensure!(status == expected, "{name}: {status}");
    }
    ensure!(example.get("/execution/1/status", ANN)?.status == 404);
    Ok(())
}
