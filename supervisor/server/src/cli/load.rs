//! Reads what the configuration is made of: the file, the environment, and what the machine says.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::unistd::{Uid, User, geteuid};
use outboard_core::config::{Config, Database, FILE_NAME, RawConfig, Surroundings, is_proctors};
use outboard_core::written::{Mistake, Mistakes, Place};
use outboard_store::DatabaseUrl;

use super::settings::Settings;
use crate::environment::Environment;

/// The variable that says where the file is.
const CONFIG_VARIABLE: &str = "OUTBOARD_CONFIG";

/// Where the file is looked for if nobody says where, besides the working directory.
const SYSTEM_FILE: &str = "/etc/outboard/outboard.toml";

const CONFIG_HELP: &str = "The configuration file [default: outboard.toml in the working directory, else \
                           /etc/outboard/outboard.toml, else none] [variable: OUTBOARD_CONFIG]";

/// What the command line says about the configuration.
#[derive(Args, Clone, Debug, Default)]
pub struct Sources {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Reads and resolves the whole configuration, or tells all that is wrong with it.
pub fn load_config(sources: &Sources, environment: &Environment) -> Result<Config, Mistakes> {
    let config = raw(sources, environment)?.resolve()?;
    check_database(&config)?;
    Ok(config)
}

/// Where the supervisor has its sockets. Mistakes elsewhere in the configuration don't matter: an
/// operator may be half-way through changing it.
pub(super) fn load_runtime_dir(
    sources: &Sources,
    environment: &Environment,
) -> Result<PathBuf, Mistakes> {
    raw(sources, environment)?.runtime_dir()
}

fn raw(sources: &Sources, environment: &Environment) -> Result<RawConfig, Mistakes> {
    let mut mistakes = Mistakes::default();
    let working_dir = env::current_dir().map_err(|error| {
        Mistakes::one(
            Place::Whole("the working directory".into()),
            format!("{error}; change to another"),
        )
    })?;
    let file = read_file(sources, environment)
        .map_err(|mistake| mistakes.extend([mistake]))
        .ok()
        .flatten();
    let mut variables = BTreeMap::new();
    let own = environment.beginning_with("OUTBOARD_");
    for (name, value) in own.chain(environment.beginning_with("PROCTOR_")) {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("PROCTOR_") && !is_proctors(&name) {
            continue;
        }
        match value.to_str() {
            Some(value) => drop(variables.insert(name, value.to_owned())),
            None => mistakes.add(Place::Variable(name), "not UTF-8; set it to plain text"),
        }
    }
    let flags = sources.settings.0.clone();
    let surroundings = surroundings(working_dir, geteuid(), environment);
    mistakes.or(Some(RawConfig { file, variables, flags, surroundings }))
}

fn read_file(
    sources: &Sources,
    environment: &Environment,
) -> Result<Option<(PathBuf, String)>, Mistake> {
    let variable = environment.get(CONFIG_VARIABLE).filter(|path| !path.is_empty());
    let named = sources.config.clone().or_else(|| variable.map(PathBuf::from));
    let is_named = named.is_some();
    let paths = named.map_or_else(|| vec![FILE_NAME.into(), SYSTEM_FILE.into()], |path| vec![path]);
    for path in paths {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {}
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    Ok(None)
}

fn unreadable(path: &Path, error: &io::Error) -> Mistake {
    let advice = match error.kind() {
        io::ErrorKind::InvalidData => "save it as UTF-8",
        io::ErrorKind::NotFound => "create it, or name another with --config",
        _ => "name a file that can be read with --config",
    };
    let place = Place::Whole(path.display().to_string().into());
    Mistake { place, message: format!("{error}; {advice}") }
}

/// What the driver thinks of a database URL; the configuration itself only knows its form.
fn check_database(config: &Config) -> Result<(), Mistakes> {
    let Database::Postgres(url) = &config.database else { return Ok(()) };
    url.expose().parse::<DatabaseUrl>().map(drop).map_err(|error| {
        let setting = config.settings.iter().find(|setting| setting.about.path == "database.url");
        let place = setting.and_then(|setting| setting.place.clone());
        Mistakes::one(
            place.unwrap_or_else(|| Place::Whole("database.url".into())),
            error.to_string(),
        )
    })
}

/// Root gets the system's directories, others their own.
fn surroundings(working_dir: PathBuf, uid: Uid, environment: &Environment) -> Surroundings {
    if uid.is_root() {
        let (data_dir, runtime_dir) = ("/var/lib/outboard".into(), "/run/outboard".into());
        return Surroundings { working_dir, data_dir, runtime_dir };
    }
    let absolute =
        |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("HOME").or_else(|| Some(User::from_uid(uid).ok()??.dir));
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(home?.join(".local/share")));
    let own = |parent: &str| Path::new(parent).join(format!("outboard-{uid}"));
    Surroundings {
        working_dir,
        data_dir: data.map_or_else(|| own("/var/tmp"), |data| data.join("outboard")),
        runtime_dir: absolute("XDG_RUNTIME_DIR")
            .map_or_else(|| own("/tmp"), |run| run.join("outboard")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn sources(file: &Path) -> Sources {
        Sources { config: Some(file.to_owned()), settings: Settings::default() }
    }

    #[test]
    fn users_have_their_data_at_home_and_their_sockets_in_their_runtime_directory() {
        let uid = Uid::from_raw(4593);
        let check = |variables: &[(&str, &str)], data: &str, runtime: &str| {
            let found = surroundings("/w".into(), uid, &environment(variables));
            assert_eq!(
                (found.data_dir.as_path(), found.runtime_dir.as_path()),
                (data.as_ref(), runtime.as_ref())
            );
        };
        check(&[("HOME", "/home/o")], "/home/o/.local/share/outboard", "/tmp/outboard-4593");
        check(
            &[("HOME", "/home/o"), ("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "/r")],
            "/d/outboard",
            "/r/outboard",
        );
        check(&[("HOME", "relative")], "/var/tmp/outboard-4593", "/tmp/outboard-4593");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error =
            load_config(&sources(Path::new("/nonexistent/outboard.toml")), &environment(&[]))
                .unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("/nonexistent/outboard.toml: ") && error.contains("--config"),
            "{error}"
        );
    }

    #[test]
    fn a_database_url_that_the_driver_refuses_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        fs::write(&file, "\n[database]\nurl = \"postgres://o:s3cret@h/n?sslmod=require\"\n")
            .unwrap();
        let error = load_config(&sources(&file), &environment(&[])).unwrap_err().to_string();
        assert!(error.contains("outboard.toml:3: ") && error.contains("sslmod"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn proctors_variables_are_read_and_its_other_ones_are_not_ours() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        fs::write(&file, "").unwrap();
        let variable =
            |name: &str, value: &[u8]| (name.into(), OsStr::from_bytes(value).to_owned());
        let environment = Environment::new([
            variable("PROCTOR_NOTIFICATION_PLUGIN_BINARY", b"/opt/slack"),
            variable("PROCTOR_NOTIFICATION_PLUGIN_EXPORTED", b"slack"),
            variable("PROCTOR_REDIS_ADDRESS", b"\xff"),
        ]);
        let config = load_config(&sources(&file), &environment).unwrap();
        assert_eq!(config.plugin_entries[0].path.as_deref(), Some(Path::new("/opt/slack")));
        let wrong = Environment::new([variable("PROCTOR_AUTH_ENABLED", b"yes")]);
        let error = load_config(&sources(&file), &wrong).unwrap_err().to_string();
        assert_eq!(error, "PROCTOR_AUTH_ENABLED: \"yes\": write true or false");
    }

    #[test]
    fn a_mistake_elsewhere_does_not_keep_an_operator_from_the_socket() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        fs::write(&file, "listen = 1\nruntime_dir = \"run\"\n").unwrap();
        let found = load_runtime_dir(&sources(&file), &environment(&[])).unwrap();
        assert_eq!(found, dir.path().join("run"));
    }

    #[test]
    fn a_variable_that_is_not_text_is_told() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let value = OsStr::from_bytes(b"\xff").to_owned();
        let environment = Environment::new([("OUTBOARD_LOG_LEVEL".into(), value)]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        fs::write(&file, "").unwrap();
        let error = load_config(&sources(&file), &environment).unwrap_err();
        assert_eq!(error.to_string(), "OUTBOARD_LOG_LEVEL: not UTF-8; set it to plain text");
    }
}
