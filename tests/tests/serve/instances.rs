//! Instances: their parameters, their processes, and what goes wrong with one of them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{processes::kill_9, stage::Stage};

#[test]
fn a_plugin_that_nobody_configured_has_the_parameters_of_its_manifest() -> Result<()> {
    let stage = Stage::with_mock()?;
    let manifest = stage.plugin("mock/plugin.toml");
    let text = fs::read_to_string(&manifest)?.replace("\"Hello\"", "\"Servus\"");
    fs::write(&manifest, text)?;

    let supervisor = stage.serve()?;

    ensure!(supervisor.get("/api/mock/hello/you")?.text() == "Servus, you!\n");
    Ok(())
}

#[test]
fn instances_have_parameters_of_their_own_and_share_a_process_unless_isolated() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(
        r#"
        [[instance]]
        plugin = "mock"
        name = "shop"
        parameters = { greeting = "Welcome" }
        [[instance]]
        plugin = "mock"
        name = "office"
        parameters = { greeting = "Good day" }
        [[instance]]
        plugin = "mock"
        name = "vault"
        parameters = { greeting = "Password" }
        isolate = true
        [[instance]]
        plugin = "mock"
        name = "closed"
        enabled = false
        "#,
    )?;
    let supervisor = stage.serve()?;

    for (instance, greeting) in [("shop", "Welcome"), ("office", "Good day"), ("vault", "Password")]
    {
        let reply = supervisor.get(&format!("/api/{instance}/hello/you"))?;
        ensure!(reply.text() == format!("{greeting}, you!\n"), "{reply:?}");
    }
    ensure!(supervisor.get("/api/closed/hello/you")?.status == 404);
    ensure!(
        supervisor.get("/api/mock/hello/you")?.status == 404,
        "no default instance beside others"
    );
    let (common, alone) = (supervisor.plugin("mock")?, supervisor.plugin("mock@vault")?);
    ensure!(common.pid()? != alone.pid()?);
    ensure!(common.instance("shop").is_some() && common.instance("office").is_some());
    ensure!(common.instance("vault").is_none() && alone.instance("vault").is_some());

    let traffic = supervisor.traffic("/api/shop/hello/you");
    kill_9(alone.pid()?)?;
    supervisor.serves_after("mock@vault", 1)?;
    traffic.more(5)?;
    traffic.finish()?;
    ensure!(supervisor.plugin("mock")?.generation() == 1);
    Ok(())
}

#[test]
fn an_instance_whose_init_fails_leaves_the_others_serving() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(
        r#"
        call_timeout = "500ms"
        [[instance]]
        plugin = "mock"
        name = "good"
        [[instance]]
        plugin = "mock"
        name = "refused"
        parameters = { greeting = "" }
        [[instance]]
        plugin = "mock"
        name = "unknown"
        parameters = { greating = "Hi" }
        [[instance]]
        plugin = "mock"
        name = "late"
        parameters = { misbehave = { hang_in_init = true } }
        [[instance]]
        plugin = "mock"
        name = "panics"
        parameters = { misbehave = { panic_in_init = true } }
        [[instance]]
        plugin = "mock"
        name = "twice"
        parameters = { misbehave = { duplicate_endpoints = true } }
        [[instance]]
        plugin = "mock"
        name = "shapeless"
        parameters = { misbehave = { malformed_endpoint = true } }
        "#,
    )?;
    let supervisor = stage.serve()?;

    ensure!(supervisor.get("/api/good/hello/you")?.text() == "Hello, you!\n");
    let plugin = supervisor.plugin("mock")?;
    ensure!((plugin.state(), plugin.generation()) == ("serving", 1), "{plugin:?}");
    for (instance, words) in [
        ("refused", "parameter /greeting: is empty; write a word or two"),
        ("unknown", "greating"),
        ("late", "no answer within 500ms"),
        ("panics", "panick"),
        ("twice", "endpoint 1 (GET /twice"),
        ("twice", "endpoint 2 (GET /twice"),
        ("shapeless", "is not its last segment"),
    ] {
        let view = plugin.instance(instance).with_context(|| format!("no {instance}"))?;
        ensure!(view["active"] == false && view["activation"].is_null(), "{view}");
        let problems = view["problems"].to_string();
        ensure!(problems.contains(words), "{instance}: {words:?} is not in {problems}");
        ensure!(supervisor.get(&format!("/api/{instance}/hello/you"))?.status == 404);
        supervisor.log.wait(0, &format!("\"instance\":\"{instance}\""))?;
    }
    let table = supervisor.table.all().join("\n");
    ensure!(table.contains("refused: parameter /greeting: is empty"), "{table}");
    Ok(())
}
