//! The supervisor's database.

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::stage::{Done, Stage};

const POSTGRES_URL: &str = "OUTBOARD_TEST_POSTGRES_URL";

/// No test is left out in silence: without a server it fails.
fn postgres_url() -> Result<String> {
    std::env::var(POSTGRES_URL).with_context(|| {
        format!(
            "{POSTGRES_URL} is not set: run the tests with `cargo xtask test`, which starts a PostgreSQL, or set it to \
             postgres://USER:PASSWORD@HOST:PORT/DATABASE of an empty database in which that user may create tables"
        )
    })
}

#[test]
fn postgresql_is_used_instead_of_a_file_where_its_url_is_set() -> Result<()> {
    let stage = Stage::with_mock()?;
    let url = postgres_url()?;
    stage.configure(&format!("[database]\nurl = \"{url}\"\n"))?;

    for _ in ["an empty database", "one with tables"] {
        let mut supervisor = stage.serve()?;
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        ensure!(supervisor.stop()? == 0);
        ensure!(!supervisor.log.all().join("\n").contains(&url), "the URL is in the log");
    }
    ensure!(!stage.data().join("outboard.db").exists());
    Ok(())
}

#[test]
fn without_a_url_the_database_is_a_private_file_in_the_data_directory() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::with_mock()?;
    let _supervisor = stage.serve()?;

    let mode = std::fs::metadata(stage.data().join("outboard.db"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    Ok(())
}

#[test]
fn a_database_that_is_not_there_ends_the_start_and_hides_the_password() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("[database]\nurl = \"postgres://me:hunter2@127.0.0.1:1/none\"\n")?;

    let done = Done::of(&mut stage.serve_command())?;

    ensure!(done.code == 1 && done.stderr.contains("127.0.0.1"), "{done:?}");
    ensure!(!done.stderr.contains("hunter2"), "{done:?}");
    Ok(())
}
