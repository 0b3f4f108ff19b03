//! A directory of an operator's own, outside the workspace, with plugins and a configuration.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Supervisor;
use super::database::Schema;
use crate::places;

/// What every test's configuration begins with: a shorter wait than an operator would want.
const SUPERVISION: &str = "
[supervision]
backoff_min = \"10ms\"
";

/// Goes with everything in it when dropped.
pub struct Stage {
    root: TempDir,
    environment: BTreeMap<String, String>,
    outboard: PathBuf,
    /// Goes with it.
    schema: Option<Schema>,
}

/// What became of a command.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    /// Without plugins.
    pub fn new() -> Result<Self> {
        // Short, because sockets go into it.
        let root = tempfile::Builder::new().prefix("ob").tempdir_in("/tmp")?;
        // The plugins of another user than ours have to get through.
        fs::set_permissions(root.path(), Permissions::from_mode(0o755))?;
        fs::create_dir(root.path().join("plugins"))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = BTreeMap::from([("PATH".to_owned(), path)]);
        let stage = Self { root, environment, outboard: places::outboard()?, schema: None };
        stage.configure("")?;
        Ok(stage)
    }

    /// With the bundled plugin `mock`.
    pub fn with_mock() -> Result<Self> {
        let stage = Self::new()?;
        stage.install("mock")?;
        Ok(stage)
    }

    /// Another one on the same database, without plugins. It must not outlive this one.
    pub fn beside(&self) -> Result<Self> {
        let mut stage = Self::new()?;
        stage.environment.clone_from(&self.environment);
        Ok(stage)
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    pub fn runtime(&self) -> PathBuf {
        self.root().join("run")
    }

    /// Something in the plugins directory.
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.root().join("plugins").join(name)
    }

    /// Puts a bundled plugin into the plugins directory.
    pub fn install(&self, name: &str) -> Result<()> {
        copy(&places::plugins()?.join(name), &self.plugin(name))
    }

    /// Writes a file below the directory.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> Result<PathBuf> {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().context("no parent")?)?;
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// Writes `outboard.toml`: the tests' `[supervision]`, and then `text`, which may go on with that table.
    pub fn configure(&self, text: &str) -> Result<()> {
        self.write("outboard.toml", format!("{SUPERVISION}{text}"), 0o644).map(drop)
    }

    /// Sets a variable of the supervisor's.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn keep(&mut self, schema: Schema) {
        self.schema = Some(schema);
    }

    /// Starts the supervisor, and waits until it listens.
    pub fn start(&self) -> Result<Supervisor<'_>> {
        Supervisor::start(self)
    }

    /// Starts the supervisor, and waits until all plugins have settled.
    pub fn serve(&self) -> Result<Supervisor<'_>> {
        self.start()?.settled()
    }

    /// `outboard serve`, as the tests want it.
    pub fn serve_command(&self) -> Command {
        let mut command = self.outboard(&["serve", "--plugins", "plugins", "--data-dir", "data"]);
        command.args(["--runtime-dir", "run", "--listen", "127.0.0.1:0"]);
        command.args(["--log-format", "json", "--log-level", "debug"]);
        command
    }

    /// An `outboard` command that knows of this directory only what an operator would tell it.
    pub fn outboard<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.outboard);
        command.args(arguments).current_dir(self.root()).env_clear().envs(&self.environment);
        command
    }

    /// Runs an `outboard` command on this directory's supervisor.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Done> {
        Done::of(self.outboard(arguments).args(["--runtime-dir", "run"]))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The copies of plugins are read-only, and nobody but root could remove what is in them.
        let _ = make_writable(&self.data());
    }
}

impl Done {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Result<Self> {
        let output = command.stdin(Stdio::null()).output()?;
        Ok(Self {
            code: output.status.code().context("killed by a signal")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }
}

fn make_writable(directory: &Path) -> Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).with_context(|| format!("{}", from.display()));
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
