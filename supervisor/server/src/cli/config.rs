//! `outboard config check|reference`.

use anyhow::Result;
use clap::Subcommand;
use outboard_core::config::{self, Setting};

use super::load::{Sources, load_config};
use super::output;
use crate::environment::Environment;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell every mistake in the configuration, or what it comes to
    Check(Sources),
    /// Explain every key of outboard.toml, with its variable and its flag
    Reference {
        /// Explain plugin.toml instead
        #[arg(long)]
        manifest: bool,
    },
}

impl Command {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        match self {
            Self::Check(sources) => check(&sources, environment),
            Self::Reference { manifest: true } => {
                Ok(output::line(config::manifest_reference().trim_end())?)
            }
            Self::Reference { manifest: false } => {
                Ok(output::line(config::reference().trim_end())?)
            }
        }
    }
}

fn check(sources: &Sources, environment: &Environment) -> Result<()> {
    let config = load_config(sources, environment)?;
    let mut table = output::table(["SETTING", "VALUE", "FROM"]);
    for setting in &config.settings {
        table.add_row([setting.about.path.to_owned(), value(setting, &config), origin(setting)]);
    }
    output::write_table(&table)?;
    let (plugins, instances) = (config.plugin_entries.len(), config.instances.len());
    let secrets = config.secrets.len();
    output::line(&format!(
        "\nno mistakes; the file has {plugins} [[plugin]], {instances} [[instance]] and {secrets} secrets"
    ))?;
    Ok(())
}

/// As written, or what holds where nothing is.
fn value(setting: &Setting, config: &config::Config) -> String {
    let default = match setting.about.path {
        "plugins" => config.plugins.display().to_string(),
        "data_dir" => config.data_dir.display().to_string(),
        "runtime_dir" => config.runtime_dir.display().to_string(),
        "database.url" => match &config.database {
            config::Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            config::Database::Postgres(_) => String::new(),
        },
        "external_url" => format!("http://{}", config.gateway.listen),
        _ => String::new(),
    };
    let text = setting.text();
    if text.is_empty() { default } else { text }
}

fn origin(setting: &Setting) -> String {
    setting.place.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
}
