//! `cargo xtask test`: what must be true before a change lands.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, run},
    golang, needs, plugins,
    postgres::Postgres,
    python,
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
    let result = programs(&mut steps).and_then(|clients| build_peers(&mut steps, clients));
    eprintln!("{}", steps.summary());
    result.map(|_| ())
}

fn all(steps: &mut Steps, arguments: &[String]) -> Result<()> {
    steps.step("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    steps.step("tidy", tidy::tidy)?;
    // First: what has to be installed, and cannot be, should not come as a late surprise.
    let clients = programs(steps)?;
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
    let peers = build_peers(steps, clients)?;
    steps.step("tests", || {
        run(cargo(&["test", "--workspace", "--no-fail-fast"])
            .args(arguments)
            .env(POSTGRES_URL, url)
            .envs(peers))
    })
}

/// Programs of others that the tests run.
fn programs(steps: &mut Steps) -> Result<Vec<Place>> {
    steps.step("go, python and clients are there", || {
        needs::go()?;
        needs::python()?;
        needs::clients()
    })
}

/// What the end-to-end tests run: the variable that says where it is, and where it is.
type Place = (String, PathBuf);

/// Builds the rest of it, and gives all.
fn build_peers(steps: &mut Steps, clients: Vec<Place>) -> Result<Vec<Place>> {
    let go = steps.step("Go peers", golang::build)?;
    // All targets, so that features are chosen as for the tests and nothing is compiled twice.
    steps.step("programs", || run(&mut cargo(&["build", "--workspace", "--all-targets"])))?;
    let built = tree::target().join("debug");
    let plugins = tree::target().join("test-plugins");
    steps.step("bundled plugins", || {
        plugins::assemble(&plugins, &built)?;
        plugins::assemble_to_configure(&plugins, &built)
    })?;
    let python = steps.step("Python clients", python::clients)?;
    let ours =
        [("BIN", built.join("outboard")), ("GO_BIN", go), ("PLUGINS", plugins), ("PYTHON", python)];
    let ours = ours.map(|(name, place)| (format!("OUTBOARD_TEST_{name}"), place));
    Ok(clients.into_iter().chain(ours).collect())
}

/// `None`: the caller brought a database.
fn own_postgres() -> Result<Option<Postgres>> {
    if env::var_os(POSTGRES_URL).is_some() {
        return Ok(None);
    }
    Postgres::start().map(Some)
}
