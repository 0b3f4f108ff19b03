//! Sessions and schemes as plugins and operators see them, through the real binary, on both databases.

mod commands;
mod schemes;
mod sessions;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::Supervisor;
use e2e::supervisor::api::Client;
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

const PASSWORD: &str = "a password of users";

/// Installs the mock, which asks for these groups of calls and is granted `granted`, with itself and the scheme `code`,
/// whose code is 42.
fn prepare(stage: &Stage, granted: &[&str]) -> Result<()> {
    stage.install("mock")?;
    let manifest = stage.plugin("mock").join("plugin.toml");
    let asked = ["sessions", "schemes", "schemes.any_user"];
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, format!("{text}\n[grants]\ncallbacks = {asked:?}\n"))?;
    stage.configure(&format!(
        "[login]\nscheme_timeout = \"2s\"\n\
         [[plugin]]\nname = \"mock\"\ngrants.callbacks = {granted:?}\n\
         [[instance]]\nplugin = \"mock\"\nname = \"mock\"\n\
         [[instance]]\nplugin = \"mock\"\nname = \"other\"\n\
         [[instance]]\nplugin = \"mock\"\nname = \"code\"\nkind = \"scheme\"\ndisplay_name = \"A code\"\n\
         parameters = {{ \"mock-value\" = \"42\" }}\n"
    ))
}

/// The scopes `plain` and `twofold`, which needs the scheme `code` too, and the users ann and bob, who have both.
fn people(admin: &mut Client<'_>) -> Result<()> {
    for scope in [
        json!({ "name": "plain", "display_name": "Plain" }),
        json!({ "name": "foreign" }),
        json!({ "name": "twofold", "scheme": { "2": [{ "scheme_type": "mock", "scheme_name": "code" }] } }),
    ] {
        ok(admin.post("/api/scope/", &scope)?)?;
    }
    for name in ["ann", "bob"] {
        let user = json!({
            "username": name, "password": PASSWORD, "name": name, "scope": ["g_profile", "plain", "twofold"],
        });
        ok(admin.post("/api/user/", &user)?)?;
    }
    Ok(())
}

/// Somebody who has signed in by password.
fn signed_in<'a>(supervisor: &'a Supervisor<'a>, name: &str) -> Result<Client<'a>> {
    let mut client = supervisor.client();
    client.sign_in(name, PASSWORD)?;
    Ok(client)
}

/// What a call of the mock's is answered with; its request comes from this client.
#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn call(client: &mut Client<'_>, name: &str, args: Value) -> Result<Value> {
    let reply = client.post("/api/mock/call", &json!({ "call": name, "args": args }))?;
    ensure!(reply.status == 200, "{name}: {reply:?}");
    reply.json()
}

/// The same, of a call that goes well.
fn good(client: &mut Client<'_>, name: &str, args: Value) -> Result<Value> {
    let answer = call(client, name, args)?;
    answer.get("ok").cloned().with_context(|| format!("{name}: {answer}"))
}

/// The kind of error that a call ends with.
fn refused(client: &mut Client<'_>, name: &str, args: Value) -> Result<String> {
    let answer = call(client, name, args)?;
    let kind = answer["error"]["kind"].as_str();
    kind.map(str::to_owned).with_context(|| format!("{name}: {answer}"))
}

#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn ok(reply: e2e::supervisor::http::Reply) -> Result<()> {
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    Ok(())
}

/// Proves by the scheme `code` who a user is.
fn prove(client: &mut Client<'_>, name: &str, code: &str) -> Result<u16> {
    let body = json!({
        "username": name, "scheme_type": "mock", "scheme_name": "code", "value": { "code": code },
    });
    Ok(client.post("/api/auth/", &body)?.status)
}
