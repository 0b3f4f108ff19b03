//! `outboard client list|show|add|set|delete`: what operators do about clients.

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::clients_client::ClientsClient;
use serde_json::{Map, Value};
use tonic::transport::Channel;

use super::client::{ClientError, MAX_ANSWER_BYTES};
use super::fields::{self, Fields, add_text, cell};
use super::whom::Whom;
use super::{output, password};
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Client {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List clients by id
    List(List),
    /// Show all that is known of a client
    Show(One),
    /// Add a client
    Add(Change),
    /// Change what is known of a client
    Set(Change),
    /// Delete a client, and what users have granted to it
    Delete(One),
}

#[derive(Args, Debug)]
struct List {
    /// A part of an id, name or description
    #[arg(default_value = "")]
    pattern: String,
    /// How many to leave out first
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    offset: u64,
    /// At most so many, and at most 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
    /// Only those of this source: "database", or an instance
    #[arg(long, default_value = "", value_name = "NAME")]
    source: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct One {
    /// The client's id
    client_id: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Change {
    /// The client's id
    client_id: String,
    #[command(flatten)]
    fields: Fields,
    /// For people; empty: none
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it is in use
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// Whether it can keep a secret
    #[arg(long, value_name = "true|false")]
    confidential: Option<bool>,
    /// Read a password from a prompt, or from stdin
    #[arg(long)]
    password: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Client {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = ClientsClient::new(channel);
            self.command.run(client.max_decoding_message_size(MAX_ANSWER_BYTES)).await
        })
    }
}

impl Command {
    async fn run(self, mut client: ClientsClient<Channel>) -> Result<()> {
        match self {
            Self::List(list) => list.run(client).await,
            Self::Show(One { client_id, json }) => {
                let request = admin::GetClientRequest { client_id };
                let response = client.get(request).await.map_err(ClientError::from)?;
                fields::write(&response.into_inner().client, json)
            }
            Self::Add(change) => change.add(client).await,
            Self::Set(change) => change.set(client).await,
            Self::Delete(One { client_id, .. }) => {
                let request = admin::DeleteClientRequest { client_id };
                client.delete(request).await.map_err(ClientError::from)?;
                Ok(output::line("deleted")?)
            }
        }
    }
}

impl List {
    async fn run(self, mut client: ClientsClient<Channel>) -> Result<()> {
        let Self { pattern, offset, limit, source, json } = self;
        let request = admin::ListClientsRequest { pattern, offset, limit, source };
        let response = client.list(request).await.map_err(ClientError::from)?;
        let clients = fields::read_all(&response.into_inner().clients)?;
        if json {
            return Ok(output::json(&clients)?);
        }
        if clients.is_empty() {
            return Ok(output::line("no clients")?);
        }
        let mut table =
            output::table(["CLIENT", "NAME", "ENABLED", "CONFIDENTIAL", "SCOPES", "SOURCE"]);
        for client in &clients {
            let row = ["client_id", "name", "enabled", "confidential", "scope", "source"];
            table.add_row(row.map(|field| cell(&client[field])));
        }
        Ok(output::write_table(&table)?)
    }
}

impl Change {
    async fn add(self, mut client: ClientsClient<Channel>) -> Result<()> {
        let mut object = self.object()?;
        object.insert("client_id".to_owned(), self.client_id.as_str().into());
        let request = admin::AddClientRequest {
            client: Value::Object(object).to_string().into(),
            password: self.read_password()?,
        };
        let response = client.add(request).await.map_err(ClientError::from)?;
        fields::write(&response.into_inner().client, self.json)
    }

    async fn set(self, mut client: ClientsClient<Channel>) -> Result<()> {
        let request = admin::SetClientRequest {
            client: Value::Object(self.object()?).to_string().into(),
            password: self.read_password()?,
            client_id: self.client_id,
        };
        let response = client.set(request).await.map_err(ClientError::from)?;
        fields::write(&response.into_inner().client, self.json)
    }

    fn object(&self) -> Result<Map<String, Value>> {
        let mut object = Map::new();
        self.fields.add_to(&mut object)?;
        add_text(&mut object, "description", self.description.as_deref());
        for (name, value) in [("enabled", self.enabled), ("confidential", self.confidential)] {
            if let Some(value) = value {
                object.insert(name.to_owned(), value.into());
            }
        }
        Ok(object)
    }

    fn read_password(&self) -> Result<Option<String>> {
        self.password.then(password::read).transpose()
    }
}
