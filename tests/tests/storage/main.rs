//! What plugins keep in their host, through a real plugin that calls back: entries, locks, schedules, on both databases.

mod backup;
mod entries;
mod locks;
mod schedules;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    supervisor::{Supervisor, stage::Stage},
    wait::until,
};
use serde_json::{Value, json};

const GRANTS: &str = r#""storage", "locks", "schedules""#;

/// The mock with all that it asks for, of which so much is granted.
fn with_mock(stage: &Stage, granted: &str, more: &str) -> Result<()> {
    stage.install("mock")?;
    fs::copy(stage.plugin("mock/callbacks.toml"), stage.plugin("mock/plugin.toml"))?;
    stage.configure(&format!(
        "{more}\n[[plugin]]\nname = \"mock\"\ngrants.callbacks = [{granted}]\n"
    ))
}

/// What the host answers to the plugin: `{"ok": …}` or `{"error": …}`.
fn answer(supervisor: &Supervisor<'_>, call: &str, args: &Value) -> Result<Value> {
    let body = json!({ "call": call, "args": args }).to_string();
    let reply = supervisor.request(
        "POST",
        "/api/mock/call",
        "content-type: application/json\r\n",
        &body,
    )?;
    ensure!(reply.status == 200, "{call} {args}: {} {}", reply.status, reply.text());
    reply.json()
}

#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn ok(supervisor: &Supervisor<'_>, call: &str, args: Value) -> Result<Value> {
    let answer = answer(supervisor, call, &args)?;
    let ok = answer.get("ok").with_context(|| format!("{call} {args}: {answer}"))?;
    Ok(ok.clone())
}

/// The kind of an error and its words.
#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn refused(supervisor: &Supervisor<'_>, call: &str, args: Value) -> Result<(String, String)> {
    let answer = answer(supervisor, call, &args)?;
    let text = |name: &str| answer["error"][name].as_str().map(str::to_owned);
    let told = text("kind").zip(text("message"));
    told.with_context(|| format!("{call} {args}: {answer}"))
}
