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

/// Puts everything where the tests look for it, so that `cargo test -p e2e` works by itself afterwards.
pub(crate) fn prepare() -> Result<()> {
    let mut steps = Steps::new();
    let result = needs::go().and_then(|()| needs::python()).and_then(|()| build_peers(&mut steps));
    eprintln!("{}", steps.summary());
    result.map(|_| ())
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
    steps.step("Go, its style", golang::lint)?;
    steps.step("clippy", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.step("pure crates alone", || {
        PURE.iter().try_for_each(|name| run(&mut cargo(&["check", "-p", name])))
    })?;
    let peers = build_peers(steps)?;
    steps.step("tests", || {
        run(cargo(&["test", "--workspace", "--no-fail-fast"])
            .args(arguments)
            .env(POSTGRES_URL, url)
            .env("OUTBOARD_TEST_BIN", peers.outboard)
            .env("OUTBOARD_TEST_GO_BIN", peers.go)
            .env("OUTBOARD_TEST_PLUGINS", peers.plugins))
    })
}

/// What the end-to-end tests run.
struct Peers {
    outboard: PathBuf,
    go: PathBuf,
    plugins: PathBuf,
}

fn build_peers(steps: &mut Steps) -> Result<Peers> {
    let go = steps.step("Go peers", golang::build)?;
    // All targets, so that features are chosen as for the tests and nothing is compiled twice.
    steps.step("programs", || run(&mut cargo(&["build", "--workspace", "--all-targets"])))?;
    let built = tree::target().join("debug");
    let plugins = tree::target().join("test-plugins");
    steps.step("bundled plugins", || plugins::assemble(&plugins, &built))?;
    Ok(Peers { outboard: built.join("outboard"), go, plugins })
}

/// `None`: the caller brought a database.
fn own_postgres() -> Result<Option<Postgres>> {
    if env::var_os(POSTGRES_URL).is_some() {
        return Ok(None);
    }
    Postgres::start().map(Some)
}
