//! `outboard event`, and what is measured.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{
    supervisor::metrics::{CONFIGURATION, Metrics},
    wait::until,
};

use super::{GRANT, delivery, emit, event, stage};

#[test]
fn dead_letters_are_listed_replayed_and_dropped() -> Result<()> {
    let stage = stage()?;
    stage.configure(&format!("{GRANT}{CONFIGURATION}"))?;
    let supervisor = stage.serve()?;
    let none = supervisor.command(&["event", "dead"])?;
    ensure!(none.code == 0 && none.stdout == "no dead letters\n", "{none:?}");

    emit(&supervisor, "id=bad&count=2", "{\"mock\": {\"reject\": true}}")?;
    emit(&supervisor, "id=good", "")?;
    let dead = delivery(&supervisor, "bad-0", |it| it["state"] == "dead")?;
    delivery(&supervisor, "bad-1", |it| it["state"] == "dead")?;
    delivery(&supervisor, "good-0", |it| it["state"] == "delivered")?;
    ensure!(dead["error"].as_str().unwrap_or_default().contains("refusing, as asked"), "{dead}");

    let listed = supervisor.command(&["event", "dead", "--notifier", "mock"])?;
    ensure!(listed.code == 0 && listed.stdout.lines().count() == 3, "{listed:?}");
    ensure!(listed.stdout.contains("bad-0") && listed.stdout.contains("mock.test"), "{listed:?}");
    let few = supervisor.command(&["event", "dead", "-n", "1", "--json"])?;
    ensure!(few.stdout.lines().count() == 1, "{few:?}");

    // It says no once more, but it was asked.
    let id = dead["delivery_id"].as_str().unwrap_or_default();
    let replayed = supervisor.command(&["event", "replay", id])?;
    ensure!(replayed.stdout == "1 dead letter is delivered once more\n", "{replayed:?}");
    let again =
        delivery(&supervisor, "bad-0", |it| it["state"] == "dead" && it["replayed"] == true)?;
    ensure!(again["delivery_id"] == id, "{again}");
    let told = supervisor.get("/api/mock/notified")?.json()?;
    let told = told["deliveries"].as_array().cloned().unwrap_or_default();
    let of_bad: Vec<_> = told.iter().filter(|it| it["delivery_id"] == id).collect();
    ensure!(of_bad.len() == 2 && of_bad[1]["replayed"] == true, "{of_bad:?}");

    let dropped = event(&supervisor, &["drop", "--notifier", "mock"])?;
    ensure!(dropped["count"] == 2, "{dropped}");
    let nothing = supervisor.command(&["event", "replay", "--notifier", "mock"])?;
    ensure!(nothing.code == 1 && nothing.stderr.contains("outboard event dead"), "{nothing:?}");
    let unsaid = supervisor.command(&["event", "drop"])?;
    ensure!(unsaid.code == 2, "{unsaid:?}");

    let metrics = Metrics::of(&supervisor)?;
    for (name, value) in [
        ("outboard_events_accepted_total", 3.0),
        ("outboard_events_delivered_total", 1.0),
        ("outboard_events_failed_total", 3.0),
        ("outboard_events_dead_total", 3.0),
        ("outboard_events_pending", 0.0),
        ("outboard_events_dead_letters", 0.0),
        ("outboard_events_outbox_bytes", 0.0),
    ] {
        let sum = metrics.sum(name)?;
        ensure!((sum - value).abs() < 0.1, "{name} is {sum}");
    }
    Ok(())
}

#[test]
fn an_event_that_nobody_knows_is_told_so_and_one_that_is_stuck_is_seen() -> Result<()> {
    let stage = stage()?;
    stage.configure(GRANT)?;
    let supervisor = stage.serve()?;
    let unknown = supervisor.command(&["event", "show", "nothing"])?;
    ensure!(unknown.code == 1 && unknown.stderr.contains("events.retention"), "{unknown:?}");

    emit(&supervisor, "id=stuck", "{\"mock\": {\"retry\": 1000}}")?;
    delivery(&supervisor, "stuck-0", |it| it["attempts"] == 1)?;
    let listed = supervisor.command(&["event", "notifiers"])?;
    for words in ["NOTIFIER", "mock", "last error: failing in attempt", "outbox: "] {
        ensure!(listed.stdout.contains(words), "{}", listed.stdout);
    }
    let listed = event(&supervisor, &["notifiers"])?;
    let notifier = &listed["notifiers"][0];
    ensure!(notifier["pending"] == 1 && notifier["types"][0] == "*", "{listed}");
    ensure!(notifier["oldest"].is_string() && listed["outbox_bytes"] != 0, "{listed}");
    Ok(())
}

#[test]
fn a_notifier_that_never_answers_keeps_the_supervisor_no_longer_than_a_request_would() -> Result<()>
{
    let stage = stage()?;
    stage.configure(&format!("drain_timeout = \"300ms\"\n{GRANT}"))?;
    let mut supervisor = stage.serve()?;
    emit(&supervisor, "id=stuck", "{\"mock\": {\"hang\": 1}}")?;
    until(|| supervisor.get("/api/mock/notified")?.json(), |told| told["running"] == 1)?;
    let began = Instant::now();
    supervisor.stop()?;
    ensure!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(supervisor);

    let supervisor = stage.serve()?;
    let delivered = delivery(&supervisor, "stuck-0", |it| it["state"] == "delivered")?;
    ensure!(delivered["attempts"] == 2, "{delivered}");
    Ok(())
}
