//! What operators type beside `outboard serve`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{
    LIMIT,
    lines::Lines,
    processes::{Process, kill_9},
    stage::{Done, Stage},
};
use serde_json::Value;

fn contains(text: &str, all: &[&str]) -> Result<()> {
    all.iter().try_for_each(|words| {
        ensure!(text.contains(words), "{words:?} is not in\n{text}");
        Ok(())
    })
}

/// `outboard plugin logs --follow`; killed when dropped.
struct Follower {
    /// Taken when it has ended.
    child: Option<Child>,
    process: Process,
}

impl Follower {
    fn start(stage: &Stage) -> Result<Self> {
        let child = stage
            .outboard(&[
                "plugin",
                "logs",
                "mock",
                "--follow",
                "--tail",
                "1",
                "--runtime-dir",
                "run",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let process = Process::open(i32::try_from(child.id())?)?;
        Ok(Self { child: Some(child), process })
    }

    fn stdout(&mut self) -> Result<ChildStdout> {
        self.child.as_mut().and_then(|child| child.stdout.take()).context("its stdout is taken")
    }

    /// Waits for its end by itself.
    fn ended(mut self) -> Result<Output> {
        self.process.wait(LIMIT)?;
        let child = self.child.take().context("it is gone")?;
        Ok(child.wait_with_output()?)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn json(done: &Done) -> Result<Value> {
    ensure!(done.code == 0, "{done:?}");
    serde_json::from_str(&done.stdout).with_context(|| format!("{done:?}"))
}

#[test]
fn plugin_list_shows_all_plugins_for_people_and_for_programs() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.write("plugins/broken", "text\n", 0o644)?;
    let supervisor = stage.serve()?;
    let pid = supervisor.plugin("mock")?.pid()?;

    let list = supervisor.command(&["plugin", "list"])?;
    ensure!(list.code == 0 && list.stderr.is_empty(), "{list:?}");
    let row = list.stdout.lines().find(|line| line.starts_with("mock ")).context("no row")?;
    contains(row, &["0.1.0", "serving", &pid.to_string(), "1/1"])?;
    contains(&list.stdout, &["PLUGIN", "STATE", "contained by: ", "\nbroken: ", "chmod +x"])?;
    ensure!(!list.stdout.contains("http://"), "endpoints that nobody asked for: {}", list.stdout);

    let endpoints = supervisor.command(&["plugin", "list", "--endpoints"])?.stdout;
    let url = format!("http://{}/api/mock/vault/*", supervisor.address);
    let row = endpoints.lines().find(|line| line.contains(&url)).context("no row")?;
    contains(row, &["*", "0", "filter"])?;

    let listing = json(&supervisor.command(&["plugin", "list", "--json"])?)?;
    let plugins = listing["plugins"].as_array().context("no plugins")?;
    let names: Vec<_> = plugins.iter().map(|plugin| &plugin["name"]).collect();
    ensure!(names == ["broken", "mock"], "{names:?}");
    ensure!(plugins[1]["pid"] == pid && plugins[1]["state"] == "serving", "{listing}");
    ensure!(plugins[1]["error"].is_null() && plugins[0]["pid"].is_null(), "{listing}");
    ensure!(plugins[1]["instances"][0]["endpoints"][0]["method"] == "GET", "{listing}");
    Ok(())
}

#[test]
fn plugin_stop_start_and_restart_wait_for_what_they_were_asked_for() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let process = Process::open(supervisor.plugin("mock")?.pid()?)?;
    let plugin = |verb: &str| supervisor.command(&["plugin", verb, "mock"]);

    let stopped = plugin("stop")?;
    ensure!((stopped.code, stopped.stdout.trim()) == (0, "mock: stopped"), "{stopped:?}");
    ensure!(!process.is_running());
    ensure!(supervisor.get("/api/mock/hello/you")?.status != 200);
    ensure!(plugin("stop")?.code == 0, "stopped twice is stopped");

    let started = plugin("start")?;
    ensure!(
        started.code == 0 && started.stdout.starts_with("mock: serving, process "),
        "{started:?}"
    );
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    let pid = supervisor.plugin("mock")?.pid()?;
    ensure!(plugin("start")?.code == 0 && supervisor.plugin("mock")?.pid()? == pid);

    let restarted = plugin("restart")?;
    ensure!(restarted.code == 0, "{restarted:?}");
    let after = supervisor.plugin("mock")?;
    ensure!(after.pid()? != pid && after.generation() == 3, "{after:?}");

    for (verb, state) in [("restart", "serving"), ("stop", "stopped"), ("start", "serving")] {
        let shown = json(&supervisor.command(&["plugin", verb, "mock", "--json"])?)?;
        ensure!(shown["name"] == "mock" && shown["state"] == state, "{shown}");
    }
    Ok(())
}

#[test]
fn a_plugin_that_was_stopped_by_hand_stays_so_through_a_reload() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    ensure!(supervisor.command(&["plugin", "stop", "mock"])?.code == 0);

    supervisor.reload()?;

    ensure!(supervisor.plugin("mock")?.state() == "stopped");
    Ok(())
}

#[test]
fn a_start_that_fails_says_why() -> Result<()> {
    let stage = Stage::new()?;
    stage.write("plugins/exits", "#!/bin/sh\necho no licence >&2\nexit 3\n", 0o755)?;
    stage.configure("max_restarts = 0\n")?;
    let supervisor = stage.serve()?;

    for verb in ["start", "restart"] {
        let done = supervisor.command(&["plugin", verb, "exits"])?;
        ensure!(done.code == 1 && done.stdout.is_empty(), "{done:?}");
        contains(&done.stderr, &["error: plugin \"exits\": exited with code 3", "no licence"])?;
    }
    Ok(())
}

#[test]
fn plugin_logs_shows_old_lines_and_follows_new_ones() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    let logs = supervisor.command(&["plugin", "logs", "mock"])?;
    ensure!(logs.code == 0, "{logs:?}");
    contains(&logs.stdout, &["INFO  ready", "instance=\"mock\"", "reason=\"Start\""])?;
    let logs = supervisor.command(&["plugin", "logs", "mock", "--json"])?;
    let line: Value = serde_json::from_str(logs.stdout.lines().last().context("no line")?)?;
    ensure!(line["level"] == "info" && line["message"] == "ready", "{line}");
    ensure!(line["fields"]["reason"] == "Start" && line["time"].is_string(), "{line}");
    ensure!(supervisor.command(&["plugin", "logs", "mock", "-n", "0"])?.stdout.is_empty());

    let mut follower = Follower::start(&stage)?;
    let lines = Lines::of(follower.stdout()?);
    lines.wait(0, "ready")?;
    ensure!(supervisor.command(&["plugin", "restart", "mock"])?.code == 0);
    lines.wait(1, "ready")?;
    ensure!(follower.process.is_running());

    kill_9(supervisor.pid())?;
    let done = follower.ended()?;
    ensure!(!done.status.success(), "{done:?}");
    contains(&String::from_utf8(done.stderr)?, &["error: the supervisor ended", "see its log"])
}

#[test]
fn output_that_nobody_reads_any_more_is_no_error() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut follower = Follower::start(&stage)?;
    let mut stdout = BufReader::new(follower.stdout()?);
    stdout.read_line(&mut String::new())?;

    drop(stdout);
    ensure!(supervisor.command(&["plugin", "restart", "mock"])?.code == 0);

    let done = follower.ended()?;
    ensure!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    Ok(())
}

#[test]
fn a_name_that_is_none_is_answered_with_those_that_are() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    for verb in ["start", "stop", "restart", "logs"] {
        let done = supervisor.command(&["plugin", verb, "mok"])?;
        ensure!(done.code == 1 && done.stdout.is_empty(), "{done:?}");
        contains(&done.stderr, &["no plugin is named \"mok\"; there are: mock"])?;
    }
    Ok(())
}

#[test]
fn without_a_supervisor_the_next_step_is_told() -> Result<()> {
    let stage = Stage::with_mock()?;
    let no_supervisor = || -> Result<()> {
        for arguments in
            [&["plugin", "list"][..], &["plugin", "list", "--json"], &["plugin", "stop", "mock"]]
        {
            let done = stage.command(arguments)?;
            ensure!(done.code == 1 && done.stdout.is_empty(), "{done:?}");
            contains(&done.stderr, &["run/control.sock", "outboard serve", "--runtime-dir"])?;
        }
        Ok(())
    };
    no_supervisor()?;

    let mut supervisor = stage.serve()?;
    kill_9(supervisor.pid())?;
    supervisor.ended(LIMIT)?;

    no_supervisor().context("with a socket that was left behind")
}

#[test]
fn config_check_reports_all_mistakes_at_once_with_their_places() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.set("OUTBOARD_LOG_LEVEL", "loud");
    stage.write(
        "bad.toml",
        "listen = 5\n[gateway]\nmax_body = \"5 parsecs\"\n[[instance]]\nname = \"A b\"\n[[instance]]\nplugin = \"x\"\n\
         parameters = { a = { secret = \"none\" } }\n",
        0o644,
    )?;

    let done = Done::of(&mut stage.outboard(&["config", "check", "--config", "bad.toml"]))?;
    ensure!(done.code == 1 && done.stdout.is_empty(), "{done:?}");
    for place in
        ["bad.toml:1", "bad.toml:3", "bad.toml:4", "bad.toml:5", "bad.toml:8", "OUTBOARD_LOG_LEVEL"]
    {
        contains(&done.stderr, &[place])?;
    }
    let lines = done.stderr.lines().count();
    ensure!(done.stderr.starts_with(&format!("error: {} mistakes", lines - 1)), "{}", done.stderr);

    let served = Done::of(&mut stage.outboard(&["serve", "--config", "bad.toml"]))?;
    ensure!((served.code, &served.stderr) == (1, &done.stderr), "{served:?}");

    let flag = Done::of(&mut stage.outboard(&["config", "check", "--drain", "x"]))?;
    ensure!(flag.code == 2, "{flag:?}");
    let flag =
        Done::of(&mut stage.outboard(&["config", "check", "--supervision-drain-timeout", "x"]))?;
    ensure!(flag.code == 2, "{flag:?}");
    contains(&flag.stderr, &["--supervision-drain-timeout"])
}

#[test]
fn config_check_tells_what_a_good_configuration_comes_to() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.set("OUTBOARD_LOG_LEVEL", "warn");
    stage.configure(
        "[gateway]\nprefix = \"v2\"\n[database]\nurl = \"postgres://me:hunter2@db/outboard\"\n",
    )?;

    let done = Done::of(&mut stage.outboard(&["config", "check", "--listen", "127.0.0.1:9"]))?;

    ensure!(done.code == 0 && done.stderr.is_empty(), "{done:?}");
    let row = |key: &str| {
        let found = done.stdout.lines().find(|line| line.starts_with(key));
        found.with_context(|| format!("{key} is not in {}", done.stdout))
    };
    contains(row("gateway.listen")?, &["127.0.0.1:9", "--listen"])?;
    contains(row("gateway.prefix")?, &["v2", "outboard.toml:"])?;
    contains(row("log.level")?, &["warn", "OUTBOARD_LOG_LEVEL"])?;
    contains(row("gateway.max_body")?, &["3MiB", "default"])?;
    ensure!(!done.stdout.contains("hunter2"), "{}", done.stdout);
    contains(row("database.url")?, &["***"])?;
    contains(&done.stdout, &["no mistakes"])
}

#[test]
fn config_reference_explains_every_key() -> Result<()> {
    let stage = Stage::new()?;
    let reference = Done::of(&mut stage.outboard(&["config", "reference"]))?;
    ensure!(reference.code == 0 && reference.stderr.is_empty(), "{reference:?}");
    contains(
        &reference.stdout,
        &[
            "gateway.listen",
            "OUTBOARD_GATEWAY_LISTEN",
            "--listen",
            "127.0.0.1:4593",
            "isolate",
            "secret",
        ],
    )?;
    let manifest = Done::of(&mut stage.outboard(&["config", "reference", "--manifest"]))?;
    ensure!(manifest.code == 0, "{manifest:?}");
    contains(&manifest.stdout, &["go_plugin.cookie_key", "start_timeout", "command", "Required"])
}

#[test]
fn the_command_line_explains_itself() -> Result<()> {
    let stage = Stage::new()?;
    let version = Done::of(&mut stage.outboard(&["--version"]))?;
    ensure!(version.code == 0 && version.stdout.starts_with("outboard "), "{version:?}");
    let nothing = Done::of(&mut stage.outboard::<&str>(&[]))?;
    ensure!(nothing.code == 2, "{nothing:?}");
    contains(&nothing.stderr, &["serve", "config", "plugin"])?;
    let wrong = Done::of(&mut stage.outboard(&["plugin", "lst"]))?;
    ensure!(wrong.code == 2, "{wrong:?}");
    contains(&wrong.stderr, &["list"])
}

/// Whoever copies an example of the operators' documents should not have to mend it first.
#[test]
fn examples_of_configurations_have_no_mistakes() -> Result<()> {
    let stage = Stage::new()?;
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut checked = 0;
    for directory in [documents.clone(), documents.join("plugins")] {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            // Those for authors are manifests.
            if path.is_dir() || path.ends_with("plugin-authors.md") {
                continue;
            }
            for example in fs::read_to_string(&path)?.split("```toml\n").skip(1) {
                let example = example.split("```").next().unwrap_or_default();
                stage.write("outboard.toml", example, 0o644)?;
                let done = stage.command(&["config", "check", "--plugins", "plugins"])?;
                ensure!(done.code == 0, "{}: {}\n{example}", path.display(), done.stderr);
                checked += 1;
            }
        }
    }
    ensure!(checked > 10, "only {checked} examples were found");
    Ok(())
}
