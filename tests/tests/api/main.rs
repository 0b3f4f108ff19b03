//! The host's HTTP API, path by path, with an HTTP client, on both databases.

mod auth;
mod browsers;
mod clients;
mod delegate;
mod import;
mod instances;
mod keys;
mod password_first;
mod profile;
mod schemes;
mod scopes;
mod users;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::api::Client;
use e2e::supervisor::http::Reply;
use serde_json::Value;

/// Asks, and fails with the whole reply if the status is another.
fn expect(reply: Result<Reply>, status: u16) -> Result<Reply> {
    let reply = reply?;
    ensure!(reply.status == status, "expected {status}: {} {}", reply.status, reply.text());
    Ok(reply)
}

/// The messages of a refusal, which must be an array of texts.
fn errors(reply: &Reply) -> Result<Vec<String>> {
    let value = reply.json()?;
    let texts = value.as_array().context("no array")?.iter();
    let texts: Option<Vec<_>> = texts.map(|text| text.as_str().map(str::to_owned)).collect();
    let texts = texts.context("an error that is no text")?;
    ensure!(!texts.is_empty(), "no error is told");
    Ok(texts)
}

/// Whether one of the messages begins with the name of a field.
fn names(reply: &Reply, field: &str) -> Result<()> {
    let errors = errors(reply)?;
    ensure!(errors.iter().any(|error| error.starts_with(field)), "{field}: {errors:?}");
    Ok(())
}

/// One of a list, found by the value of a key.
fn one<'v>(list: &'v Value, key: &str, value: &str) -> Result<&'v Value> {
    let found = list.as_array().context("no list")?.iter().find(|it| it[key] == value);
    found.with_context(|| format!("no {key} {value:?} in {list}"))
}

/// Adds a user who may see their profile.
fn add_user(admin: &mut Client<'_>, username: &str, scopes: &[&str]) -> Result<()> {
    let body = serde_json::json!({
        "username": username, "password": PASSWORD, "name": username, "scope": scopes,
        "email": format!("{username}@example.org"),
    });
    expect(admin.post("/api/user/", &body), 200).map(drop)
}

const PASSWORD: &str = "a password of users";
