//! Secrets reach `Init`, and nobody else.

use std::fs;

use anyhow::{Result, ensure};
use e2e::supervisor::stage::{Done, Stage};

const SECRET: &str = "zz-open-sesame-zz";
const VARIABLE: &str = "yy-abracadabra-yy";

#[test]
fn a_secret_reaches_the_instance_and_is_shown_nowhere() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    stage.write("word.txt", format!("{SECRET}\n"), 0o600)?;
    stage.set("OUTBOARD_WORD", VARIABLE);
    stage.configure(
        r#"
        [secrets]
        word = { file = "word.txt" }
        other = { env = "OUTBOARD_WORD" }
        [[instance]]
        plugin = "mock"
        parameters = { greeting = { secret = "word" } }
        [[instance]]
        plugin = "mock"
        name = "second"
        parameters = { greeting = { secret = "other" } }
        [[instance]]
        plugin = "mock"
        name = "third"
        parameters = { greeting = { secret = "word" }, misbehave = { problems = ["no"] } }
        "#,
    )?;
    let supervisor = stage.serve()?;

    ensure!(supervisor.get("/api/mock/hello/you")?.text() == format!("{SECRET}, you!\n"));
    ensure!(supervisor.get("/api/second/hello/you")?.text() == format!("{VARIABLE}, you!\n"));

    let pid = supervisor.plugin("mock")?.pid()?;
    let environment = fs::read(format!("/proc/{pid}/environ"))?;
    let mut shown = vec![String::from_utf8_lossy(&environment).into_owned()];
    for arguments in [
        &["plugin", "list", "--json"][..],
        &["plugin", "list", "--endpoints"],
        &["plugin", "logs", "mock", "--json"],
    ] {
        let done = supervisor.command(arguments)?;
        shown.extend([done.stdout, done.stderr]);
    }
    let check = Done::of(&mut stage.outboard(&["config", "check"]))?;
    ensure!(check.code == 0, "{check:?}");
    shown.extend([check.stdout, check.stderr]);
    shown.extend(supervisor.log.all());
    shown.extend(supervisor.table.all());
    for text in shown {
        ensure!(!text.contains(SECRET) && !text.contains(VARIABLE), "a secret is in {text}");
    }
    Ok(())
}

#[test]
fn a_secret_that_changed_is_given_to_the_instance_that_asked_for_it() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.write("word.txt", "Old", 0o600)?;
    let text = "[secrets]\nword = { file = \"word.txt\" }\n[[instance]]\nplugin = \"mock\"\n\
                parameters = { greeting = { secret = \"word\" } }\n";
    stage.configure(text)?;
    let supervisor = stage.serve()?;
    ensure!(supervisor.get("/api/mock/hello/you")?.text() == "Old, you!\n");

    stage.write("word.txt", "New", 0o600)?;
    supervisor.reload()?;
    supervisor.traffic("/api/mock/hello/you").until("New, you!\n")?;

    let before = supervisor.plugin("mock")?;
    stage.configure(&text.replace("[secrets]", "[secrets]\nother = { file = \"word.txt\" }"))?;
    supervisor.reload()?;
    let after = supervisor.plugin("mock")?;
    ensure!(after.0 == before.0, "a secret of somebody else's made it anew: {after:?}");
    Ok(())
}

#[test]
fn a_secret_that_can_not_be_read_is_a_problem_of_its_instance_alone() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(
        r#"
        [secrets]
        word = { file = "missing.txt" }
        [[instance]]
        plugin = "mock"
        [[instance]]
        plugin = "mock"
        name = "second"
        parameters = { greeting = { secret = "word" } }
        "#,
    )?;
    let supervisor = stage.serve()?;

    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    let plugin = supervisor.plugin("mock")?;
    let problems = plugin.instance("second").map(|view| view["problems"].to_string());
    let problems = problems.unwrap_or_default();
    ensure!(problems.contains("missing.txt") && problems.contains("check the file"), "{problems}");
    Ok(())
}
