//! `outboard plugin grant|revoke|grants`: what plugins may do beyond the default.
//!
//! A supervisor that runs is told, and it counts at once. Without one, the file in the data directory is changed, which
//! the next start reads.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use outboard_proto::admin::v1::{self as admin, GrantRequest, GrantsRequest, RevokeRequest};
use tonic::transport::Channel;

use super::offline::Offline;
use super::view::PluginGrants;
use crate::cli::client::{self, ClientError};
use crate::cli::output::{self, plain};
use crate::cli::whom::Whom;
use crate::environment::Environment;
use crate::plugin::Wanted;

/// Where a supervisor that does not run has its things.
#[derive(Args, Debug)]
pub(super) struct Where {
    /// The supervisor's data directory, if it is not that of the configuration
    #[arg(long, value_name = "PATH")]
    data_dir: Option<PathBuf>,
    /// The directory of plugins, if it is not that of the configuration
    #[arg(long, value_name = "PATH")]
    plugins: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// What is given or taken.
#[derive(Args, Debug)]
pub(super) struct What {
    /// The plugin's name, as `outboard plugin grants` shows it
    name: String,
    /// Groups of calls, such as users.read
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Types of events that it may announce
    #[arg(long, value_name = "TYPE")]
    emit: Vec<String>,
    /// All of it
    #[arg(long, conflicts_with_all = ["groups", "emit"])]
    all: bool,
}

#[derive(Args, Debug)]
pub(super) struct Grants {
    #[command(flatten)]
    place: Where,
}

#[derive(Args, Debug)]
pub(super) struct Grant {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    place: Where,
}

#[derive(Args, Debug)]
pub(super) struct Revoke {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    place: Where,
}

/// A supervisor that runs, or what it left.
enum Supervisor {
    Running(PluginsClient<Channel>),
    Gone(Offline),
}

impl Where {
    async fn supervisor(&self, whom: &Whom, environment: &Environment) -> Result<Supervisor> {
        match client::connect(&whom.socket(environment)?).await {
            Ok(client) => Ok(Supervisor::Running(client)),
            Err(ClientError::NobodyThere(socket)) => {
                let (data_dir, plugins) = (self.data_dir.as_deref(), self.plugins.as_deref());
                let config = whom.config(environment, data_dir, plugins)?;
                let offline = Offline::open(config).with_context(|| {
                    format!("no supervisor listens at {}, and without one", socket.display())
                })?;
                Ok(Supervisor::Gone(offline))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl What {
    fn wanted(&self) -> Result<Wanted> {
        match Wanted::read(self.all, &self.groups, &self.emit) {
            Ok(wanted) => Ok(wanted),
            Err(_) if self.groups.is_empty() && self.emit.is_empty() => {
                bail!(
                    "name groups of calls, or types with --emit, or give --all; `outboard plugin grants` shows what {} asks for",
                    self.name
                )
            }
            Err(problem) => bail!(problem),
        }
    }
}

impl Grants {
    pub(super) async fn run(self, whom: &Whom, environment: &Environment) -> Result<()> {
        let plugins = match self.place.supervisor(whom, environment).await? {
            Supervisor::Running(mut client) => {
                let answer = client.grants(GrantsRequest {}).await.map_err(ClientError::from)?;
                answer.into_inner().plugins.into_iter().map(PluginGrants::from).collect()
            }
            Supervisor::Gone(offline) => offline.grants(),
        };
        if self.place.json {
            return Ok(output::json(&plugins)?);
        }
        Ok(write_table(&plugins)?)
    }
}

impl Grant {
    pub(super) async fn run(self, whom: &Whom, environment: &Environment) -> Result<()> {
        let wanted = self.what.wanted()?;
        let What { name, groups, emit, all } = self.what;
        let plugin = match self.place.supervisor(whom, environment).await? {
            Supervisor::Running(mut client) => {
                let request = GrantRequest { name, all, callbacks: groups, emit };
                let answer = client.grant(request).await.map_err(ClientError::from)?;
                let plugin = answer.into_inner().plugin;
                PluginGrants::from(plugin.context(EMPTY)?)
            }
            Supervisor::Gone(offline) => offline.grant(&name, wanted)?,
        };
        if self.place.json {
            return Ok(output::json(&plugin)?);
        }
        Ok(output::line(&sentence(&plugin))?)
    }
}

impl Revoke {
    pub(super) async fn run(self, whom: &Whom, environment: &Environment) -> Result<()> {
        let wanted = self.what.wanted()?;
        let What { name, groups, emit, all } = self.what;
        let plugin = match self.place.supervisor(whom, environment).await? {
            Supervisor::Running(mut client) => {
                let (name, callbacks) = (name.clone(), groups.clone());
                let request = RevokeRequest { name, all, callbacks, emit: emit.clone() };
                let answer = client.revoke(request).await.map_err(ClientError::from)?;
                answer.into_inner().plugin.map(PluginGrants::from)
            }
            Supervisor::Gone(offline) => offline.revoke(&name, &wanted)?,
        };
        if self.place.json {
            return Ok(output::json(&plugin)?);
        }
        let Some(plugin) = plugin else {
            return Ok(output::line(&format!("{}: nothing is granted any more", plain(&name)))?);
        };
        output::line(&sentence(&plugin))?;
        let emit = emit.iter().map(|kind| format!("emit {kind}"));
        let taken: Vec<String> = groups.into_iter().chain(emit).collect();
        let left = plugin.granted.iter().filter(|word| all || taken.contains(word));
        let left: Vec<_> = left.map(|word| plain(word)).collect();
        if left.is_empty() {
            return Ok(());
        }
        Ok(output::line(&format!("outboard.toml still grants: {}", left.join(", ")))?)
    }
}

const EMPTY: &str = "the supervisor's answer is empty; is it of another version?";

impl From<admin::PluginGrants> for PluginGrants {
    fn from(plugin: admin::PluginGrants) -> Self {
        let admin::PluginGrants { name, hash, asked, granted, missing, waiting } = plugin;
        Self { name, hash, asked, granted, missing, waiting: waiting.map(Into::into) }
    }
}

fn write_table(plugins: &[PluginGrants]) -> io::Result<()> {
    let mut table = output::table(["PLUGIN", "VERSION", "GRANTED", "MISSING"]);
    for plugin in plugins {
        let hash = short(&plugin.hash);
        table.add_row([plain(&plugin.name), hash, words(&plugin.granted), words(&plugin.missing)]);
        if let Some(waiting) = &plugin.waiting {
            let hash = format!("{} waits", short(&waiting.hash));
            table.add_row([plain(&plugin.name), hash, "-".to_owned(), words(&waiting.missing)]);
        }
    }
    output::write_table(&table)
}

/// What came of it.
fn sentence(plugin: &PluginGrants) -> String {
    let (name, hash) = (plain(&plugin.name), short(&plugin.hash));
    let mut parts = vec![format!("{name}, version {hash}: granted {}", words(&plugin.granted))];
    if !plugin.missing.is_empty() {
        parts.push(format!("not granted {}", words(&plugin.missing)));
    }
    if let Some(waiting) = &plugin.waiting {
        let (hash, missing) = (short(&waiting.hash), words(&waiting.missing));
        parts.push(format!("version {hash} still waits for {missing}"));
        if waiting.missing.iter().any(|word| word == "remote_tcp") {
            parts.push("remote_tcp is granted in outboard.toml alone".to_owned());
        }
    }
    parts.join("; ")
}

fn words(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { plain(&words.join(", ")) }
}

/// As much of a hash as tells versions apart.
fn short(hash: &str) -> String {
    if hash.is_empty() { "-".to_owned() } else { plain(&hash.chars().take(12).collect::<String>()) }
}
