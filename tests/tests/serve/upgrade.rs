//! A changed plugin: the new one starts beside the old one, and takes over only if it can.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use e2e::supervisor::{LIMIT, processes::Process, stage::Stage};
use nix::{errno::Errno, fcntl::OFlag, sys::stat::Mode};

/// Changes the program's hash and nothing else: what stands behind an ELF file is not looked at.
fn upgrade(stage: &Stage, release: &str) -> Result<()> {
    let program = stage.plugin("mock/mock");
    let mut bytes = fs::read(&program)?;
    bytes.extend_from_slice(release.as_bytes());
    let new = stage.write("new", bytes, 0o755)?;
    Ok(fs::rename(new, program)?)
}

fn copies(stage: &Stage) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(stage.data().join("plugins"))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

#[test]
fn an_upgrade_runs_the_new_program_and_keeps_the_old_one_to_go_back_to() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let first = supervisor.plugin("mock")?;
    let process = Process::open(first.pid()?)?;
    let copy = |hash: &str| stage.data().join("plugins").join(hash);
    let program = |pid: i32| fs::read_link(format!("/proc/{pid}/exe"));
    ensure!(program(first.pid()?)?.starts_with(copy(first.hash())));
    let traffic = supervisor.traffic("/api/mock/hello/you");

    upgrade(&stage, "2")?;
    supervisor.reload()?;
    let second = supervisor.serves_after("mock", 1)?;
    ensure!(second.hash() != first.hash());
    ensure!(program(second.pid()?)?.starts_with(copy(second.hash())));
    process.wait(LIMIT)?;
    ensure!(copies(&stage)?.len() == 2 && copy(first.hash()).join("mock").is_file());

    upgrade(&stage, "3")?;
    supervisor.reload()?;
    let third = supervisor.serves_after("mock", second.generation())?;
    ensure!(copy(second.hash()).is_dir() && copy(third.hash()).is_dir());
    ensure!(!copy(first.hash()).exists(), "the copy before the previous one is still there");

    traffic.more(5)?;
    traffic.finish()
}

#[test]
fn an_upgrade_that_does_not_start_leaves_the_old_version_serving() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    let misbehave = |word: &str| {
        format!("[[plugin]]\nname = \"mock\"\nenv = {{ MOCK_MISBEHAVE = \"{word}\" }}\n")
    };
    for (word, reason) in [("core-version", "core protocol version 2"), ("exit", "no licence file")]
    {
        let mark = supervisor.log.mark();
        stage.configure(&misbehave(word))?;
        supervisor.reload()?;
        supervisor.log.wait(mark, "not upgraded, the old version serves on")?;
        let plugin = supervisor.wait_for("mock", "reported", |it| it.error().contains(reason))?;
        ensure!(plugin.state() == "serving" && plugin.pid()? == before.pid()?, "{plugin:?}");
        ensure!(plugin.activation("mock") == before.activation("mock"));
    }

    traffic.more(5)?;
    stage.configure("")?;
    supervisor.reload()?;
    let plugin = supervisor.wait_for("mock", "without a trouble", |it| it.error().is_empty())?;
    ensure!(plugin.pid()? == before.pid()?, "{plugin:?}");
    traffic.more(5)?;
    traffic.finish()
}

#[test]
fn an_upgrade_that_would_lose_an_instance_leaves_the_old_version_serving() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let before = supervisor.plugin("mock")?;

    let mark = supervisor.log.mark();
    upgrade(&stage, "2")?;
    stage.configure("[[instance]]\nplugin = \"mock\"\nparameters = { greeting = \" \" }\n")?;
    supervisor.reload()?;

    supervisor.log.wait(mark, "not upgraded, the old version serves on")?;
    let plugin = supervisor.wait_for("mock", "reported", |it| it.error().contains("is empty"))?;
    ensure!(plugin.pid()? == before.pid()?, "{plugin:?}");
    ensure!(supervisor.get("/api/mock/hello/you")?.text() == "Hello, you!\n");
    Ok(())
}

#[test]
fn of_two_upgrades_at_once_the_newest_serves_in_the_end() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    let mut greeting = String::new();
    for release in 2..=5 {
        upgrade(&stage, &release.to_string())?;
        greeting = format!("Hello from release {release}");
        let parameters = format!("parameters = {{ greeting = \"{greeting}\" }}");
        stage.configure(&format!("[[instance]]\nplugin = \"mock\"\n{parameters}\n"))?;
        supervisor.reload()?;
    }

    traffic.until(&format!("{greeting}, you!\n"))?;
    let processes = || supervisor.plugin_processes().map(|all| all.len());
    supervisor.wait_for("mock", "alone", |_| processes().is_ok_and(|count| count == 1))?;
    let answer = traffic.more(20)?;
    ensure!(answer == format!("{greeting}, you!\n"), "it went back to {answer:?}");
    traffic.finish()
}

/// A program that waits, if its variable `GATE` says so, until somebody writes to that pipe.
const GATED: &str = "#!/bin/sh\n[ -z \"$GATE\" ] || read -r _ <\"$GATE\"\nexec \"${0%/*}/mock\"\n";

/// Lets the one who waits at the gate go on, if there is one.
fn open_gate(gate: &Path) -> Result<()> {
    let opened =
        fs::OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(gate);
    match opened {
        Ok(mut gate) => Ok(gate.write_all(b"go\n")?),
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn release(greeting: &str, gate: Option<&Path>) -> String {
    let gate = gate.map(|gate| format!("GATE = \"{}\"", gate.display())).unwrap_or_default();
    format!(
        "[[plugin]]\nname = \"mock\"\nenv = {{ RELEASE = \"{greeting}\", {gate} }}\n\
         [[instance]]\nplugin = \"mock\"\nparameters = {{ greeting = \"{greeting}\" }}\n"
    )
}

/// What an upgrade that is overtaken by another reload must not do: win.
fn overtaken(then: Option<&str>) -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.write("plugins/mock/start.sh", GATED, 0o755)?;
    let manifest = fs::read_to_string(stage.plugin("mock/plugin.toml"))?;
    let command = "command = [\"start.sh\"]\n";
    stage.write("plugins/mock/plugin.toml", format!("{command}{manifest}"), 0o644)?;
    let gate = stage.root().join("gate");
    nix::unistd::mkfifo(&gate, Mode::S_IRWXU)?;
    stage.configure(&release("One", None))?;
    let supervisor = stage.serve()?;
    let traffic = supervisor.traffic("/api/mock/hello/you");
    traffic.until("One, you!\n")?;

    let mark = supervisor.log.mark();
    stage.configure(&release("Two", Some(&gate)))?;
    supervisor.reload()?;
    supervisor.log.wait(mark, "\"after\":\"Starting\"")?;
    let last = then.unwrap_or("One");
    stage.configure(&release(last, None))?;
    supervisor.reload()?;
    traffic.until(&format!("{last}, you!\n"))?;
    open_gate(&gate)?;

    let processes = || supervisor.plugin_processes().map(|all| all.len());
    supervisor.wait_for("mock", "alone", |_| processes().is_ok_and(|count| count == 1))?;
    let answer = traffic.more(20)?;
    ensure!(answer == format!("{last}, you!\n"), "it went back to {answer:?}");
    traffic.finish()?;
    let plugin = supervisor.plugin("mock")?;
    ensure!(plugin.state() == "serving" && plugin.error().is_empty(), "{plugin:?}");
    let log = supervisor.log.all();
    let served = log.iter().filter(|line| line.contains("\"message\":\"plugin serves\"")).count();
    ensure!(served == if then.is_some() { 2 } else { 1 }, "{served} processes have served");
    Ok(())
}

#[test]
fn an_upgrade_that_another_one_overtakes_does_not_come_back() -> Result<()> {
    overtaken(Some("Three"))
}

#[test]
fn an_upgrade_that_is_taken_back_before_it_serves_never_serves() -> Result<()> {
    overtaken(None)
}

#[test]
fn a_new_supervisor_finds_imported_plugins_again() -> Result<()> {
    let stage = Stage::with_mock()?;
    let hash = {
        let mut supervisor = stage.serve()?;
        let hash = supervisor.plugin("mock")?.hash().to_owned();
        ensure!(supervisor.stop()? == 0);
        hash
    };
    let copy = copies(&stage)?;
    let made = fs::metadata(&copy[0])?.created()?;

    let supervisor = stage.serve()?;

    ensure!(supervisor.plugin("mock")?.hash() == hash);
    ensure!(copies(&stage)? == copy && fs::metadata(&copy[0])?.created()? == made);
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}
