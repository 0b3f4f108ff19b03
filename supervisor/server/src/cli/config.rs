//! `outboard config check|reference`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use outboard_core::config::{self, Config, Database, PluginEntry, ServiceListen, Setting};
use outboard_core::manifest::{self, Manifest};
use outboard_core::written::Mistakes;

use super::load::{Sources, load_config};
use super::output;
use crate::environment::Environment;
use crate::plugin::{plugin_root, problem_of};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell every mistake in the configuration and in the plugins' manifests, or what it comes to
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
        let page = match self {
            Self::Check(sources) => return check(&sources, environment),
            Self::Reference { manifest: true } => config::manifest_reference(),
            Self::Reference { manifest: false } => config::reference(),
        };
        Ok(output::line(page.trim_end())?)
    }
}

fn check(sources: &Sources, environment: &Environment) -> Result<()> {
    let config = load_config(sources, environment)?;
    let manifests = manifests(&config);
    check_manifests(&manifests)?;
    check_named(&config)?;
    write_settings(&config)?;
    output::line(&format!(
        "\nno mistakes: {} settings, {} [[plugin]], {} [[instance]], {} secrets, {} manifests",
        config.settings.iter().filter(|setting| setting.place.is_some()).count(),
        config.plugin_entries.len(),
        config.instances.len(),
        config.secrets.len(),
        manifests.len(),
    ))?;
    Ok(())
}

/// The manifests that are there. That the directory is missing is said by the start.
fn manifests(config: &Config) -> Vec<PathBuf> {
    let entries = fs::read_dir(&config.plugins).into_iter().flatten().flatten();
    let elsewhere = config.plugin_entries.iter().filter_map(manifest_of);
    let plugins = entries.map(|entry| entry.path().join(manifest::FILE_NAME)).chain(elsewhere);
    let mut manifests: Vec<_> = plugins.filter(|path| path.is_file()).collect();
    manifests.sort();
    manifests.dedup();
    manifests
}

/// The manifest of a plugin that is named with its path.
fn manifest_of(entry: &PluginEntry) -> Option<PathBuf> {
    Some(plugin_root(entry.path.as_deref()?).join(manifest::FILE_NAME))
}

/// Whether what is named with a path is there, and what it is taken for.
fn check_named(config: &Config) -> Result<()> {
    let mut mistakes = Mistakes::default();
    for entry in &config.plugin_entries {
        if let Some(problem) = problem_of(entry) {
            mistakes.add(entry.place.clone(), problem);
        }
    }
    Ok(mistakes.or(Some(()))?)
}

fn check_manifests(paths: &[PathBuf]) -> Result<()> {
    let mut mistakes = Mistakes::default();
    for path in paths {
        mistakes.extend(check_manifest(path)?);
    }
    Ok(mistakes.or(Some(()))?)
}

fn check_manifest(path: &Path) -> Result<Mistakes> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    Ok(Manifest::parse(&name, &text).err().unwrap_or_default())
}

fn write_settings(config: &Config) -> Result<()> {
    let mut table = output::table(["SETTING", "VALUE", "FROM"]);
    for setting in &config.settings {
        let path = setting.about.path.to_owned();
        table.add_row([path, output::plain(&value(setting, config)), origin(setting)]);
    }
    Ok(output::write_table(&table)?)
}

/// What a setting comes to: paths are absolute, and what depends on the machine is filled in.
fn value(setting: &Setting, config: &Config) -> String {
    match (setting.about.path, &config.database) {
        ("plugins", _) => config.plugins.display().to_string(),
        ("data_dir", _) => config.data_dir.display().to_string(),
        ("runtime_dir", _) => config.runtime_dir.display().to_string(),
        ("auth.instances", _) => {
            let names: Vec<_> = config.auth.instances.iter().map(ToString::to_string).collect();
            names.join(", ")
        }
        ("service.listen", _) => match &config.service.listen {
            ServiceListen::Unix(path) => format!("unix:{}", path.display()),
            ServiceListen::Tcp(_) | ServiceListen::Off => setting.text(),
        },
        ("database.url", Database::Sqlite(path)) => format!("sqlite:{}", path.display()),
        ("external_url", _) => {
            let listen = format!("http://{}", config.gateway.listen);
            config.external_url.clone().unwrap_or(listen)
        }
        _ => setting.text(),
    }
}

fn origin(setting: &Setting) -> String {
    setting.place.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::Settings;

    fn check_directory(manifest: &str) -> Result<()> {
        let dir = tempfile::tempdir().unwrap();
        let plugin = dir.path().join("plugins/slack");
        fs::create_dir_all(&plugin).unwrap();
        fs::write(plugin.join(manifest::FILE_NAME), manifest).unwrap();
        let file = dir.path().join(config::FILE_NAME);
        fs::write(&file, "").unwrap();
        let sources = Sources { config: Some(file), settings: Settings::default() };
        check_manifests(&manifests(&load_config(&sources, &Environment::default())?))
    }

    #[test]
    fn what_proctors_variables_name_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(manifest::FILE_NAME), "name = \"slack\"\nnotify.types = [\"*\"]")
            .unwrap();
        let file = dir.path().join(config::FILE_NAME);
        fs::write(&file, "").unwrap();
        let named = |variables: [(&str, &str); 2]| {
            let sources = Sources { config: Some(file.clone()), settings: Settings::default() };
            let variables = variables.map(|(name, value)| (name.into(), value.into()));
            check_named(&load_config(&sources, &Environment::new(variables))?)
        };
        let path = dir.path().to_str().unwrap();
        let notification =
            ["PROCTOR_NOTIFICATION_PLUGIN_BINARY", "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED"];
        named([(notification[0], path), (notification[1], "slack")]).unwrap();
        let error =
            named([(notification[0], path), (notification[1], "mail")]).unwrap_err().to_string();
        assert!(error.starts_with(notification[1]) && error.contains("\"slack\""), "{error}");
        let error = named([(notification[0], "/nowhere"), (notification[1], "slack")]).unwrap_err();
        assert!(error.to_string().contains("/nowhere: No such file"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        let path_of_none = empty.path().to_str().unwrap();
        let error =
            named([(notification[0], path_of_none), (notification[1], "slack")]).unwrap_err();
        assert!(error.to_string().contains("without plugin.toml"), "{error}");
        let auth = ["PROCTOR_AUTH_PLUGIN_BINARY", "PROCTOR_AUTH_PLUGIN_EXPORTED"];
        let error = named([(auth[0], path), (auth[1], "slack")]).unwrap_err().to_string();
        assert!(error.contains("authenticate = true"), "{error}");
    }

    #[test]
    fn manifests_are_checked_with_the_configuration() {
        check_directory("name = \"slack\"").unwrap();
        let error = check_directory("nam = \"slack\"").unwrap_err().to_string();
        assert!(error.contains("plugins/slack/plugin.toml:1: \"nam\""), "{error}");
        assert!(error.contains("name is missing"), "{error}");
    }
}
