//! `outboard backup`, `outboard restore`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use outboard_core::config::{Config, Database};
use outboard_store::{DatabaseUrl, backup};

use super::load::{Sources, load_config};
use super::output;
use crate::dirs::DataLock;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Backup {
    /// The copy to write. It must not be there yet
    file: PathBuf,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Args, Debug)]
pub struct Restore {
    /// What `outboard backup` has written
    file: PathBuf,
    #[command(flatten)]
    sources: Sources,
}

impl Backup {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let config = load_config(&self.sources, environment)?;
        block_on(backup::back_up(&url(&config)?, &self.file))??;
        Ok(output::line(&format!("the database is copied into {}", self.file.display()))?)
    }
}

impl Restore {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let config = load_config(&self.sources, environment)?;
        let _lock = DataLock::take(&config.data_dir)?;
        let old = block_on(backup::restore(&url(&config)?, &self.file))??;
        output::line(&format!("the database is that of {}", self.file.display()))?;
        if let Some(old) = old {
            output::line(&format!("the one before it is kept as {}", old.display()))?;
        }
        Ok(())
    }
}

fn url(config: &Config) -> Result<DatabaseUrl> {
    Ok(match &config.database {
        Database::Sqlite(path) => DatabaseUrl::sqlite(path),
        Database::Postgres(url) => url.expose().parse()?,
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}
