//! `outboard backup`, `outboard restore`: the database, and with it what was granted by command, which is kept in a file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use outboard_core::config::{Config, Database};
use outboard_core::grant::Lock;
use outboard_store::DatabaseUrl;
use outboard_store::backup::{self, Attached};

use super::load::{Sources, load_config};
use super::output;
use crate::dirs::DataLock;
use crate::environment::Environment;
use crate::grants;

/// What the file of grants is called in a copy.
const GRANTS: &str = "grants.toml";

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
        let url = url(&config)?;
        let granted = grants::read(&grants::file_in(&config.data_dir))?;
        let attached = Attached::from([(GRANTS.to_owned(), granted.text())]);
        block_on(backup::back_up(&url, &self.file, &attached))??;
        let file = self.file.display();
        Ok(output::line(&format!("the database and the grants are copied into {file}"))?)
    }
}

impl Restore {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let config = load_config(&self.sources, environment)?;
        let url = url(&config)?;
        let _lock = DataLock::take(&config.data_dir)?;
        let prepared = block_on(backup::prepare(&url, &self.file))??;
        let granted = match prepared.attached().get(GRANTS).map(|text| Lock::parse(text)) {
            None => None,
            Some(Ok(granted)) => Some(granted),
            Some(Err(error)) => {
                block_on(prepared.drop())??;
                let file = self.file.display().to_string();
                return Err(error).with_context(|| format!("{file}: its grants can't be read"));
            }
        };
        let old = block_on(prepared.put_in_place())??;
        told("the database is", &self.file, old)?;
        let Some(granted) = granted else { return Ok(()) };
        let old = put_back(&grants::file_in(&config.data_dir), &granted)?;
        told("the grants are", &self.file, old)
    }
}

/// Says what is restored, and where what was there has gone.
fn told(what: &str, file: &Path, old: Option<PathBuf>) -> Result<()> {
    let old = old
        .map_or_else(String::new, |old| format!("; what was there is kept as {}", old.display()));
    Ok(output::line(&format!("{what} restored from {}{old}", file.display()))?)
}

/// Writes the file of grants, and keeps another one that was there.
fn put_back(file: &Path, granted: &Lock) -> Result<Option<PathBuf>> {
    let text = granted.text();
    let is_other = fs::read_to_string(file).map_or_else(|_| file.exists(), |old| old != text);
    let old = file.with_extension("toml.before-restore");
    if is_other {
        fs::rename(file, &old).with_context(|| {
            format!("{}: make its directory writable for the user that runs this", file.display())
        })?;
    }
    grants::write(file, granted)?;
    Ok(is_other.then_some(old))
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
