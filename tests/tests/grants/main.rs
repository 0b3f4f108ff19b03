//! What plugins may ask of the host: what is granted, what waits for it, what is counted, and what they are told.

mod calls;
mod denied;
mod mmdb;
mod waiting;

use anyhow::{Result, ensure};
use e2e::supervisor::{Supervisor, stage::Stage};
use serde_json::{Value, json};

/// Makes the mock ask for these groups.
fn ask_for(stage: &Stage, groups: &[&str]) -> Result<()> {
    let manifest = format!("name = \"mock\"\n\n[grants]\ncallbacks = {groups:?}\n");
    stage.write("plugins/mock/plugin.toml", manifest, 0o644).map(drop)
}

/// The mock, asking for these groups.
fn stage(groups: &[&str]) -> Result<Stage> {
    let stage = Stage::with_mock()?;
    ask_for(&stage, groups)?;
    Ok(stage)
}

/// What came of a call that the mock made to the host.
fn call(supervisor: &Supervisor<'_>, call: &str, args: &Value) -> Result<Value> {
    let body = json!({ "call": call, "args": args }).to_string();
    let reply = supervisor.request("POST", "/api/mock/call", "", &body)?;
    ensure!(reply.status == 200, "{call}: {} {}", reply.status, reply.text());
    reply.json()
}

/// The same, if it went well.
fn called(supervisor: &Supervisor<'_>, of: &str, args: &Value) -> Result<Value> {
    let answer = call(supervisor, of, args)?;
    ensure!(answer.get("ok").is_some(), "{of} {args}: {answer}");
    Ok(answer["ok"].clone())
}

/// Why it was refused, if it was, with this kind of error.
fn refused(supervisor: &Supervisor<'_>, of: &str, args: &Value, kind: &str) -> Result<String> {
    let answer = call(supervisor, of, args)?;
    ensure!(answer["error"]["kind"] == kind, "{of} {args}: {answer}");
    Ok(answer["error"]["message"].as_str().unwrap_or_default().to_owned())
}

/// `outboard plugin …`, and its JSON.
fn plugin(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<Value> {
    let done = supervisor.command(&[&["plugin"], arguments, &["--json"]].concat())?;
    ensure!(done.code == 0, "{done:?}");
    Ok(serde_json::from_str(&done.stdout)?)
}
