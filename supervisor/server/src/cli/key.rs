//! `outboard key create|list|disable`: what programs send instead of a session.

use std::time::SystemTime;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::api_keys_client::ApiKeysClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::client::ClientError;
use super::output::{self, plain};
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Key {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an API key; it is shown this once
    Create(Create),
    /// List API keys, the newest first
    List(List),
    /// From now on a key opens nothing
    Disable(Disable),
}

#[derive(Args, Debug)]
struct Create {
    /// What it is for, for people
    #[arg(long, default_value = "", value_name = "TEXT")]
    label: String,
    /// What it may do; each again for another; default: what administrators may
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct List {
    /// A part of label, maker or origin
    #[arg(default_value = "")]
    pattern: String,
    /// How many to leave out first
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    offset: u64,
    /// At most so many, and at most 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Disable {
    /// The key's hash, as `outboard key list` shows it
    hash: String,
}

impl Key {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = ApiKeysClient::new(channel);
            match self.command {
                Command::Create(create) => create.run(client).await,
                Command::List(list) => list.run(client).await,
                Command::Disable(disable) => disable.run(client).await,
            }
        })
    }
}

impl Create {
    async fn run(self, mut client: ApiKeysClient<Channel>) -> Result<()> {
        let Self { label, scopes, json } = self;
        let request =
            admin::CreateApiKeyRequest { label, scopes, issued_by: "outboard key".to_owned() };
        let response = client.create(request).await.map_err(ClientError::from)?;
        let admin::CreateApiKeyResponse { key, stored } = response.into_inner();
        if !json {
            return Ok(output::line(&key)?);
        }
        let mut object = shown(&stored.unwrap_or_default());
        object["key"] = key.into();
        Ok(output::json(&object)?)
    }
}

impl List {
    async fn run(self, mut client: ApiKeysClient<Channel>) -> Result<()> {
        let Self { pattern, offset, limit, json } = self;
        let request = admin::ListApiKeysRequest { pattern, offset, limit };
        let response = client.list(request).await.map_err(ClientError::from)?;
        let keys = response.into_inner().keys;
        if json {
            return Ok(output::json(&keys.iter().map(shown).collect::<Vec<_>>())?);
        }
        if keys.is_empty() {
            return Ok(output::line("no API keys")?);
        }
        let mut table = output::table(["HASH", "LABEL", "SCOPES", "BY", "AGE", "USES", "ENABLED"]);
        for key in &keys {
            table.add_row(row(key));
        }
        Ok(output::write_table(&table)?)
    }
}

impl Disable {
    async fn run(self, mut client: ApiKeysClient<Channel>) -> Result<()> {
        let request = admin::DisableApiKeyRequest { hash: self.hash };
        client.disable(request).await.map_err(ClientError::from)?;
        Ok(output::line("disabled")?)
    }
}

fn created(key: &admin::ApiKey) -> Option<SystemTime> {
    key.created.and_then(|time| SystemTime::try_from(time).ok())
}

fn row(key: &admin::ApiKey) -> [String; 7] {
    let now = SystemTime::now();
    [
        key.hash.clone(),
        plain(&key.label),
        plain(&key.scopes.join(" ")),
        plain(&key.issued_by),
        created(key).map_or_else(|| "-".to_owned(), |time| output::ago(time, now)),
        key.uses.to_string(),
        if key.enabled { "yes" } else { "no" }.to_owned(),
    ]
}

/// The JSON is a promise to scripts; the messages of the control socket are not.
fn shown(key: &admin::ApiKey) -> Value {
    json!({
        "hash": key.hash,
        "label": key.label,
        "scopes": key.scopes,
        "created": created(key).map(|time| humantime::format_rfc3339_millis(time).to_string()),
        "issued_by": key.issued_by,
        "issued_for": key.issued_for,
        "user_agent": key.user_agent,
        "uses": key.uses,
        "enabled": key.enabled,
    })
}
