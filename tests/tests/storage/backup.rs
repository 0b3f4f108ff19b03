//! The database copied while it is used, and put back.

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
    let done = run(&stage, "restore")?;
    ensure!(done.code == 1 && done.stderr.contains("another supervisor is using it"), "{done:?}");
    drop(supervisor);
    let done = run(&stage, "restore")?;
    ensure!(done.code == 0 && done.stdout.contains(".before-restore"), "{done:?}");
    let supervisor = stage.serve()?;
    ensure!(ok(&supervisor, "storage.get", json!({ "key": "k" }))?["value"] == "before");
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
