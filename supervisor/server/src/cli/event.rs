//! `outboard event notifiers|show|dead|replay|drop`: what operators do with events.

mod dead;
mod notifiers;
mod selection;
mod show;
mod view;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1::events_client::EventsClient;
use tonic::transport::Channel;

use super::client::MAX_ANSWER_BYTES;
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Event {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show who is told of events, and how many wait
    Notifiers(notifiers::Notifiers),
    /// Show an event and what became of it
    Show(show::Show),
    /// List dead letters: events that were given up for a notifier
    Dead(dead::Dead),
    /// Deliver dead letters once more, outside the order
    Replay(selection::Selection),
    /// Forget dead letters
    Drop(selection::Selection),
}

impl Event {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = EventsClient::new(channel);
            self.command.run(client.max_decoding_message_size(MAX_ANSWER_BYTES)).await
        })
    }
}

impl Command {
    async fn run(self, client: EventsClient<Channel>) -> Result<()> {
        match self {
            Self::Notifiers(notifiers) => notifiers.run(client).await,
            Self::Show(show) => show.run(client).await,
            Self::Dead(dead) => dead.run(client).await,
            Self::Replay(selection) => selection.replay(client).await,
            Self::Drop(selection) => selection.drop(client).await,
        }
    }
}
