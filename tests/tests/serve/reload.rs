//! SIGHUP: the directory and the configuration are read again.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{LIMIT, processes::Process, stage::Stage};

fn greeting(words: &str) -> String {
    format!(
        "[[instance]]\nplugin = \"mock\"\nname = \"shop\"\nparameters = {{ greeting = \"{words}\" }}\n"
    )
}

#[test]
fn a_reload_starts_new_plugins_and_stops_those_that_are_gone() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    stage.install("hello-python")?;
    supervisor.reload()?;
    let python = supervisor.serves_after("hello-python", 0)?;
    ensure!(supervisor.get("/api/hello-python/hello/you")?.status == 200);

    let process = Process::open(python.pid()?)?;
    fs::remove_dir_all(stage.plugin("hello-python"))?;
    supervisor.reload()?;
    process.wait(LIMIT)?;
    ensure!(supervisor.find("hello-python")?.is_none());
    ensure!(supervisor.get("/api/hello-python/hello/you")?.status == 404);

    traffic.more(5)?;
    traffic.finish()?;
    let after = supervisor.plugin("mock")?;
    ensure!((before.pid()?, after.generation()) == (after.pid()?, 1), "{after:?}");
    Ok(())
}

#[test]
fn a_plugin_that_was_removed_can_come_back() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let away = stage.root().join("mock-away");

    fs::rename(stage.plugin("mock"), &away)?;
    supervisor.reload()?;
    supervisor.log.wait(0, "\"after\":\"Stopped\"")?;
    fs::rename(&away, stage.plugin("mock"))?;
    supervisor.reload()?;

    supervisor.serves_after("mock", 0)?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn changed_parameters_reach_an_instance_while_it_serves() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&greeting("Hello"))?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;
    let traffic = supervisor.traffic("/api/shop/hello/you");
    traffic.more(2)?;

    for words in ["Good day", "Good evening", "Good night"] {
        stage.configure(&greeting(words))?;
        supervisor.reload()?;
        traffic.until(&format!("{words}, you!\n"))?;
    }

    traffic.finish()?;
    supervisor.log.wait(0, "reason=\\\"Reconfigure\\\"")?;
    let after = supervisor.plugin("mock")?;
    ensure!((after.pid()?, after.generation()) == (before.pid()?, 1), "{after:?}");
    ensure!(after.activation("shop") != before.activation("shop"), "an activation was used again");
    Ok(())
}

#[test]
fn an_instance_that_did_not_change_is_left_alone() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&greeting("Hello"))?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;

    let more = "[[instance]]\nplugin = \"mock\"\nname = \"office\"\n";
    stage.configure(&format!("{}{more}", greeting("Hello")))?;
    supervisor.reload()?;

    let both =
        supervisor.wait_for("mock", "serving both", |it| it.activation("office").is_some())?;
    ensure!(both.activation("shop") == before.activation("shop"), "{both:?}");
    ensure!(supervisor.get("/api/office/hello/you")?.status == 200);

    stage.configure(&greeting("Hello"))?;
    supervisor.reload()?;
    supervisor.wait_for("mock", "serving one", |it| it.instance("office").is_none())?;
    ensure!(supervisor.get("/api/office/hello/you")?.status == 404);
    ensure!(supervisor.get("/api/shop/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn parameters_that_the_plugin_refuses_leave_the_instance_as_it_was() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&greeting("Hello"))?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;

    let mark = supervisor.log.mark();
    stage.configure(&greeting(" "))?;
    supervisor.reload()?;

    supervisor.log.wait(mark, "parameter /greeting: is empty; write a word or two")?;
    ensure!(supervisor.get("/api/shop/hello/you")?.text() == "Hello, you!\n");
    ensure!(supervisor.plugin("mock")?.activation("shop") == before.activation("shop"));
    Ok(())
}

#[test]
fn a_bad_configuration_changes_nothing_and_is_reported_with_its_line() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&greeting("Hello"))?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;

    let bad = format!("{}isolte = true\nenabled = 5\n", greeting("Goodbye"));
    stage.configure(&bad)?;
    let outcome = supervisor.reload()?;

    let text = fs::read_to_string(stage.root().join("outboard.toml"))?;
    let line = text.lines().position(|line| line.starts_with("isolte")).context("no line")? + 1;
    for words in ["not reloaded", &format!("outboard.toml:{line}"), "isolte", "isolate"] {
        ensure!(outcome.contains(words), "{words:?} is not in {outcome}");
    }
    ensure!(outcome.contains(&format!("outboard.toml:{}", line + 1)), "{outcome}");
    ensure!(supervisor.get("/api/shop/hello/you")?.text() == "Hello, you!\n");
    let after = supervisor.plugin("mock")?;
    ensure!(after.0 == before.0, "{after:?}");

    stage.configure(&greeting("Well"))?;
    let outcome = supervisor.reload()?;
    ensure!(outcome.contains("\"reloaded\""), "{outcome}");
    supervisor.traffic("/api/shop/hello/you").until("Well, you!\n")
}

#[test]
fn what_only_counts_after_a_new_start_is_named_and_keeps_its_value() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    let mark = supervisor.log.mark();
    stage.configure("[gateway]\nprefix = \"v2\"\n")?;
    supervisor.reload()?;
    supervisor.log.wait(mark, "\"key\":\"gateway.prefix\"")?;
    ensure!(supervisor.command(&["plugin", "restart", "mock"])?.code == 0);

    ensure!(supervisor.get("/v2/mock/hello/you")?.status == 404);
    let info = supervisor.get("/api/mock/info")?.json()?;
    ensure!(info["base_path"] == "/api/mock/", "{info}");
    Ok(())
}

#[test]
fn a_directory_of_plugins_that_is_gone_changes_nothing() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let (directory, away) = (stage.root().join("plugins"), stage.root().join("away"));

    fs::rename(&directory, &away)?;
    let outcome = supervisor.reload()?;
    ensure!(outcome.contains("not reloaded") && outcome.contains("create it"), "{outcome}");
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);

    fs::rename(&away, &directory)?;
    let outcome = supervisor.reload()?;
    ensure!(outcome.contains("\"reloaded\""), "{outcome}");
    ensure!(supervisor.plugin("mock")?.generation() == 1);
    Ok(())
}
