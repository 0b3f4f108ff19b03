//! A new version that lacks a grant waits, and the one before serves.

use std::{fs, io::Write as _};

use anyhow::{Result, ensure};
use e2e::supervisor::{Supervisor, plugin::Plugin, stage::Stage};
use serde_json::json;

use super::{ask_for, plugin, refused, stage};

/// Changes the program's hash and nothing else.
fn upgrade(stage: &Stage, release: &str) -> Result<()> {
    let program = stage.plugin("mock/mock");
    let copy = stage.root().join("new");
    fs::copy(&program, &copy)?;
    fs::OpenOptions::new().append(true).open(&copy)?.write_all(release.as_bytes())?;
    Ok(fs::rename(copy, program)?)
}

fn is_unchanged(supervisor: &Supervisor<'_>, before: &Plugin) -> Result<()> {
    let now = supervisor.plugin("mock")?;
    ensure!(now.activation("mock") == before.activation("mock"), "{now:?}");
    ensure!(now.state() == "serving" && now.hash() == before.hash(), "{now:?}");
    Ok(())
}

#[test]
fn an_upgrade_that_asks_for_more_waits_and_takes_over_after_the_grant() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let before = supervisor.plugin("mock")?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    ask_for(&stage, &["users.read", "users.write"])?;
    let mark = supervisor.log.mark();
    supervisor.reload()?;
    let line = supervisor.log.wait(mark, "a new version waits for a grant")?;
    ensure!(
        line.contains("outboard plugin grant mock --all") && line.contains("users.write"),
        "{line}"
    );
    is_unchanged(&supervisor, &before)?;
    let listed = supervisor.plugin("mock")?.0;
    ensure!(listed["waiting"]["missing"] == json!(["users.read", "users.write"]), "{listed}");
    let shown = supervisor.command(&["plugin", "list"])?;
    ensure!(shown.stdout.contains("waits for a grant of users.read, users.write"), "{shown:?}");

    // A part of it is not enough; what is given is given to the version that waits.
    let granted = plugin(&supervisor, &["grant", "mock", "users.write"])?;
    ensure!(granted["waiting"]["missing"] == json!(["users.read"]), "{granted}");
    is_unchanged(&supervisor, &before)?;
    refused(&supervisor, "users.delete", &json!({ "username": "ann" }), "Denied")?;

    let granted = plugin(&supervisor, &["grant", "mock", "users.read"])?;
    ensure!(granted["waiting"].is_null() && granted["missing"] == json!([]), "{granted}");
    let after = supervisor.plugin("mock")?;
    ensure!(after.hash() != before.hash() && after.state() == "serving", "{after:?}");
    ensure!(after.0["waiting"].is_null(), "{after:?}");
    traffic.more(5)?;
    traffic.finish()
}

#[test]
fn another_program_needs_a_new_grant_and_the_old_one_serves_on_whatever_happens() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let before = supervisor.plugin("mock")?;
    upgrade(&stage, "2")?;
    let mark = supervisor.log.mark();
    supervisor.reload()?;
    supervisor.log.wait(mark, "a new version waits for a grant")?;

    // Neither a reload nor a loss brings the new one.
    let mark = supervisor.log.mark();
    supervisor.reload()?;
    ensure!(!supervisor.log.all()[mark..].iter().any(|line| line.contains("waits for a grant")));
    is_unchanged(&supervisor, &before)?;
    e2e::supervisor::processes::kill_9(before.pid()?)?;
    let again = supervisor.serves_after("mock", before.generation())?;
    ensure!(again.hash() == before.hash(), "{again:?}");
    // What the operator configures meanwhile reaches it.
    stage.configure("\n[[instance]]\nplugin = \"mock\"\nname = \"second\"\n")?;
    supervisor.reload()?;
    let two = supervisor
        .wait_for("mock", "has a second instance", |it| it.activation("second").is_some())?;
    ensure!(two.hash() == before.hash(), "{two:?}");

    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let after = supervisor.plugin("mock")?;
    ensure!(after.hash() != before.hash() && after.activation("second").is_some(), "{after:?}");
    Ok(())
}

#[test]
fn an_upgrade_that_is_taken_back_waits_no_longer() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let before = supervisor.plugin("mock")?;
    ask_for(&stage, &["users.read", "storage"])?;
    supervisor.reload()?;
    supervisor.wait_for("mock", "waits", |it| !it.0["waiting"].is_null())?;
    ask_for(&stage, &["users.read"])?;
    supervisor.reload()?;
    supervisor.wait_for("mock", "waits no longer", |it| it.0["waiting"].is_null())?;
    is_unchanged(&supervisor, &before)
}

#[test]
fn what_both_versions_lack_keeps_nobody_waiting() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;
    upgrade(&stage, "2")?;
    supervisor.reload()?;
    let after = supervisor.serves_after("mock", before.generation())?;
    ensure!(after.hash() != before.hash() && after.0["waiting"].is_null(), "{after:?}");
    Ok(())
}

#[test]
fn what_outboard_toml_grants_counts_for_every_version() -> Result<()> {
    let stage = stage(&["users.read"])?;
    stage.configure("\n[[plugin]]\nname = \"mock\"\ngrants.callbacks = [\"users.read\"]\n")?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;
    upgrade(&stage, "2")?;
    supervisor.reload()?;
    let after = supervisor.serves_after("mock", before.generation())?;
    ensure!(after.hash() != before.hash(), "{after:?}");
    // It may also be given to the version that waits.
    ask_for(&stage, &["users.read", "storage"])?;
    supervisor.reload()?;
    supervisor.wait_for("mock", "waits", |it| !it.0["waiting"].is_null())?;
    stage.configure(
        "\n[[plugin]]\nname = \"mock\"\ngrants.callbacks = [\"users.read\", \"storage\"]\n",
    )?;
    supervisor.reload()?;
    let last = supervisor.serves_after("mock", after.generation())?;
    ensure!(last.0["waiting"].is_null(), "{last:?}");
    Ok(())
}

#[test]
fn a_new_start_brings_the_version_that_was_granted_until_the_new_one_is() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let before = supervisor.plugin("mock")?;
    upgrade(&stage, "2")?;
    supervisor.reload()?;
    upgrade(&stage, "3")?;
    supervisor.reload()?;
    drop(supervisor);

    for _ in 0..2 {
        let supervisor = stage.serve()?;
        let now = supervisor.plugin("mock")?;
        ensure!(now.hash() == before.hash() && now.state() == "serving", "{now:?}");
        ensure!(now.0["waiting"]["missing"] == json!(["users.read"]), "{now:?}");
    }
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let after = supervisor.plugin("mock")?;
    ensure!(after.hash() != before.hash() && after.0["waiting"].is_null(), "{after:?}");
    drop(supervisor);
    let again = stage.serve()?.plugin("mock")?;
    ensure!(again.hash() == after.hash(), "{again:?}");
    Ok(())
}

#[test]
fn a_version_that_is_granted_and_does_not_start_is_told_to_whoever_grants() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    let before = supervisor.plugin("mock")?;
    stage.write("plugins/mock/mock", "#!/bin/sh\nexit 3\n", 0o755)?;
    supervisor.reload()?;
    supervisor.wait_for("mock", "waits", |it| !it.0["waiting"].is_null())?;
    let done = supervisor.command(&["plugin", "grant", "mock", "--all"])?;
    ensure!(done.code == 1 && done.stderr.contains("could not take over"), "{done:?}");
    is_unchanged(&supervisor, &before)
}
