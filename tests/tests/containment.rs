//! Nothing of a plugin outlives the supervisor, and nothing that holds a plugin is missed: whoever is killed, in both
//! kinds of containment.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::places;
use e2e::supervisor::{
    LIMIT, Supervisor,
    processes::{self, Process, kill_9},
    stage::Stage,
};
use outboard_jail::Containment;

/// How long anything may outlive what it belongs to.
const SURVIVAL: Duration = Duration::from_secs(1);

/// Leaves a process behind that has nothing to do with it any more, each time it is loaded.
const DAEMONISES: &str = "[[plugin]]\nname = \"mock\"\nenv = { MOCK_MISBEHAVE = \"daemonise\" }\n";

/// Both values of `supervision.containment` that any machine can have.
fn in_both_modes(test: impl Fn(&str) -> Result<()>) -> Result<()> {
    ["auto", "off"].into_iter().try_for_each(|mode| {
        test(mode).with_context(|| format!("with supervision.containment = {mode:?}"))
    })
}

fn stage(mode: &str, more: &str) -> Result<Stage> {
    let stage = Stage::with_mock()?;
    stage.configure(&format!("containment = \"{mode}\"\n{more}"))?;
    Ok(stage)
}

/// The plugin, and the process that it has left to itself, in a session of its own.
fn plugin_and_daemon(supervisor: &Supervisor<'_>) -> Result<Vec<Process>> {
    let plugin = Process::open(supervisor.plugin("mock")?.pid()?)?;
    let processes = supervisor.plugin_processes()?;
    ensure!(processes.len() == 2, "{processes:?}");
    let daemon = processes.iter().find(|process| process.pid != plugin.pid).context("no daemon")?;
    ensure!(daemon.parent()? != plugin.pid, "its parent has not ended");
    ensure!(daemon.session()? != plugin.session()?, "it has no session of its own");
    Ok(processes)
}

fn all_gone(processes: &[Process], limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    processes.iter().try_for_each(|process| process.wait(left()))
}

/// Kills the supervisor, and waits until its plugins, their daemons, guards and launcher have followed.
fn nothing_survives(supervisor: &mut Supervisor<'_>, stage: &Stage) -> Result<()> {
    let all = processes::within(stage.root())?;
    kill_9(supervisor.pid())?;
    all_gone(&all, SURVIVAL)?;
    supervisor.ended(LIMIT)?;
    let left = processes::within(stage.root())?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn the_containment_in_force_is_shown() -> Result<()> {
    for (mode, name) in [("auto", Containment::strongest()), ("off", Containment::SubReaper)] {
        let stage = stage(mode, "")?;
        let supervisor = stage.serve()?;

        supervisor.table.wait(0, &format!("containment: {name}"))?;
        let list = supervisor.command(&["plugin", "list"])?.stdout;
        ensure!(list.contains(&format!("contained by: {name}\n")), "{list}");
        ensure!(supervisor.list()?["containment"] == name.to_string());
    }
    Ok(())
}

#[test]
fn a_killed_supervisor_leaves_no_plugin_no_daemon_and_no_helper() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, DAEMONISES)?;
        stage.install("hello-python")?;
        let mut supervisor = stage.serve()?;
        let plugins = supervisor.plugin_processes()?;
        ensure!(plugins.len() == 3, "two plugins and a daemon: {plugins:?}");

        nothing_survives(&mut supervisor, &stage)?;
        drop(supervisor);

        // What lies about in its directories is in nobody's way.
        let mut next = stage.serve()?;
        ensure!(next.get("/api/mock/hello/you")?.status == 200);
        ensure!(next.stop()? == 0);
        let left = next.left_over()?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
}

#[test]
fn a_supervisor_killed_while_plugins_start_leaves_none() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, "")?;
        stage.write("plugins/silent", "#!/bin/sh\nsleep 300 &\nwait\n", 0o755)?;
        let mut supervisor = stage.start()?;
        supervisor.serves_after("mock", 0)?;
        let silent = supervisor.wait_for("silent", "starting", |_| {
            supervisor.plugin_processes().is_ok_and(|processes| processes.len() >= 3)
        })?;
        ensure!(silent.state() == "starting", "{silent:?}");

        nothing_survives(&mut supervisor, &stage)
    })
}

#[test]
fn without_the_launcher_plugins_go_on_and_the_next_start_brings_another() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, DAEMONISES)?;
        let mut supervisor = stage.serve()?;
        let before = supervisor.plugin("mock")?;
        let traffic = supervisor.traffic("/api/mock/hello/you");
        let launcher = supervisor.launcher()?;

        kill_9(launcher.pid)?;
        launcher.wait(LIMIT)?;
        traffic.more(20)?;
        ensure!(supervisor.plugin("mock")?.pid()? == before.pid()?);
        traffic.finish()?;

        let first = plugin_and_daemon(&supervisor)?;
        kill_9(before.pid()?)?;
        supervisor.serves_after("mock", 1)?;
        all_gone(&first, SURVIVAL)?;
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        ensure!(supervisor.launcher()?.pid != launcher.pid);

        plugin_and_daemon(&supervisor)?;
        nothing_survives(&mut supervisor, &stage)
    })
}

#[test]
fn without_launcher_and_supervisor_no_plugin_goes_on() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, DAEMONISES)?;
        let mut supervisor = stage.serve()?;
        plugin_and_daemon(&supervisor)?;
        let launcher = supervisor.launcher()?;

        kill_9(launcher.pid)?;
        launcher.wait(LIMIT)?;

        nothing_survives(&mut supervisor, &stage)
    })
}

#[test]
fn without_its_guard_a_plugin_is_lost_and_started_again() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, DAEMONISES)?;
        let supervisor = stage.serve()?;
        let first = plugin_and_daemon(&supervisor)?;
        let plugin = Process::open(supervisor.plugin("mock")?.pid()?)?;
        let guard = plugin.parent()?;
        ensure!(guard != supervisor.launcher()?.pid && guard != supervisor.pid());

        kill_9(guard)?;

        all_gone(&first, SURVIVAL)?;
        let again = supervisor.serves_after("mock", 1)?;
        ensure!(again.generation() == 2, "{again:?}");
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        plugin_and_daemon(&supervisor)?;
        Ok(())
    })
}

#[test]
fn a_plugin_that_crashes_takes_its_daemons_along() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, DAEMONISES)?;
        let supervisor = stage.serve()?;
        let first = plugin_and_daemon(&supervisor)?;

        ensure!(supervisor.request("POST", "/api/mock/misbehave/crash", "", "")?.status == 502);

        all_gone(&first, SURVIVAL)?;
        supervisor.serves_after("mock", 1)?;
        plugin_and_daemon(&supervisor)?;
        Ok(())
    })
}

#[test]
fn a_plugin_that_refuses_to_stop_is_gone_after_its_grace() -> Result<()> {
    in_both_modes(|mode| {
        let deaf = "[[plugin]]\nname = \"mock\"\nenv = { MOCK_MISBEHAVE = \"ignore-stop\" }\n";
        let stage = stage(mode, &format!("stop_grace = \"300ms\"\n{deaf}"))?;
        let supervisor = stage.serve()?;
        let processes = supervisor.plugin_processes()?;
        ensure!(processes.len() == 2, "{processes:?}");

        let asked = Instant::now();
        let stopped = supervisor.command(&["plugin", "stop", "mock"])?;

        ensure!(stopped.code == 0, "{stopped:?}");
        let taken = asked.elapsed();
        ensure!(taken > Duration::from_millis(300) && taken < Duration::from_secs(3), "{taken:?}");
        all_gone(&processes, Duration::ZERO)?;
        ensure!(supervisor.plugin("mock")?.state() == "stopped");
        Ok(())
    })
}

#[test]
fn a_plugin_that_is_stuck_is_gone_after_its_grace() -> Result<()> {
    let stage = stage("auto", "call_timeout = \"300ms\"\ndrain_timeout = \"300ms\"\n")?;
    let supervisor = stage.serve()?;
    let processes = supervisor.plugin_processes()?;
    // Its only thread sleeps from here on, and nobody waits for the answer.
    let _client = supervisor.begin("POST", "/api/mock/misbehave/block")?;

    let asked = Instant::now();
    let stopped = supervisor.command(&["plugin", "stop", "mock"])?;

    ensure!(stopped.code == 0, "{stopped:?}");
    ensure!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    all_gone(&processes, Duration::ZERO)
}

/// It may run as the supervisor's own user, so its descent is what gives it away.
#[test]
fn a_plugin_can_not_command_its_supervisor_not_even_before_its_handshake() -> Result<()> {
    in_both_modes(|mode| {
        let stage = stage(mode, "")?;
        let outboard = places::outboard()?;
        let script = format!(
            "#!/bin/sh\n{} plugin stop mock --runtime-dir {} >&2\nexec sleep 300\n",
            outboard.display(),
            stage.runtime().display()
        );
        stage.write("plugins/rogue", script, 0o755)?;
        let supervisor = stage.start()?;

        supervisor.log.wait(0, "refused a connection to the control socket: a plugin")?;

        let mock = supervisor.wait_for("mock", "serving", |it| it.state() == "serving")?;
        ensure!(mock.generation() == 1, "{mock:?}");
        Ok(())
    })
}
