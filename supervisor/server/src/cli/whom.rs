//! Which supervisor a command is for.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use outboard_core::config::Config;
use tonic::transport::Channel;

use super::client;
use super::load::{self, Sources};
use super::settings::Settings;
use crate::dirs;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub(super) struct Whom {
    /// The supervisor's configuration file, if it has one; `OUTBOARD_CONFIG` names it, too
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The supervisor's runtime directory, if it is not that of the configuration
    #[arg(long, global = true, value_name = "PATH")]
    runtime_dir: Option<PathBuf>,
}

impl Whom {
    /// Connects to it, and asks.
    pub(super) fn ask<T>(
        &self,
        environment: &Environment,
        ask: impl AsyncFnOnce(Channel) -> Result<T>,
    ) -> Result<T> {
        let socket = self.socket(environment)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { ask(client::channel(&socket).await?).await })
    }

    /// Where it listens to operators.
    pub(super) fn socket(&self, environment: &Environment) -> Result<PathBuf> {
        let runtime_dir =
            self.runtime_dir.as_ref().map(|path| ("runtime_dir", path.display().to_string()));
        let settings = Settings(runtime_dir.into_iter().collect());
        let sources = Sources { config: self.config.clone(), settings };
        Ok(dirs::control_socket(&load::load_runtime_dir(&sources, environment)?))
    }

    /// Its whole configuration, for what is done without it; these flags go before what the file says.
    pub(super) fn config(
        &self,
        environment: &Environment,
        data_dir: Option<&Path>,
        plugins: Option<&Path>,
    ) -> Result<Config> {
        let flags = [
            ("runtime_dir", self.runtime_dir.as_deref()),
            ("data_dir", data_dir),
            ("plugins", plugins),
        ];
        let flags =
            flags.into_iter().filter_map(|(key, path)| Some((key, path?.display().to_string())));
        let settings = Settings(flags.collect());
        let sources = Sources { config: self.config.clone(), settings };
        Ok(load::load_config(&sources, environment)?)
    }
}
