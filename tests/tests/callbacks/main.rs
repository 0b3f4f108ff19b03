//! Calls of a plugin to the host, made from outside through the mock: under grants, about people, for requests that have
//! a handle; and endpoints that are not for everybody. On both databases.

mod browser;
mod grants;
mod handles;
mod people;
mod requirements;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::api::{Client, PASSWORD};
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

/// The groups of calls that the mock's manifest asks for.
const GROUPS: [&str; 13] = [
    "sessions",
    "users.read",
    "users.check",
    "users.write",
    "clients.read",
    "clients.check",
    "clients.write",
    "schemes",
    "schemes.any_user",
    "storage",
    "locks",
    "schedules",
    "web.same_origin",
];

/// Installs the mock, with a manifest that asks for every group, and grants it these.
fn grant(stage: &Stage, groups: &[&str]) -> Result<()> {
    stage.install("mock")?;
    fs::copy(stage.plugin("mock/callbacks.toml"), stage.plugin("mock/plugin.toml"))?;
    configure(stage, groups, "")
}

fn configure(stage: &Stage, groups: &[&str], more: &str) -> Result<()> {
    stage
        .configure(&format!("[[plugin]]\nname = \"mock\"\ngrants.callbacks = {groups:?}\n\n{more}"))
}

/// Has the mock call the host, in a request of this client; gives the whole answer.
fn called(client: &mut Client<'_>, call: &str, args: &Value) -> Result<Value> {
    let reply = client.post("/api/mock/call", &json!({ "call": call, "args": args }))?;
    ensure!(reply.status == 200, "{call}: {} {}", reply.status, reply.text());
    reply.json()
}

/// The same for a call that goes well; gives what the host said.
fn call(client: &mut Client<'_>, name: &str, args: &Value) -> Result<Value> {
    let answer = called(client, name, args)?;
    let value = answer.get("ok").with_context(|| format!("{name} {args}: {answer}"))?;
    Ok(value.clone())
}

/// The same for one that is refused; gives the error, which is of that kind.
fn refused(client: &mut Client<'_>, name: &str, args: &Value, kind: &str) -> Result<Value> {
    let answer = called(client, name, args)?;
    let error = &answer["error"];
    ensure!(error["kind"] == kind, "{name} {args}: expected {kind}: {answer}");
    Ok(error.clone())
}
