//! The real `outboard` program, started as an operator starts it, in a directory of the test's own.

pub mod api;
pub mod database;
pub mod http;
pub mod lines;
pub mod metrics;
pub mod plugin;
pub mod processes;
pub mod stage;
pub mod steady;
pub mod traffic;
pub mod usage;

use std::{
    ffi::OsStr,
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use http::Reply;
use lines::Lines;
use plugin::Plugin;
use processes::Process;
use stage::{Done, Stage};
use steady::Steady;
use traffic::Traffic;

/// Longer than anything here takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// How long to wait for news that make it worth to ask for a state again.
const NEWS: Duration = Duration::from_millis(100);

/// A running supervisor. Dropped, it is killed, and so is whatever it should have killed itself.
pub struct Supervisor<'a> {
    /// Where its gateway listens.
    pub address: SocketAddr,
    /// Its stderr: a JSON object per line.
    pub log: Lines,
    /// Its stdout.
    pub table: Lines,
    stage: &'a Stage,
    child: Child,
    process: Process,
}

impl<'a> Supervisor<'a> {
    /// Starts it, and waits until its gateway listens.
    pub(crate) fn start(stage: &'a Stage) -> Result<Self> {
        let mut child = stage
            .serve_command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("outboard can't be started")?;
        let process = Process::open(pid(&child)?)?;
        let log = Lines::of(child.stderr.take().context("no stderr")?);
        let table = Lines::of(child.stdout.take().context("no stdout")?);
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        // From here on it is killed whatever happens.
        let mut supervisor = Self { address, log, table, stage, child, process };
        let line = supervisor.log.wait(0, "supervisor listens")?;
        let line: Value = serde_json::from_str(&line)?;
        supervisor.address = line["address"].as_str().context("no address")?.parse()?;
        Ok(supervisor)
    }

    /// Waits for the end of the table: all plugins have settled.
    pub(crate) fn settled(self) -> Result<Self> {
        self.table.wait_for(0, "the end of the table", |line| {
            line.starts_with("containment: ") || line.starts_with("no plugins yet")
        })?;
        Ok(self)
    }

    pub fn pid(&self) -> i32 {
        self.process.pid
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.pid()), signal)?)
    }

    /// Waits for its end, however it comes.
    pub fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit).context("the supervisor does not end")?;
        Ok(self.child.wait()?)
    }

    /// SIGTERM, and the exit code.
    pub fn stop(&mut self) -> Result<i32> {
        self.signal(Signal::SIGTERM)?;
        let status = self.ended(LIMIT)?;
        status.code().with_context(|| format!("killed by signal {:?}", status.signal()))
    }

    /// SIGHUP, and what the log says about it.
    pub fn reload(&self) -> Result<String> {
        let mark = self.log.mark();
        self.signal(Signal::SIGHUP)?;
        self.log.wait_for(mark, "the outcome of a reload", |line| {
            line.contains("\"message\":\"reloaded\"") || line.contains("not reloaded")
        })
    }

    /// GET on a connection of its own.
    pub fn get(&self, path: &str) -> Result<Reply> {
        self.request("GET", path, "", "")
    }

    /// A request on a connection of its own; `headers` are whole lines.
    pub fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<Reply> {
        http::exchange(self.address, http::request(method, path, headers, body))
    }

    /// Sends a request and comes back once the gateway has it in hand.
    pub fn begin(&self, method: &str, path: &str) -> Result<TcpStream> {
        http::begin(self.address, method, path)
    }

    /// Requests one after the other, until told to stop.
    pub fn traffic(&self, path: &str) -> Traffic {
        Traffic::start(self.address, path)
    }

    /// Somebody else's requests, who wants each of them answered soon, whatever else goes on.
    pub fn steady(&self, path: &str) -> Steady {
        Steady::start(self.address, path)
    }

    /// An `outboard` command against this supervisor.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Done> {
        self.stage.command(arguments)
    }

    /// `outboard plugin list --json`
    pub fn list(&self) -> Result<Value> {
        let done = self.command(&["plugin", "list", "--json"])?;
        ensure!(done.code == 0, "{}", done.stderr);
        Ok(serde_json::from_str(&done.stdout)?)
    }

    /// One plugin of that list.
    pub fn plugin(&self, name: &str) -> Result<Plugin> {
        self.find(name)?.with_context(|| format!("no plugin {name:?} in the list"))
    }

    pub fn find(&self, name: &str) -> Result<Option<Plugin>> {
        let mut list = self.list()?;
        let plugins = list["plugins"].as_array_mut().context("no plugins in the list")?;
        let found = plugins.iter().position(|plugin| plugin["name"] == name);
        Ok(found.map(|index| Plugin(plugins.swap_remove(index))))
    }

    /// Asks for the plugin until it is as expected; each news in the log is a reason to ask again.
    pub fn wait_for(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&Plugin) -> bool,
    ) -> Result<Plugin> {
        let end = Instant::now() + LIMIT;
        loop {
            let mark = self.log.mark();
            let plugin = self.find(name)?;
            if let Some(plugin) = plugin.as_ref().filter(|plugin| is_so(plugin)) {
                return Ok(plugin.clone());
            }
            if Instant::now() > end {
                bail!("{name} is not {what}: {plugin:?}");
            }
            // What is logged is published right after, so news alone are no proof.
            self.log.more_than(mark, NEWS);
        }
    }

    /// Waits until the plugin serves in a generation after `generation`.
    pub fn serves_after(&self, name: &str, generation: u64) -> Result<Plugin> {
        self.wait_for(name, "serving again", |plugin| {
            plugin.state() == "serving" && plugin.generation() > generation
        })
    }

    /// The host's process that starts the plugins: its only child.
    pub fn launcher(&self) -> Result<Process> {
        let children = processes::children(self.pid())?;
        let [launcher] = children[..] else { bail!("not one child but {children:?}") };
        Process::open(launcher)
    }

    /// Every process of a plugin, and what these have started.
    pub fn plugin_processes(&self) -> Result<Vec<Process>> {
        processes::within(&self.stage.data())
    }

    /// Files below the runtime directory that are sockets or belong to a generation.
    pub fn left_over(&self) -> Result<Vec<PathBuf>> {
        left_over(&self.stage.runtime())
    }
}

impl Drop for Supervisor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What should be gone by now goes for certain, so that a failing test leaves nothing behind.
        for process in processes::within(self.stage.root()).unwrap_or_default() {
            if process.wait(Duration::from_secs(1)).is_err() {
                process.kill();
            }
        }
        // Only shown if the test fails.
        println!("--- log of the supervisor\n{}", self.log.all().join("\n"));
    }
}

fn pid(child: &Child) -> Result<i32> {
    Ok(i32::try_from(child.id())?)
}

fn left_over(runtime: &Path) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for directory in [runtime.to_owned(), runtime.join("g")] {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            let is_expected = path.ends_with("run/g") || path.ends_with("run/lock");
            if !is_expected {
                left.push(path);
            }
        }
    }
    Ok(left)
}
