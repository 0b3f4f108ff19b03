//! The databases that the supervisor can have: each test runs on both, each time on an empty one of its own.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::stage::Stage;
use crate::places;

const POSTGRES_URL: &str = "OUTBOARD_TEST_POSTGRES_URL";
/// The supervisor's variable for `database.url`.
const VARIABLE: &str = "OUTBOARD_DATABASE_URL";

/// Declares tests that take a [`Stage`], one for each kind of database.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* fn $name:ident($stage:pat_param) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            fn check($stage: $crate::supervisor::stage::Stage) -> anyhow::Result<()> $body

            #[test]
            fn on_sqlite() -> anyhow::Result<()> {
                check($crate::supervisor::stage::Stage::new()?)
            }

            #[test]
            fn on_postgres() -> anyhow::Result<()> {
                check($crate::supervisor::stage::Stage::on_postgres()?)
            }
        }
    )*};
}

/// A schema of the server that is there for tests. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    fn new() -> Result<Self> {
        let name = format!("outboard_e2e_{}", unique()?);
        let schema = Self { server: server()?, name };
        schema.sql(&format!("CREATE SCHEMA {}", schema.name))?;
        Ok(schema)
    }

    fn url(&self) -> String {
        let Self { server, name } = self;
        let separator = if server.contains('?') { '&' } else { '?' };
        format!("{server}{separator}options=-csearch_path%3D{name}")
    }

    fn sql(&self, sql: &str) -> Result<()> {
        let mut psql = Command::new(places::client("psql")?);
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", sql]);
        let output = psql.arg(&self.server).output()?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if let Err(error) = self.sql(&format!("DROP SCHEMA {} CASCADE", self.name)) {
            eprintln!("{error:#}");
        }
    }
}

impl Stage {
    /// Without plugins, and with PostgreSQL instead of a file.
    pub fn on_postgres() -> Result<Self> {
        let schema = Schema::new()?;
        let mut stage = Self::new()?;
        stage.set(VARIABLE, &schema.url());
        stage.keep(schema);
        Ok(stage)
    }
}

/// No test is left out in silence: without a server it fails.
fn server() -> Result<String> {
    std::env::var(POSTGRES_URL).with_context(|| {
        format!(
            "{POSTGRES_URL} is not set: run the tests with `cargo xtask test`, which starts a PostgreSQL, or set it to \
             postgres://USER:PASSWORD@HOST:PORT/DATABASE of a server made for tests, with a user who may create schemas"
        )
    })
}

/// Nobody else's: the directory of a test is not.
fn unique() -> Result<String> {
    let directory = tempfile::Builder::new().prefix("").rand_bytes(12).tempdir()?;
    let name = directory.path().file_name().context("no name")?;
    Ok(name.to_string_lossy().to_lowercase())
}
