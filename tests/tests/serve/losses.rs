//! A plugin's process is lost: it comes back, and nobody else notices.

use anyhow::{Result, ensure};
use e2e::supervisor::{processes::kill_9, stage::Stage};

#[test]
fn a_killed_plugin_serves_again_and_another_never_notices() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.install("hello-python")?;
    let supervisor = stage.serve()?;
    let neighbour = supervisor.plugin("hello-python")?;
    let traffic = supervisor.traffic("/api/hello-python/hello/you");
    traffic.more(5)?;

    let mut generation = 1;
    for _ in 0..3 {
        let plugin = supervisor.plugin("mock")?;
        kill_9(plugin.pid()?)?;
        let plugin = supervisor.serves_after("mock", generation)?;
        generation = plugin.generation();
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        traffic.more(5)?;
    }

    traffic.finish()?;
    ensure!(generation == 4, "{generation}");
    let plugin = supervisor.plugin("mock")?;
    ensure!(plugin.0["restarts"] == 3 && plugin.error().is_empty(), "{plugin:?}");
    supervisor.log.wait(0, "the process was killed by SIGKILL")?;
    supervisor.log.wait(0, "reason=\\\"Restart\\\"")?;
    let after = supervisor.plugin("hello-python")?;
    ensure!((after.pid()?, after.generation()) == (neighbour.pid()?, 1), "{after:?}");
    Ok(())
}

#[test]
fn a_plugin_that_crashes_again_and_again_fails_in_the_end_and_is_started_by_a_person() -> Result<()>
{
    let stage = Stage::with_mock()?;
    stage.configure(
        "max_restarts = 2\n[[instance]]\nplugin = \"mock\"\nparameters = { misbehave = { crash_after = 1 } }\n",
    )?;
    let supervisor = stage.serve()?;

    for generation in 1..=3 {
        supervisor.serves_after("mock", generation - 1)?;
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 502);
    }
    let failed = supervisor.wait_for("mock", "failed", |plugin| plugin.state() == "failed")?;
    ensure!(failed.generation() == 3 && failed.error().contains("SIGABRT"), "{failed:?}");
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 503);

    let started = supervisor.command(&["plugin", "start", "mock"])?;
    ensure!(started.code == 0, "{started:?}");
    ensure!(supervisor.plugin("mock")?.generation() == 4);
    Ok(())
}
