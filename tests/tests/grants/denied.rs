//! A call without a grant is refused; with one it is not, from that moment on.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::stage::{Done, Stage};
use serde_json::{Value, json};

use super::{called, plugin, refused, stage};

/// A call of each group that has calls of its own.
fn calls() -> Vec<(&'static str, &'static str, Value)> {
    let user = json!({ "username": "ann", "password": "x", "change": {} });
    let client = json!({ "client_id": "app", "password": "x", "change": {} });
    vec![
        ("sessions", "sessions.check", json!({})),
        ("users.read", "users.get", user.clone()),
        ("users.check", "users.check", user.clone()),
        ("users.write", "users.delete", user),
        ("clients.read", "clients.get", client.clone()),
        ("clients.check", "clients.check", client.clone()),
        ("clients.write", "clients.delete", client),
        ("schemes", "schemes.list", json!({})),
    ]
}

e2e::on_both_databases! {
    /// Nothing is asked for, whatever the operator gives: both lines are told. Then it is asked for and not given.
    fn without_a_grant_of_both_sides_each_group_is_refused(stage) {
        stage.install("mock")?;
        let groups: Vec<_> = calls().into_iter().map(|(group, _, _)| group).collect();
        stage.configure(&format!("\n[[plugin]]\nname = \"mock\"\ngrants.callbacks = {groups:?}\n"))?;
        let supervisor = stage.serve()?;
        for (group, of, args) in calls() {
            let message = refused(&supervisor, of, &args, "Denied")?;
            let author = format!("plugin.toml, grants.callbacks = [\"{group}\"]");
            let operator = format!("`outboard plugin grant mock {group}`");
            ensure!(message.contains(&author) && message.contains(&operator), "{message}");
        }
        drop(supervisor);

        crate::ask_for(&stage, &groups)?;
        stage.configure("")?;
        let supervisor = stage.serve()?;
        for (group, of, args) in calls() {
            let message = refused(&supervisor, of, &args, "Denied")?;
            let line = format!("[[plugin]] name = \"mock\", grants.callbacks = [\"{group}\"]");
            ensure!(message.contains(&line) && !message.contains("the author"), "{message}");
        }
        let started = supervisor.log.wait(0, "runs without what it asks for")?;
        ensure!(started.contains("outboard plugin grant mock --all"), "{started}");
        Ok(())
    }
}

e2e::on_both_databases! {
    fn what_is_granted_by_command_counts_at_once_and_after_a_restart_until_it_is_revoked(stage) {
        stage.install("mock")?;
        crate::ask_for(&stage, &["users.read", "users.write"])?;
        let supervisor = stage.serve()?;
        let ann = json!({ "username": "ann" });
        refused(&supervisor, "users.get", &ann, "Denied")?;
        let before = supervisor.plugin("mock")?;

        let granted = plugin(&supervisor, &["grant", "mock", "users.read"])?;
        ensure!(granted["granted"] == json!(["users.read"]), "{granted}");
        ensure!(granted["missing"] == json!(["users.write"]), "{granted}");
        called(&supervisor, "users.get", &ann)?;
        refused(&supervisor, "users.delete", &ann, "Denied")?;
        ensure!(supervisor.plugin("mock")?.activation("mock") == before.activation("mock"));
        drop(supervisor);

        let supervisor = stage.serve()?;
        called(&supervisor, "users.get", &ann)?;
        let all = plugin(&supervisor, &["grants"])?;
        ensure!(all[0]["name"] == "mock" && all[0]["granted"] == json!(["users.read"]), "{all}");
        let revoked = plugin(&supervisor, &["revoke", "mock", "users.read"])?;
        ensure!(revoked["granted"] == json!([]), "{revoked}");
        refused(&supervisor, "users.get", &ann, "Denied")?;
        Ok(())
    }
}

#[test]
fn a_grant_for_another_version_counts_for_nothing() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let other = "0".repeat(64);
    let lock = format!(
        "[[grant]]\nplugin = \"mock\"\nhash = {other:?}\ncallbacks = [\"users.read\"]\nemit = []\ntime = \"\"\n"
    );
    stage.write("data/grants.toml", lock, 0o600)?;
    let supervisor = stage.serve()?;
    refused(&supervisor, "users.get", &json!({ "username": "ann" }), "Denied")?;

    let hash = supervisor.plugin("mock")?.hash().to_owned();
    let file = stage.data().join("grants.toml");
    fs::write(&file, fs::read_to_string(&file)?.replace(&other, &hash))?;
    ensure!(supervisor.reload()?.contains("\"reloaded\""));
    called(&supervisor, "users.get", &json!({ "username": "ann" }))?;
    Ok(())
}

#[test]
fn a_lock_file_that_is_none_stops_a_start_and_leaves_what_runs_as_it_is() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    plugin(&supervisor, &["grant", "mock", "--all"])?;
    stage.write("data/grants.toml", "[[grant]]\nplugin = 1\n", 0o600)?;
    let line = supervisor.reload()?;
    ensure!(line.contains("not reloaded") && line.contains("grants.toml"), "{line}");
    called(&supervisor, "users.get", &json!({ "username": "ann" }))?;
    drop(supervisor);

    let done = Done::of(&mut stage.serve_command())?;
    ensure!(
        done.code == 1 && done.stderr.contains("grants.toml") && done.stderr.contains("remove it"),
        "{done:?}"
    );
    Ok(())
}

#[test]
fn what_nobody_asks_for_is_not_granted_and_what_is_no_group_is_told() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let supervisor = stage.serve()?;
    let check = |arguments: &[&str], words: &str| -> Result<()> {
        let done = supervisor.command(&[&["plugin"], arguments].concat())?;
        ensure!(done.code != 0 && done.stderr.contains(words), "{arguments:?}: {done:?}");
        Ok(())
    };
    check(&["grant", "mock", "users.write"], "does not ask for users.write")?;
    check(&["grant", "mock", "users.raed"], "did you mean \"users.read\"?")?;
    check(&["grant", "mock"], "--all")?;
    check(&["grant", "mokc", "--all"], "there are: mock")?;
    check(&["revoke", "mokc", "--all"], "there are: mock")?;
    check(&["grant", "mock", "users.read", "--all"], "cannot be used with")?;
    ensure!(!stage.data().join("grants.toml").exists());
    Ok(())
}

#[test]
fn without_a_supervisor_the_next_start_reads_what_was_granted() -> Result<()> {
    let stage = stage(&["users.read", "storage"])?;
    let run = |arguments: &[&str]| -> Result<Done> {
        let place = ["--data-dir", "data", "--plugins", "plugins"];
        stage.command(&[&["plugin"], arguments, &place].concat())
    };
    let done = run(&["grant", "mock", "users.read"])?;
    ensure!(done.code == 0 && done.stdout.contains("granted users.read"), "{done:?}");
    ensure!(done.stdout.contains("not granted storage"), "{done:?}");
    let shown = run(&["grants"])?;
    ensure!(shown.stdout.contains("users.read") && shown.stdout.contains("MISSING"), "{shown:?}");

    let supervisor = stage.serve()?;
    called(&supervisor, "users.get", &json!({ "username": "ann" }))?;
    drop(supervisor);

    let done = run(&["revoke", "mock", "--all"])?;
    ensure!(done.code == 0, "{done:?}");
    let supervisor = stage.serve()?;
    refused(&supervisor, "users.get", &json!({ "username": "ann" }), "Denied")?;
    Ok(())
}

#[test]
fn a_supervisor_that_is_asked_at_the_wrong_place_is_not_worked_around() -> Result<()> {
    let stage = stage(&["users.read"])?;
    let _supervisor = stage.serve()?;
    // It holds the lock of the data directory, wherever it is looked for.
    let mut command =
        stage.outboard(&["plugin", "grant", "mock", "--all", "--runtime-dir", "elsewhere"]);
    let done = Done::of(command.args(["--data-dir", "data", "--plugins", "plugins"]))?;
    ensure!(done.code == 1 && done.stderr.contains("another supervisor is using it"), "{done:?}");
    Ok(())
}

#[test]
fn what_outboard_toml_grants_is_not_revoked_by_command() -> Result<()> {
    let stage = stage(&["users.read"])?;
    stage.configure("\n[[plugin]]\nname = \"mock\"\ngrants.callbacks = [\"users.read\"]\n")?;
    let supervisor = stage.serve()?;
    let done = supervisor.command(&["plugin", "revoke", "mock", "--all"])?;
    ensure!(done.stdout.contains("outboard.toml still grants: users.read"), "{done:?}");
    stage.configure("")?;
    ensure!(supervisor.reload()?.contains("\"reloaded\""));
    refused(&supervisor, "users.get", &json!({ "username": "ann" }), "Denied")?;
    Ok(())
}

#[test]
fn events_are_granted_by_command_as_well() -> Result<()> {
    let stage = Stage::with_mock()?;
    fs::copy(stage.plugin("mock/roles.toml"), stage.plugin("mock/plugin.toml"))?;
    let supervisor = stage.serve()?;
    let emit = || supervisor.request("POST", "/api/mock/emit/mock.test?id=a", "", "");
    let denied = emit()?;
    let text = denied.json()?["error"].as_str().context("no error")?.to_owned();
    ensure!(
        denied.status == 403 && text.contains("`outboard plugin grant mock --emit mock.test`"),
        "{text}"
    );
    plugin(&supervisor, &["grant", "mock", "--emit", "mock.test"])?;
    ensure!(emit()?.status == 200);
    plugin(&supervisor, &["revoke", "mock", "--emit", "mock.*"])?;
    ensure!(emit()?.status == 403);
    Ok(())
}
