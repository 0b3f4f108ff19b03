//! SIGTERM and Ctrl-C, and who may start beside a running supervisor.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::supervisor::{
    http, processes,
    stage::{Done, Stage},
};
use nix::sys::signal::Signal;

#[test]
fn sigterm_ends_requests_then_plugins_then_itself_and_leaves_nothing() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.install("hello-python")?;
    let mut supervisor = stage.serve()?;
    let all = processes::within(stage.root())?;
    // The supervisor itself can only be looked at by root.
    ensure!(all.len() >= 5, "launcher, two guards, two plugins: {all:?}");
    let mut slow = supervisor.begin("GET", "/api/mock/slow?ms=500")?;

    let code = supervisor.stop()?;

    let reply = http::read(&mut slow)?;
    ensure!((reply.status, reply.text().as_str()) == (200, "waited 500 ms\n"), "{reply:?}");
    ensure!(code == 0, "exit code {code}");
    for process in &all {
        process.wait(Duration::from_secs(1))?;
    }
    ensure!(processes::within(stage.root())?.is_empty());
    let left = supervisor.left_over()?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    let order = ["stopping: no new requests", "stopping: plugins", "\"message\":\"stopped\""];
    let log = supervisor.log.all();
    let place = |words: &str| log.iter().position(|line| line.contains(words));
    let places: Vec<_> = order.iter().map(|words| place(words)).collect();
    ensure!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    Ok(())
}

#[test]
fn a_request_that_outlives_the_drain_is_cut_off_and_told_by_the_exit_code() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("drain_timeout = \"300ms\"\n")?;
    let mut supervisor = stage.serve()?;
    let _slow = supervisor.begin("GET", "/api/mock/slow?ms=60000")?;

    let started = Instant::now();
    let code = supervisor.stop()?;

    ensure!(code == 1, "exit code {code}");
    ensure!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    supervisor.log.wait(0, "connections outlived drain_timeout and were closed")?;
    ensure!(supervisor.left_over()?.is_empty());
    Ok(())
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_drain() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("drain_timeout = \"10m\"\n")?;
    let mut supervisor = stage.serve()?;
    let plugins = supervisor.plugin_processes()?;
    let _slow = supervisor.begin("GET", "/api/mock/slow?ms=60000")?;

    supervisor.signal(Signal::SIGINT)?;
    supervisor.log.wait(0, "stopping: no new requests")?;
    let again = Instant::now();
    supervisor.signal(Signal::SIGINT)?;
    let status = supervisor.ended(Duration::from_secs(3))?;

    ensure!(status.code() == Some(1), "{status:?} after {:?}", again.elapsed());
    for process in plugins {
        process.wait(Duration::from_secs(1))?;
    }
    Ok(())
}

#[test]
fn a_plugin_that_is_still_starting_does_not_hold_up_the_end() -> Result<()> {
    let stage = Stage::new()?;
    stage.write("plugins/silent", "#!/bin/sh\nexec sleep 300\n", 0o755)?;
    let mut supervisor = stage.start()?;
    supervisor.wait_for("silent", "starting", |_| {
        supervisor.plugin_processes().is_ok_and(|processes| !processes.is_empty())
    })?;
    let all = processes::within(stage.root())?;

    let started = Instant::now();
    ensure!(supervisor.stop()? == 0);

    ensure!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    all.iter().try_for_each(|process| process.wait(Duration::from_secs(1)))?;
    let processes = processes::within(stage.root())?;
    ensure!(processes.is_empty(), "still there: {processes:?}");
    let left = supervisor.left_over()?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}

#[test]
fn a_second_supervisor_on_the_same_directories_is_refused() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    for (arguments, directory) in [
        (["--data-dir", "data", "--runtime-dir", "run2"], "data"),
        (["--data-dir", "data2", "--runtime-dir", "run"], "run"),
    ] {
        let mut second = stage.outboard(&["serve", "--listen", "127.0.0.1:0"]);
        let second = Done::of(second.args(arguments))?;
        ensure!(second.code == 1, "{second:?}");
        let place = stage.root().join(directory);
        let words =
            [&place.display().to_string(), "another supervisor is using it", "stop that one"];
        for words in words {
            ensure!(second.stderr.contains(words), "{words:?} is not in {second:?}");
        }
    }
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200, "the first one was disturbed");
    ensure!(supervisor.plugin("mock")?.generation() == 1);
    Ok(())
}

#[test]
fn an_address_that_is_taken_is_named_with_the_key_to_change() -> Result<()> {
    let stage = Stage::with_mock()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();

    stage.configure(&format!("[gateway]\nlisten = \"{address}\"\n"))?;
    let second = Done::of(&mut stage.outboard(&["serve", "--data-dir=data", "--runtime-dir=run"]))?;

    ensure!(second.code == 1, "{second:?}");
    for words in [address.as_str(), "gateway.listen"] {
        ensure!(second.stderr.contains(words), "{words:?} is not in {second:?}");
    }
    Ok(())
}
