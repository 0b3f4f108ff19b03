//! The real supervisor with notifiers of ours, which can be killed and started again.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::client::Client;
use crate::{
    program::{Cores, Program, built, directory, free_address},
    server::outboard::Data,
    usage,
};

/// As long as a notifier may take to come up after its supervisor.
const COMING_UP: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(10);

pub(crate) struct Stage {
    // In this order: first the processes end, then their files go.
    supervisor: Program,
    starts: usize,
    _data: Data,
    directory: TempDir,
}

/// A notifier, and whether it keeps its events waiting.
pub(crate) struct Notifier {
    pub(crate) name: &'static str,
    pub(crate) holds: bool,
}

impl Stage {
    pub(crate) fn open(notifiers: &[Notifier]) -> Result<Self> {
        let directory = directory()?;
        let root = directory.path();
        for notifier in notifiers {
            install(root, notifier)?;
        }
        fs::write(root.join("outboard.toml"), configuration()?)?;
        let supervisor = start(root, 0)?;
        let data = Data(root.join("data"));
        Ok(Self { supervisor, starts: 1, _data: data, directory })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }

    /// Where a notifier writes down what it is told.
    pub(crate) fn journal(&self, notifier: &str) -> PathBuf {
        journal(self.directory.path(), notifier)
    }

    /// With `-9`, and started again at once.
    pub(crate) fn kill_supervisor(&mut self) -> Result<()> {
        self.supervisor.kill()?;
        self.supervisor = start(self.directory.path(), self.starts)?;
        self.starts += 1;
        Ok(())
    }

    /// With `-9`. The supervisor starts it again. False: it did not come up in time to be killed.
    pub(crate) fn kill_notifier(&self, name: &str) -> bool {
        let end = Instant::now() + COMING_UP;
        while Instant::now() < end {
            if let Some(pid) = self.pid_of(name) {
                return kill(pid, Signal::SIGKILL).is_ok();
            }
            thread::sleep(GLANCE);
        }
        false
    }

    fn pid_of(&self, name: &str) -> Option<Pid> {
        let is_it = |pid: &u32| {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.trim_end_matches('\0').ends_with(&format!("\0{name}"))
        };
        let leaves = usage::leaves(self.supervisor.pid()).ok()?;
        let pid = leaves.into_iter().find(is_it)?;
        i32::try_from(pid).ok().map(Pid::from_raw)
    }

    /// With `-9`: an event that is held would be waited for.
    pub(crate) fn end(mut self) -> Result<()> {
        self.supervisor.kill()
    }
}

fn socket(root: &Path) -> PathBuf {
    root.join("run/service.sock")
}

fn journal(root: &Path, notifier: &str) -> PathBuf {
    root.join(format!("{notifier}.journal"))
}

fn start(root: &Path, number: usize) -> Result<Program> {
    let mut command = Command::new(built("outboard")?);
    // It refuses variables that are meant for us.
    let path = std::env::var("PATH").unwrap_or_default();
    command.arg("serve").current_dir(root).env_clear().env("PATH", path);
    let name = format!("outboard-{number}");
    let mut program = Program::start(&name, &mut command, root, Cores::All)?;
    program.wait_until("serve", || Client::connect(&socket(root)).is_ok())?;
    Ok(program)
}

/// So many kills are no failure here, and one caller sends everything.
fn configuration() -> Result<String> {
    let mut text =
        String::from("plugins = \"plugins\"\ndata_dir = \"data\"\nruntime_dir = \"run\"\n");
    write!(text, "\n[gateway]\nlisten = \"{}\"\n", free_address()?)?;
    text.push_str("\n[service]\nrate = 10000000\n");
    text.push_str(
        "\n[events]\nmax_bytes = \"8GiB\"\npending = 10000000\npending_bytes = \"8GiB\"\n",
    );
    text.push_str("\n[supervision]\nmax_restarts = 1000000\nbackoff_max = \"1s\"\n");
    text.push_str("\n[log]\nlevel = \"warn\"\n");
    Ok(text)
}

fn install(root: &Path, notifier: &Notifier) -> Result<()> {
    let Notifier { name, holds } = notifier;
    let plugin = root.join("plugins").join(name);
    fs::create_dir_all(&plugin)?;
    fs::copy(built("bench-notifier")?, plugin.join("bench-notifier"))?;
    let journal = journal(root, name);
    let journal = journal.to_str().context("a path that is no text")?;
    let manifest = format!(
        "name = \"{name}\"\ncommand = [\"bench-notifier\", \"{name}\"]\n\n[notify]\ntypes = [\"*\"]\n\n\
         [parameters]\njournal = \"{journal}\"\nhold = {holds}\n"
    );
    Ok(fs::write(plugin.join("plugin.toml"), manifest)?)
}
