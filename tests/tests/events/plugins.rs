//! What plugins announce, and what they are told.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::stage::Stage;

use super::{GRANT, delivery, emit, event, journal, stage};

#[test]
fn what_a_plugin_announces_is_delivered_under_the_name_that_the_host_gives_it() -> Result<()> {
    let stage = stage()?;
    stage.configure(GRANT)?;
    let supervisor = stage.serve()?;

    let ids = emit(&supervisor, "id=a&key=k", "{\"answer\": 42}")?;

    ensure!(ids == ["a-0"], "{ids:?}");
    let delivered = delivery(&supervisor, "a-0", |it| it["state"] == "delivered")?;
    ensure!(delivered["instance"] == "mock" && delivered["attempts"] == 1, "{delivered}");
    let told = supervisor.get("/api/mock/notified")?.json()?;
    let told = &told["deliveries"][0];
    ensure!(told["delivery_id"] == delivered["delivery_id"] && told["attempt"] == 1, "{told}");
    let event = &told["event"];
    ensure!(event["source"] == "/plugins/mock/mock" && event["type"] == "mock.test", "{event}");
    ensure!(event["data"]["answer"] == 42 && event["partitionkey"] == "k", "{event}");
    Ok(())
}

#[test]
fn a_repeat_is_told_to_whoever_announces_it() -> Result<()> {
    let stage = stage()?;
    stage.configure(GRANT)?;
    let supervisor = stage.serve()?;
    emit(&supervisor, "id=a", "")?;
    let reply = supervisor.request("POST", "/api/mock/emit/mock.test?id=a&count=2", "", "")?;
    let receipts = &reply.json()?["receipts"];
    ensure!(receipts[0]["repeated"] == true && receipts[1]["repeated"] == false, "{receipts}");
    Ok(())
}

#[test]
fn without_a_grant_of_both_sides_nothing_is_announced_and_both_lines_are_told() -> Result<()> {
    let stage = stage()?;
    let supervisor = stage.serve()?;
    let denied = supervisor.request("POST", "/api/mock/emit/mock.test?id=a", "", "")?;
    ensure!(denied.status == 403, "{denied:?}");
    let text = denied.json()?["error"].to_string().replace('\\', "");
    for words in
        ["plugin.toml, grants.emit = [\"mock.test\"]", "[[plugin]] name = \"mock\", grants.emit"]
    {
        ensure!(text.contains(words), "{text}");
    }
    drop(supervisor);

    // The author asks for mock.* only, whatever the operator gives.
    stage.configure("\n[[plugin]]\nname = \"mock\"\ngrants.emit = [\"*\"]\n")?;
    let supervisor = stage.serve()?;
    let denied = supervisor.request("POST", "/api/mock/emit/other.test?id=a", "", "")?;
    ensure!(denied.status == 403 && denied.text().contains("other.test"), "{denied:?}");
    emit(&supervisor, "id=a", "")?;
    Ok(())
}

#[test]
fn a_plugin_that_crashes_in_a_delivery_gets_it_again_and_nobody_elses_are_lost() -> Result<()> {
    let stage = stage()?;
    let journal_at = stage.root().join("journal");
    let parameters = format!("parameters = {{ notify = {{ journal = {journal_at:?} }} }}");
    stage.configure(&format!("{GRANT}\n[[instance]]\nplugin = \"mock\"\n{parameters}\n"))?;
    let supervisor = stage.serve()?;
    let first = supervisor.plugin("mock")?.pid()?;

    emit(&supervisor, "id=crash&key=k", "{\"mock\": {\"crash\": 1}}")?;
    supervisor.serves_after("mock", 1)?;
    emit(&supervisor, "id=next&key=k", "")?;

    let delivered = delivery(&supervisor, "crash-0", |it| it["state"] == "delivered")?;
    ensure!(delivered["attempts"] == 2, "{delivered}");
    delivery(&supervisor, "next-0", |it| it["state"] == "delivered")?;
    let lines = journal(&journal_at)?;
    let begun: Vec<_> = lines.iter().filter(|line| line["at"] == "begin").collect();
    let ids: Vec<_> = begun.iter().map(|line| line["id"].as_str().unwrap_or_default()).collect();
    ensure!(ids == ["crash-0", "crash-0", "next-0"], "{ids:?}");
    ensure!(begun[0]["delivery_id"] == begun[1]["delivery_id"], "{begun:?}");
    ensure!(supervisor.plugin("mock")?.pid()? != first);
    Ok(())
}

#[test]
fn a_plugin_that_does_not_keep_what_its_manifest_promises_has_no_instance() -> Result<()> {
    let stage = Stage::new()?;
    let plugin = stage.plugin("frames");
    fs::create_dir(&plugin)?;
    fs::copy(env!("CARGO_BIN_EXE_e2e-frames-plugin"), plugin.join("e2e-frames-plugin"))?;
    let manifest = "name = \"frames\"\ncommand = [\"e2e-frames-plugin\", \"frames\", \"well\"]\nauthenticate = true\nnotify.types = [\"*\"]\n";
    fs::write(plugin.join("plugin.toml"), manifest)?;
    let supervisor = stage.serve()?;
    let plugin = supervisor.plugin("frames")?;
    let problems =
        plugin.instance("frames").with_context(|| format!("{plugin:?}"))?["problems"].to_string();
    ensure!(problems.contains("CAPABILITY_NOTIFY"), "{problems}");
    ensure!(problems.contains("CAPABILITY_AUTHENTICATE"), "{problems}");
    Ok(())
}

#[test]
fn a_notifier_that_is_added_is_told_of_what_comes_after_it() -> Result<()> {
    let stage = stage()?;
    stage.configure(GRANT)?;
    let supervisor = stage.serve()?;
    emit(&supervisor, "id=before", "")?;
    let instances =
        "\n[[instance]]\nplugin = \"mock\"\n[[instance]]\nplugin = \"mock\"\nname = \"late\"\n";
    stage.configure(&format!("{GRANT}{instances}"))?;
    supervisor.reload()?;
    emit(&supervisor, "id=after", "")?;
    let deliveries = |id: &str| -> Result<usize> {
        let shown = event(&supervisor, &["show", id])?;
        Ok(shown["deliveries"].as_array().context("no deliveries")?.len())
    };
    ensure!((deliveries("before-0")?, deliveries("after-0")?) == (1, 2));
    let listed = event(&supervisor, &["notifiers"])?;
    let names: Vec<_> = listed["notifiers"].as_array().context("none")?.iter().collect();
    ensure!(names.len() == 2 && names[0]["instance"] == "late", "{listed}");
    Ok(())
}
