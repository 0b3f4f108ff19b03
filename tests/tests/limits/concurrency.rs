//! So many requests at a time, and a line of others behind them.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use e2e::supervisor::{
    Supervisor,
    http::{self, Reply},
    metrics::{CONFIGURATION, Metrics},
    stage::Stage,
};

use super::{in_line, refused};

fn stage(gateway: &str) -> Result<Stage> {
    let stage = Stage::with_mock()?;
    configure(&stage, gateway)?;
    Ok(stage)
}

fn configure(stage: &Stage, gateway: &str) -> Result<()> {
    stage.configure(&format!("{CONFIGURATION}[gateway]\n{gateway}"))
}

/// A request that is in the plugin's hands, and stays there.
fn hold(supervisor: &Supervisor<'_>) -> Result<TcpStream> {
    supervisor.begin("GET", "/api/mock/slow?ms=300000")
}

/// A request of which nobody knows yet what becomes of it.
fn send(supervisor: &Supervisor<'_>, method: &str, path: &str) -> Result<TcpStream> {
    let mut stream = http::connect(supervisor.address)?;
    stream.write_all(http::request(method, path, "", "").as_bytes())?;
    Ok(stream)
}

fn is_busy(reply: &Reply) -> Result<()> {
    ensure!(reply.status == 503 && reply.json()?["error"] == "busy", "{reply:?}");
    let seconds = reply.header("retry-after").and_then(|seconds| seconds.parse().ok());
    ensure!(seconds.is_some_and(|seconds: u32| seconds > 0), "{reply:?}");
    Ok(())
}

#[test]
fn who_waits_too_long_is_503_and_told_when_to_come_back() -> Result<()> {
    let stage = stage("max_concurrent_requests = 1\nqueue_timeout = \"300ms\"\n")?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let held = hold(&supervisor)?;

    let began = Instant::now();
    is_busy(&supervisor.get("/api/mock/hello/you")?)?;
    ensure!(began.elapsed() >= Duration::from_millis(300));
    refused(&metrics, "queue_timeout", 1)?;

    drop(held);
    // What left has to be noticed first.
    metrics.reaches("outboard_http_requests_in_flight{plugin=\"mock\",instance=\"mock\"}", 0)?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn a_full_line_is_503_at_once_and_who_stands_in_it_is_answered() -> Result<()> {
    let stage = stage("max_concurrent_requests = 1\nqueue = 1\nqueue_timeout = \"1h\"\n")?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let held = hold(&supervisor)?;
    let mut waiting = send(&supervisor, "GET", "/api/mock/hello/you")?;
    in_line(&metrics, 1)?;

    is_busy(&supervisor.get("/api/mock/hello/you")?)?;
    refused(&metrics, "queue_full", 1)?;

    drop(held);
    let reply = http::read(&mut waiting)?;
    ensure!(reply.status == 200 && reply.text() == "Hello, you!\n", "{reply:?}");
    in_line(&metrics, 0)
}

#[test]
fn who_leaves_the_line_makes_room_for_others() -> Result<()> {
    let stage = stage("max_concurrent_requests = 1\nqueue = 1\nqueue_timeout = \"1h\"\n")?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let held = hold(&supervisor)?;
    let gone = send(&supervisor, "GET", "/api/mock/hello/you")?;
    in_line(&metrics, 1)?;
    drop(gone);
    in_line(&metrics, 0)?;

    let mut waiting = send(&supervisor, "GET", "/api/mock/hello/you")?;
    in_line(&metrics, 1)?;
    drop(held);
    ensure!(http::read(&mut waiting)?.status == 200);
    Ok(())
}

#[test]
fn a_reload_lets_more_in_and_those_who_wait_first() -> Result<()> {
    let stage = stage("max_concurrent_requests = 1\nqueue_timeout = \"1h\"\n")?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let _held = hold(&supervisor)?;
    let mut waiting = send(&supervisor, "GET", "/api/mock/hello/you")?;
    in_line(&metrics, 1)?;

    configure(
        &stage,
        "max_concurrent_requests = 1\nqueue_timeout = \"1h\"\n\
         [[plugin]]\nname = \"mock\"\nlimits.max_concurrent_requests = 2\n",
    )?;
    supervisor.reload()?;
    ensure!(http::read(&mut waiting)?.status == 200);
    Ok(())
}

#[test]
fn an_endpoint_with_few_places_holds_up_nobody_but_its_own() -> Result<()> {
    let stage = stage("queue_timeout = \"300ms\"\nmax_concurrent_requests = 3\n")?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let held = [(); 2].map(|()| supervisor.begin("POST", "/api/mock/gate?ms=300000"));

    let mut waiting = send(&supervisor, "POST", "/api/mock/gate?ms=0")?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    is_busy(&http::read(&mut waiting)?)?;
    refused(&metrics, "queue_timeout", 1)?;

    drop(held);
    metrics.reaches("outboard_http_requests_in_flight{plugin=\"mock\",instance=\"mock\"}", 0)?;
    ensure!(supervisor.request("POST", "/api/mock/gate?ms=0", "", "")?.status == 200);
    Ok(())
}
