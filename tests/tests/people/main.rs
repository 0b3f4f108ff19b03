//! Users and clients, as plugins and operators see them: where they are kept, who may change them, and what becomes of who
//! is gone. On both databases, through a plugin that calls the host.

mod backends;
mod clients;
mod commands;
mod deletion;
mod passwords;
mod users;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    supervisor::{Supervisor, stage::Stage},
    wait::until,
};
use serde_json::{Value, json};

/// All that the calls of these tests need.
const GRANTED: &str = "[\"users.read\", \"users.check\", \"users.write\", \"clients.read\", \"clients.check\", \"clients.write\"]";

/// Hashing that costs nothing.
const CHEAP: &str = "[password]\nmemory = \"64KiB\"\niterations = 1\n";

/// Puts the mock in place, asking for these grants, and writes a configuration that gives them.
fn prepare(stage: &Stage, config: &str) -> Result<()> {
    ask_for(stage, GRANTED)?;
    configure(stage, GRANTED, config)
}

fn ask_for(stage: &Stage, groups: &str) -> Result<()> {
    stage.install("mock")?;
    let path = stage.plugin("mock").join("plugin.toml");
    let manifest = std::fs::read_to_string(&path)?;
    // Keys of the manifest itself come before its tables.
    std::fs::write(path, format!("grants.callbacks = {groups}\n{manifest}"))?;
    Ok(())
}

fn configure(stage: &Stage, granted: &str, config: &str) -> Result<()> {
    stage.configure(&format!(
        "{CHEAP}[[plugin]]\nname = \"mock\"\ngrants.callbacks = {granted}\n{config}"
    ))
}

/// The instance that makes the calls.
const MOCK: &str = "[[instance]]\nname = \"mock\"\nplugin = \"mock\"\n";

/// What the host said to a call.
#[derive(Debug)]
enum Said {
    Yes(Value),
    No { kind: String, message: String, problems: Vec<String> },
}

/// Has the mock call the host.
fn call(supervisor: &Supervisor<'_>, call: &str, args: &Value) -> Result<Said> {
    let body = json!({ "call": call, "args": args }).to_string();
    let kind = "content-type: application/json\r\n";
    let reply = supervisor.request("POST", "/api/mock/call", kind, &body)?;
    ensure!(reply.status == 200, "{call}: {} {}", reply.status, reply.text());
    let said = reply.json()?;
    if let Some(error) = said.get("error") {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        let problems = error["problems"].as_array().into_iter().flatten();
        let problems = problems.filter_map(Value::as_str).map(str::to_owned).collect();
        return Ok(Said::No { kind: text("kind"), message: text("message"), problems });
    }
    Ok(Said::Yes(said["ok"].clone()))
}

/// The same, where the host must do it.
fn done(supervisor: &Supervisor<'_>, name: &str, args: &Value) -> Result<Value> {
    match call(supervisor, name, args)? {
        Said::Yes(value) => Ok(value),
        no @ Said::No { .. } => anyhow::bail!("{name} {args}: {no:?}"),
    }
}

/// The same, where the host must refuse it in this way. Gives what is wrong, and what it says.
fn refused(
    supervisor: &Supervisor<'_>,
    name: &str,
    args: &Value,
    expected: &str,
) -> Result<(Vec<String>, String)> {
    match call(supervisor, name, args)? {
        Said::No { kind, message, problems } if kind == expected => Ok((problems, message)),
        other => anyhow::bail!("{name} {args}: expected {expected}, not {other:?}"),
    }
}

/// Whether one of the errors begins with the name of a field.
fn names(errors: &[String], field: &str) -> Result<()> {
    let prefix = format!("{field}: ");
    ensure!(errors.iter().any(|error| error.starts_with(&prefix)), "{field}: {errors:?}");
    Ok(())
}

/// The names in a list of users or clients.
fn listed(list: &Value, field: &str) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry[field].as_str()).map(str::to_owned).collect()
}

/// Waits until something is so.
fn eventually(what: &str, is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    until(is_so, |is_so| *is_so).with_context(|| format!("not {what}")).map(drop)
}
