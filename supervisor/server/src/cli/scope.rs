//! `outboard scope list|show|add|set|delete`: what operators do about scopes.

mod change;
mod list;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1::scopes_client::ScopesClient;
use tonic::transport::Channel;

use super::client::MAX_ANSWER_BYTES;
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Scope {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List scopes by name
    List(list::List),
    /// Show a scope
    Show(list::Show),
    /// Add a scope
    Add(change::Add),
    /// Change a scope: what is not given stays as it is
    Set(change::Set),
    /// Delete a scope; whoever has it keeps its name
    Delete(change::Delete),
}

impl Scope {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = ScopesClient::new(channel);
            self.command.run(client.max_decoding_message_size(MAX_ANSWER_BYTES)).await
        })
    }
}

impl Command {
    async fn run(self, client: ScopesClient<Channel>) -> Result<()> {
        match self {
            Self::List(list) => list.run(client).await,
            Self::Show(show) => show.run(client).await,
            Self::Add(add) => add.run(client).await,
            Self::Set(set) => set.run(client).await,
            Self::Delete(delete) => delete.run(client).await,
        }
    }
}
