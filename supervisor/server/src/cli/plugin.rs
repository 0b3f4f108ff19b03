//! `outboard plugin list|start|stop|restart|logs|grants|grant|revoke`: what operators do with plugins.

mod grant;
mod list;
mod logs;
mod offline;
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
    /// Show what plugins ask for beyond the default, and what they were granted
    Grants(grant::Grants),
    /// Grant a plugin what it asks for: the version that waits for it, or else the one there is
    Grant(grant::Grant),
    /// Take from a plugin what was granted with `grant`
    Revoke(grant::Revoke),
}

impl Plugin {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.command.run(&self.whom, environment))
    }
}

impl Command {
    async fn run(self, whom: &Whom, environment: &Environment) -> Result<()> {
        let client = async || -> Result<PluginsClient<Channel>> {
            Ok(client::connect(&whom.socket(environment)?).await?)
        };
        match self {
            Self::List(list) => list.run(client().await?).await,
            Self::Start(one) => one.start(client().await?).await,
            Self::Stop(one) => one.stop(client().await?).await,
            Self::Restart(one) => one.restart(client().await?).await,
            Self::Logs(logs) => logs.run(client().await?).await,
            Self::Grants(grants) => grants.run(whom, environment).await,
            Self::Grant(grant) => grant.run(whom, environment).await,
            Self::Revoke(revoke) => revoke.run(whom, environment).await,
        }
    }
}
