//! The database copied while it is used, and put back.

use std::fs;

use e2e::supervisor::stage::Done;

use super::*;

fn run(stage: &Stage, command: &str) -> Result<Done> {
    Done::of(&mut stage.outboard(&[command, "copy.db", "--data-dir", "data"]))
}

#[test]
fn a_backup_is_made_while_a_supervisor_runs_and_put_back_when_none_does() -> Result<()> {
    let stage = Stage::new()?;
    with_mock(&stage, GRANTS, "")?;
    let supervisor = stage.serve()?;
    let put = |value: &str| ok(&supervisor, "storage.put", json!({ "key": "k", "value": value }));
    put("before")?;
    let done = run(&stage, "backup")?;
    ensure!(done.code == 0 && done.stdout.contains("copy.db"), "{done:?}");
    put("after")?;
    let done = run(&stage, "backup")?;
    ensure!(done.code == 1 && done.stderr.contains("not there yet"), "{done:?}");
    ensure!(done.stderr.matches("File exists").count() == 1, "{done:?}");
    let done = run(&stage, "restore")?;
    ensure!(done.code == 1 && done.stderr.contains("another supervisor is using it"), "{done:?}");
    drop(supervisor);
    let done = run(&stage, "restore")?;
    ensure!(done.code == 0 && done.stdout.contains(".before-restore"), "{done:?}");
    let supervisor = stage.serve()?;
    ensure!(ok(&supervisor, "storage.get", json!({ "key": "k" }))?["value"] == "before");
    Ok(())
}

/// Of the old machine there are the copy, the plugins, and outboard.toml.
#[test]
fn a_supervisor_on_another_machine_serves_what_the_old_one_did() -> Result<()> {
    let (old, new) = (Stage::new()?, Stage::new()?);
    with_mock(&old, "", "")?;
    with_mock(&new, "", "")?;
    let supervisor = old.serve()?;
    let grant = supervisor.command(&["plugin", "grant", "mock", "storage"])?;
    ensure!(grant.code == 0, "{grant:?}");
    ok(&supervisor, "storage.put", json!({ "key": "k", "value": "kept" }))?;
    let added = supervisor.command(&["scope", "add", "photos"])?;
    ensure!(added.code == 0, "{added:?}");
    let done = run(&old, "backup")?;
    ensure!(done.code == 0 && done.stdout.contains("the grants"), "{done:?}");
    fs::copy(old.root().join("copy.db"), new.root().join("copy.db"))?;

    let done = run(&new, "restore")?;
    ensure!(done.code == 0 && !done.stdout.contains("is kept as"), "{done:?}");
    let supervisor = new.serve()?;
    ensure!(ok(&supervisor, "storage.get", json!({ "key": "k" }))?["value"] == "kept");
    let scopes = supervisor.command(&["scope", "list"])?;
    ensure!(scopes.stdout.contains("photos"), "{scopes:?}");
    let revoke = supervisor.command(&["plugin", "revoke", "mock", "storage"])?;
    ensure!(revoke.code == 0, "{revoke:?}");
    drop(supervisor);

    // Grants of now make room for those of then, and are kept.
    let done = run(&new, "restore")?;
    ensure!(done.code == 0 && done.stdout.contains("grants.toml.before-restore"), "{done:?}");
    ensure!(fs::read_to_string(new.data().join("grants.toml"))?.contains("\"storage\""));
    ensure!(new.data().join("grants.toml.before-restore").exists());
    Ok(())
}

#[test]
fn grants_that_cannot_be_read_are_told_and_nothing_is_copied() -> Result<()> {
    let stage = Stage::new()?;
    stage.serve()?;
    let done = run(&stage, "backup")?;
    ensure!(done.code == 0, "{done:?}");
    stage.write("data/grants.toml", "grant = 1\n", 0o600)?;
    fs::rename(stage.root().join("copy.db"), stage.root().join("first.db"))?;
    let done = run(&stage, "backup")?;
    ensure!(done.code == 1 && done.stderr.contains("grants.toml: line 1"), "{done:?}");
    ensure!(!stage.root().join("copy.db").exists());
    Ok(())
}

#[test]
fn for_postgres_its_own_tools_are_named() -> Result<()> {
    let stage = Stage::on_postgres()?;
    for command in ["backup", "restore"] {
        let done = run(&stage, command)?;
        ensure!(done.code == 1 && done.stderr.contains("pg_dump"), "{done:?}");
    }
    Ok(())
}
