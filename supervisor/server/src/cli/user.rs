//! `outboard user list|show|add|set|password|delete|revocations`: what operators do about users.

mod add;
mod change;
mod delete;
mod list;
mod revocations;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1::users_client::UsersClient;
use tonic::transport::Channel;

use super::client::MAX_ANSWER_BYTES;
use super::fields;
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct User {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List users by name
    List(list::List),
    /// Show all that is known of a user
    Show(list::Show),
    /// Add a user
    Add(add::Add),
    /// Change what is known of a user
    Set(change::Set),
    /// Give a user a new password, read from a prompt or from stdin
    Password(change::Password),
    /// Delete a user, and tell every instance of it
    Delete(delete::Delete),
    /// List the instances that have not been told yet that a user was deleted, or give them up
    Revocations(revocations::Revocations),
}

impl User {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = UsersClient::new(channel);
            self.command.run(client.max_decoding_message_size(MAX_ANSWER_BYTES)).await
        })
    }
}

impl Command {
    async fn run(self, client: UsersClient<Channel>) -> Result<()> {
        match self {
            Self::List(list) => list.run(client).await,
            Self::Show(show) => show.run(client).await,
            Self::Add(add) => add.run(client).await,
            Self::Set(set) => set.run(client).await,
            Self::Password(password) => password.run(client).await,
            Self::Delete(delete) => delete.run(client).await,
            Self::Revocations(revocations) => revocations.run(client).await,
        }
    }
}
