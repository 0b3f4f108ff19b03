//! Events, seen from outside: announced by a plugin, delivered to it, and handled by an operator.

mod killed;
mod operators;
mod plugins;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    supervisor::{Supervisor, stage::Stage},
    wait::until,
};
use serde_json::Value;

/// Lets the mock announce what it asks for.
const GRANT: &str = "\n[[plugin]]\nname = \"mock\"\ngrants.emit = [\"mock.*\"]\n";

/// The mock as a notifier and a source of events.
fn stage() -> Result<Stage> {
    let stage = Stage::with_mock()?;
    fs::copy(stage.plugin("mock/roles.toml"), stage.plugin("mock/plugin.toml"))?;
    Ok(stage)
}

/// Has the mock announce events; `query` says how many, with which key and ids.
fn emit(supervisor: &Supervisor<'_>, query: &str, data: &str) -> Result<Vec<String>> {
    let path = format!("/api/mock/emit/mock.test?{query}");
    let reply = supervisor.request("POST", &path, "", data)?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    let receipts = reply.json()?["receipts"].clone();
    let receipts = receipts.as_array().context("no receipts")?.iter();
    receipts.map(|it| Ok(it["id"].as_str().context("no id")?.to_owned())).collect()
}

/// `outboard event …`, and its JSON.
fn event(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<Value> {
    let done = supervisor.command(&[&["event"], arguments, &["--json"]].concat())?;
    ensure!(done.code == 0, "{done:?}");
    Ok(serde_json::from_str(&done.stdout)?)
}

/// Waits until the only delivery of an event is as wanted.
fn delivery(
    supervisor: &Supervisor<'_>,
    id: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let ask = || Ok(event(supervisor, &["show", id])?["deliveries"][0].take());
    until(ask, is_so)
}

/// What the mock has written of what came, a line for the beginning and one for the end of each.
fn journal(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
