//! `outboard plugin list`.

use std::io;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::ListRequest;
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use tonic::transport::Channel;

use super::view::{Listing, Plugin};
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct List {
    /// Show the endpoints, too
    #[arg(long, short)]
    endpoints: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, mut client: PluginsClient<Channel>) -> Result<()> {
        let response = client.list(ListRequest {}).await.map_err(ClientError::from)?;
        let listing = Listing::from(response.into_inner());
        if self.json {
            return Ok(output::json(&listing)?);
        }
        write_plugins(&listing)?;
        if self.endpoints {
            write_endpoints(&listing)?;
        }
        Ok(write_troubles(&listing)?)
    }
}

fn write_plugins(listing: &Listing) -> io::Result<()> {
    if listing.plugins.is_empty() {
        return output::line(
            "no plugins; put one into the directory of plugins and send the supervisor SIGHUP",
        );
    }
    let now = SystemTime::now();
    let mut table = output::table([
        "PLUGIN",
        "VERSION",
        "STATE",
        "FOR",
        "PID",
        "RESTARTS",
        "START",
        "INSTANCES",
        "ENDPOINTS",
    ]);
    for plugin in &listing.plugins {
        table.add_row(row(plugin, now));
    }
    output::write_table(&table)?;
    output::line(&format!("\ncontained by: {}", listing.containment))
}

fn row(plugin: &Plugin, now: SystemTime) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let version = Some(plain(&plugin.version)).filter(|version| !version.is_empty());
    let active = plugin.instances.iter().filter(|instance| instance.active).count();
    let endpoints: usize = plugin.instances.iter().map(|instance| instance.endpoints.len()).sum();
    [
        plain(&plugin.name),
        or_dash(version),
        plugin.state.to_owned(),
        or_dash(plugin.since_time.map(|since| output::ago(since, now))),
        or_dash(plugin.pid.map(|pid| pid.to_string())),
        plugin.restarts.to_string(),
        or_dash(plugin.start_time().map(output::short)),
        if plugin.foreign {
            "foreign".to_owned()
        } else {
            format!("{active}/{}", plugin.instances.len())
        },
        endpoints.to_string(),
    ]
}

fn write_endpoints(listing: &Listing) -> io::Result<()> {
    let mut table = output::table(["METHOD", "URL", "PRIORITY", ""]);
    for instance in listing.plugins.iter().flat_map(|plugin| &plugin.instances) {
        for endpoint in &instance.endpoints {
            let kind = if endpoint.filter { "filter" } else { "" };
            let priority = endpoint.priority.to_string();
            table.add_row([
                plain(&endpoint.method),
                plain(&endpoint.url),
                priority,
                kind.to_owned(),
            ]);
        }
    }
    if table.is_empty() {
        return output::line("\nno endpoints");
    }
    output::line("")?;
    output::write_table(&table)
}

/// What went wrong, below the table, where there is room for sentences.
fn write_troubles(listing: &Listing) -> io::Result<()> {
    for plugin in &listing.plugins {
        let name = plain(&plugin.name);
        if let Some(error) = &plugin.error {
            output::line(&format!("\n{name}: {}", plain(error)))?;
        }
        if let Some(waiting) = &plugin.waiting {
            let missing = plain(&waiting.missing.join(", "));
            output::line(&format!(
                "\n{name}: a new version waits for a grant of {missing}, and the one before serves on: run \
                 `outboard plugin grant {name} --all`, or name what you grant"
            ))?;
        }
        for instance in &plugin.instances {
            for problem in &instance.problems {
                output::line(&format!(
                    "\n{name}, instance {}: {}",
                    plain(&instance.name),
                    plain(problem)
                ))?;
            }
        }
    }
    Ok(())
}
