//! `outboard plugin list|start|stop|restart|logs`: what operators do with a running supervisor.

mod list;
mod logs;
mod one;
mod view;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use tonic::transport::Channel;

use super::client;
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Plugin {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all plugins and how they are
    List(list::List),
    /// Start a plugin that is stopped or has failed, and wait until it serves
    Start(one::One),
    /// Stop a plugin until it is started again
    Stop(one::One),
    /// Stop a plugin, start it, and wait until it serves
    Restart(one::One),
    /// Show what a plugin logs
    Logs(logs::Logs),
}

impl Plugin {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let socket = self.whom.socket(environment)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = client::connect(&socket).await?;
            self.command.run(client).await
        })
    }
}

impl Command {
    async fn run(self, client: PluginsClient<Channel>) -> Result<()> {
        match self {
            Self::List(list) => list.run(client).await,
            Self::Start(one) => one.start(client).await,
            Self::Stop(one) => one.stop(client).await,
            Self::Restart(one) => one.restart(client).await,
            Self::Logs(logs) => logs.run(client).await,
        }
    }
}
