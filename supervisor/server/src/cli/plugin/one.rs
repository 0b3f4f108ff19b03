//! `outboard plugin start|stop|restart`.

use anyhow::{Context as _, Result};
use clap::Args;
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use outboard_proto::admin::v1::{self as admin, RestartRequest, StartRequest, StopRequest};
use tonic::transport::Channel;

use super::view::Plugin;
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct One {
    /// The plugin's name, as `outboard plugin list` shows it
    name: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl One {
    pub(super) async fn start(self, mut client: PluginsClient<Channel>) -> Result<()> {
        let request = StartRequest { name: self.name.clone() };
        let response = client.start(request).await.map_err(ClientError::from)?;
        self.write(response.into_inner().plugin)
    }

    pub(super) async fn stop(self, mut client: PluginsClient<Channel>) -> Result<()> {
        let request = StopRequest { name: self.name.clone() };
        let response = client.stop(request).await.map_err(ClientError::from)?;
        self.write(response.into_inner().plugin)
    }

    pub(super) async fn restart(self, mut client: PluginsClient<Channel>) -> Result<()> {
        let request = RestartRequest { name: self.name.clone() };
        let response = client.restart(request).await.map_err(ClientError::from)?;
        self.write(response.into_inner().plugin)
    }

    fn write(&self, plugin: Option<admin::Plugin>) -> Result<()> {
        let plugin =
            plugin.context("the supervisor's answer is empty; is it of another version?")?;
        let plugin = Plugin::from(plugin);
        if self.json {
            return Ok(output::json(&plugin)?);
        }
        Ok(output::line(&sentence(&plugin))?)
    }
}

fn sentence(plugin: &Plugin) -> String {
    let pid = plugin.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    let start = plugin.start_time().filter(|_| plugin.pid.is_some());
    let start =
        start.map(|time| format!(", started in {}", output::short(time))).unwrap_or_default();
    format!("{}: {}{pid}{start}", plain(&plugin.name), plugin.state)
}
