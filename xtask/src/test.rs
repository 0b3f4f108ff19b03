//! `cargo xtask test`: what must be true before a change lands.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, run},
    golang, needs, plugins,
    postgres::Postgres,
    steps::Steps,
    tidy, tree,
};

/// Crates that must compile alone, without the features that others of the workspace turn on: nothing of tokio may
/// creep into them.
const PURE: [&str; 2] = ["outboard-proto", "outboard-core"];

const POSTGRES_URL: &str = "OUTBOARD_TEST_POSTGRES_URL";

pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let mut steps = Steps::new();
    let result = all(&mut steps, arguments);
    eprintln!("{}", steps.summary());
    result
}

fn all(steps: &mut Steps, arguments: &[String]) -> Result<()> {
    steps.step("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    steps.step("tidy", tidy::tidy)?;
    steps.step("go and python are there", || needs::go().and_then(|()| needs::python()))?;
    // First of the long ones: it may have to install a server, and a missing one should not come as a late surprise.
    let postgres = steps.step("PostgreSQL", own_postgres)?;
    let url = match &postgres {
        Some(postgres) => postgres.url(),
        None => env::var(POSTGRES_URL).context(POSTGRES_URL)?,
    };
    let go = steps.step("Go peers", || golang::lint().and_then(|()| golang::build()))?;
    steps.step("clippy", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    for name in PURE {
        steps.step("pure crates alone", || run(&mut cargo(&["check", "-p", name])))?;
    }
    steps.step("programs", || run(&mut cargo(&["build", "--workspace", "--bins"])))?;
    let built = tree::target().join("debug");
    let assembled = steps.step("bundled plugins", || {
        let to = tree::target().join("test-plugins");
        plugins::assemble(&to, &built)?;
        Ok(to)
    })?;
    steps.step("tests", || {
        let settings: [(&str, PathBuf); 4] = [
            (POSTGRES_URL, url.into()),
            ("OUTBOARD_TEST_BIN", built.join("outboard")),
            ("OUTBOARD_TEST_GO_BIN", go),
            ("OUTBOARD_TEST_PLUGINS", assembled),
        ];
        run(cargo(&["test", "--workspace"]).args(arguments).envs(settings))
    })
}

/// `None`: the caller brought a database.
fn own_postgres() -> Result<Option<Postgres>> {
    if env::var_os(POSTGRES_URL).is_some() {
        return Ok(None);
    }
    Postgres::start().map(Some)
}
