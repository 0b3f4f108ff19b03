//! Plugins that were made for other hosts.

use std::fs;

use anyhow::{Result, ensure};
use e2e::{
    places,
    supervisor::{processes::kill_9, stage::Stage},
};

fn install(stage: &Stage, name: &str, more: &str) -> Result<()> {
    let manifest = format!(
        "name = \"{name}\"\n{more}\n[go_plugin]\ncookie_key = \"OUTBOARD_LAB\"\ncookie_value = \"lab\"\n"
    );
    stage.write(&format!("plugins/{name}/plugin.toml"), manifest, 0o644)?;
    fs::copy(places::go("lab-plugin")?, stage.plugin(name).join("lab-plugin"))?;
    Ok(())
}

#[test]
fn a_go_plugin_of_another_application_is_supervised_as_foreign() -> Result<()> {
    let stage = Stage::with_mock()?;
    install(&stage, "lab", "")?;
    install(&stage, "lab-tls", "tls = \"required\"")?;
    let supervisor = stage.serve()?;

    let table = supervisor.table.all().join("\n");
    ensure!(table.contains("(foreign: no endpoints)"), "{table}");
    for name in ["lab", "lab-tls"] {
        let plugin = supervisor.plugin(name)?;
        ensure!(plugin.state() == "serving" && plugin.is_foreign(), "{plugin:?}");
        ensure!(plugin.0["instances"].as_array().is_some_and(Vec::is_empty), "{plugin:?}");
        ensure!(supervisor.get(&format!("/api/{name}/x"))?.status == 404);

        kill_9(plugin.pid()?)?;
        let plugin = supervisor.serves_after(name, 1)?;
        ensure!(plugin.is_foreign(), "{plugin:?}");
    }
    let list = supervisor.command(&["plugin", "list"])?.stdout;
    ensure!(list.lines().filter(|line| line.contains("foreign")).count() == 2, "{list}");
    // Nobody waits for them: they know of no users.
    ensure!(supervisor.command(&["user", "add", "ada"])?.code == 0);
    let deleted = supervisor.command(&["user", "delete", "ada"])?;
    ensure!(deleted.code == 0 && deleted.stdout.contains("the name is free"), "{deleted:?}");
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn a_plugin_in_python_without_an_sdk_is_served() -> Result<()> {
    let stage = Stage::new()?;
    stage.install("hello-python")?;
    let supervisor = stage.serve()?;

    let reply = supervisor.get("/api/hello-python/hello/you")?;

    ensure!(
        (reply.status, reply.text().trim_end()) == (200, "Hello, you, from Python!"),
        "{reply:?}"
    );
    ensure!(!supervisor.plugin("hello-python")?.is_foreign());
    Ok(())
}
