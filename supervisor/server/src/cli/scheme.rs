//! `outboard scheme list|set`: what operators do about the ways to authenticate beyond the password.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::schemes_client::SchemesClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::client::ClientError;
use super::output::{self, plain};
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Scheme {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the schemes that are in use
    List(List),
    /// Say how a scheme is to be used: what is not given stays as it is
    Set(Set),
}

#[derive(Args, Debug)]
struct List {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Set {
    /// The instance
    name: String,
    /// How long an authentication counts, such as `10m`; 0s: as long as the session
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    expiration: Option<Duration>,
    /// How often an authentication may be used; 0: any number of times
    #[arg(long, value_name = "COUNT")]
    max_use: Option<u32>,
    /// Whether users may register it themselves
    #[arg(long, value_name = "BOOL")]
    allow_user_register: Option<bool>,
    /// Whether users may not see it on their profile
    #[arg(long, value_name = "BOOL")]
    forbid_user_profile: Option<bool>,
    /// Whether it is no way to get back into an account
    #[arg(long, value_name = "BOOL")]
    forbid_user_reset_credential: Option<bool>,
}

impl Scheme {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = SchemesClient::new(channel);
            match self.command {
                Command::List(list) => list.run(client).await,
                Command::Set(set) => set.run(client).await,
            }
        })
    }
}

impl List {
    async fn run(self, mut client: SchemesClient<Channel>) -> Result<()> {
        let response =
            client.list(admin::ListSchemesRequest {}).await.map_err(ClientError::from)?;
        let schemes = response.into_inner().schemes;
        if self.json {
            return Ok(output::json(&schemes.iter().map(shown).collect::<Vec<_>>())?);
        }
        if schemes.is_empty() {
            return Ok(output::line("no schemes; an instance with kind = \"scheme\" is one")?);
        }
        let headings = ["SCHEME", "PLUGIN", "DISPLAY NAME", "COUNTS FOR", "USES", "BY USERS"];
        let mut table = output::table(headings);
        for scheme in &schemes {
            table.add_row(row(scheme));
        }
        Ok(output::write_table(&table)?)
    }
}

impl Set {
    async fn run(self, mut client: SchemesClient<Channel>) -> Result<()> {
        let request = admin::SetSchemeRequest {
            name: self.name.clone(),
            expiration: self.expiration.map(TryInto::try_into).transpose()?,
            max_use: self.max_use,
            allow_user_register: self.allow_user_register,
            forbid_user_profile: self.forbid_user_profile,
            forbid_user_reset_credential: self.forbid_user_reset_credential,
        };
        client.set(request).await.map_err(ClientError::from)?;
        Ok(output::line(&format!("changed {}", plain(&self.name)))?)
    }
}

fn seconds(scheme: &admin::Scheme) -> u64 {
    let seconds = scheme.expiration.as_ref().map_or(0, |expiration| expiration.seconds);
    u64::try_from(seconds).unwrap_or_default()
}

fn row(scheme: &admin::Scheme) -> [String; 6] {
    let expiration = seconds(scheme);
    let lasts = humantime::format_duration(Duration::from_secs(expiration)).to_string();
    let uses = scheme.max_use.to_string();
    [
        plain(&scheme.name),
        plain(&scheme.module),
        plain(&scheme.display_name),
        if expiration == 0 { "the session".to_owned() } else { lasts },
        if scheme.max_use == 0 { "any".to_owned() } else { uses },
        if scheme.allow_user_register { "yes" } else { "no" }.to_owned(),
    ]
}

/// The JSON is a promise to scripts; the messages of the control socket are not.
fn shown(scheme: &admin::Scheme) -> Value {
    json!({
        "module": scheme.module,
        "name": scheme.name,
        "display_name": scheme.display_name,
        "expiration": seconds(scheme),
        "max_use": scheme.max_use,
        "allow_user_register": scheme.allow_user_register,
        "forbid_user_profile": scheme.forbid_user_profile,
        "forbid_user_reset_credential": scheme.forbid_user_reset_credential,
    })
}
