//! The jobs example, started as a person starts it: by `run`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    places,
    supervisor::{
        LIMIT,
        http::{self, Reply},
        lines::Lines,
        processes::Process,
    },
    wait::until,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::people::Claim;

/// In all groups of the job "backup".
pub(crate) const ANN: Claim = Claim("ann@example.org", "ann-token");
/// In one of them.
pub(crate) const BOB: Claim = Claim("bob@example.org", "bob-token");
/// In the group of the admins alone.
pub(crate) const ROOT: Claim = Claim("root@example.org", "root-token");
/// Not active.
pub(crate) const CARL: Claim = Claim("carl@example.org", "carl-token");

/// Stopped when dropped, in the way a person does it.
pub(crate) struct Example {
    jobs: SocketAddr,
    events: SocketAddr,
    output: Lines,
    process: Process,
    child: Child,
    directory: TempDir,
}

impl Example {
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("ob").tempdir_in("/tmp")?;
        let mut child = command(directory.path())?.args(arguments).spawn()?;
        let process = Process::open(i32::try_from(child.id())?)?;
        let output = Lines::of(child.stdout.take().context("no stdout")?);
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        // From here on it is stopped whatever happens.
        let mut example =
            Self { jobs: nowhere, events: nowhere, output, process, child, directory };
        example.jobs = example.address("jobs:   http://")?;
        example.events = example.address("events: http://")?;
        example.line("Ctrl-C ends it")?;
        Ok(example)
    }

    fn address(&self, words: &str) -> Result<SocketAddr> {
        let line = self.line(words)?;
        let address = line.trim_start_matches(words).split('/').next().unwrap_or_default();
        address.parse().with_context(|| line.clone())
    }

    /// Three programs start one after the other, which takes its time on a busy machine. `run` itself gives up
    /// where it takes too long.
    fn line(&self, words: &str) -> Result<String> {
        for _ in 0..8 {
            if let Ok(line) = self.output.wait(0, words) {
                return Ok(line);
            }
        }
        self.output.wait(0, words)
    }

    /// A request through nginx.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<Claim>,
        body: &str,
    ) -> Result<Reply> {
        let headers = who.map(Claim::headers).unwrap_or_default();
        http::exchange(self.jobs, http::request(method, path, &headers, body))
    }

    /// With these header lines.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Result<Reply> {
        http::exchange(self.jobs, http::request("GET", path, headers, ""))
    }

    pub(crate) fn get(&self, path: &str, who: Claim) -> Result<Reply> {
        self.ask("GET", path, Some(who), "")
    }

    pub(crate) fn post(&self, path: &str, who: Claim, body: &Value) -> Result<Reply> {
        self.ask("POST", path, Some(who), &body.to_string())
    }

    /// Adds a job, as an admin does.
    pub(crate) fn describe(&self, name: &str, command: &[&str], groups: &[&str]) -> Result<()> {
        let job = json!({ "name": name, "command": command, "authorized_groups": groups });
        let reply = self.post("/metadata", ROOT, &job)?;
        ensure!(reply.status == 201, "{reply:?}");
        Ok(())
    }

    /// Puts a file among the jobs, past the service.
    pub(crate) fn put(&self, file: &str, content: &str) -> Result<()> {
        Ok(fs::write(self.directory.path().join("jobs").join(file), content)?)
    }

    /// Waits until the notifier was told of that many events, and gives all that it was told of.
    pub(crate) fn events(&self, count: usize) -> Result<Vec<Value>> {
        let request = http::request("GET", "/api/people/notified", "", "");
        let ask = || {
            let notified = http::exchange(self.events, &request)?.json()?;
            let deliveries = notified["deliveries"].as_array().context("no deliveries")?;
            anyhow::Ok(
                deliveries.iter().map(|delivery| delivery["event"].clone()).collect::<Vec<_>>(),
            )
        };
        until(ask, |events| events.len() >= count)
    }

    /// Ctrl-C, and the exit code. Everything that it started is gone.
    pub(crate) fn stop(&mut self) -> Result<Option<i32>> {
        kill(Pid::from_raw(self.process.pid), Signal::SIGINT)?;
        self.process.wait(LIMIT)?;
        Ok(self.child.wait()?.code())
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if self.process.is_running() {
            let _ = self.stop();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        println!("--- the example\n{}", self.output.all().join("\n"));
    }
}

/// `run` with what the tests have built, and everything that it writes in a directory.
pub(crate) fn command(directory: &Path) -> Result<Command> {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/jobs/run");
    let mut command = Command::new(places::python()?);
    command.arg("-B").arg(run).args(["--port", "0", "--directory"]).arg(directory);
    let programs: [(&str, PathBuf); 3] = [
        ("--outboard", places::outboard()?),
        ("--plugins", places::plugins()?),
        ("--nginx", places::client("nginx")?),
    ];
    for (name, place) in programs {
        command.arg(name).arg(place);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    Ok(command)
}
