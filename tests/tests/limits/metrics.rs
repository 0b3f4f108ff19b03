//! `GET /metrics`.

use std::fs;

use anyhow::{Result, ensure};
use e2e::{
    h1::Connection,
    supervisor::{
        Supervisor, http,
        metrics::{CONFIGURATION, Metrics},
        stage::Stage,
    },
};

use super::refused;

const MOCK: &str = "plugin=\"mock\",instance=\"mock\"";

fn send(supervisor: &Supervisor<'_>, request: &str) -> Result<u16> {
    Ok(http::exchange(supervisor.address, request)?.status)
}

#[test]
fn requests_are_counted_where_they_got_to() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&format!("{CONFIGURATION}[gateway]\nmax_body = \"1KiB\"\n"))?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;

    for _ in 0..3 {
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    }
    let body = "x".repeat(1000);
    ensure!(supervisor.request("POST", "/api/mock/echo", "", &body)?.status == 200);
    ensure!(supervisor.request("POST", "/api/mock/echo", "", &body.repeat(2))?.status == 413);
    ensure!(supervisor.get("/api/mock/nothing")?.status == 404);
    ensure!(supervisor.get("/api/nobody/hello/you")?.status == 404);
    ensure!(send(&supervisor, &http::request("GET", "/", "host: other\r\n", ""))? == 400);
    ensure!(send(&supervisor, &http::request("CONNECT", "test:1", "", ""))? == 501);
    let long = format!("/api/{}", "a".repeat(9000));
    ensure!(send(&supervisor, &http::request("GET", &long, "", ""))? == 414);
    let large = format!("x-large: {}\r\n", "a".repeat(70_000));
    ensure!(send(&supervisor, &http::request("GET", "/", &large, ""))? == 431);
    ensure!(send(&supervisor, "no request\r\n\r\n")? == 400);

    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"200\"}}"), 4)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"413\"}}"), 1)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"404\"}}"), 1)?;
    metrics.reaches(&format!("outboard_http_request_duration_seconds_count{{{MOCK}}}"), 6)?;
    metrics.reaches(&format!("outboard_http_request_body_bytes_total{{{MOCK}}}"), 1000)?;
    metrics.reaches(&format!("outboard_http_requests_in_flight{{{MOCK}}}"), 0)?;
    metrics.reaches("outboard_http_connections", 0)?;
    refused(&metrics, "body_too_large", 1)?;
    refused(&metrics, "not_found", 1)?;
    for (reason, count) in [
        ("not_found", 1),
        ("malformed", 2),
        ("connect", 1),
        ("uri_too_long", 1),
        ("head_too_large", 1),
    ] {
        metrics.reaches(&format!("outboard_http_unrouted_total{{reason=\"{reason}\"}}"), count)?;
    }
    Ok(())
}

#[test]
fn what_goes_on_is_seen_while_it_does() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let slow = supervisor.begin("GET", "/api/mock/slow?ms=300000")?;

    metrics.reaches(&format!("outboard_http_requests_in_flight{{{MOCK}}}"), 1)?;
    metrics.reaches("outboard_http_connections", 1)?;
    drop(slow);

    metrics.reaches(&format!("outboard_http_requests_in_flight{{{MOCK}}}"), 0)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"none\"}}"), 1)?;
    metrics.reaches("outboard_http_connections", 0)
}

#[test]
fn a_plugin_keeps_its_numbers_over_its_processes_and_takes_them_along_when_it_goes() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    let sample = format!("outboard_http_requests_total{{{MOCK},code=\"200\"}}");
    metrics.reaches(&sample, 1)?;

    e2e::supervisor::processes::kill_9(supervisor.plugin("mock")?.pid()?)?;
    supervisor.serves_after("mock", 1)?;
    metrics.reaches(&sample, 1)?;

    fs::remove_dir_all(stage.plugin("mock"))?;
    supervisor.reload()?;
    supervisor.log.wait(0, "\"after\":\"Stopped\"")?;
    let text = metrics.text()?;
    ensure!(!text.contains("instance=\"mock\""), "{text}");
    Ok(())
}

#[test]
fn a_plugin_that_is_away_is_told_apart_from_one_that_nobody_has() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(&format!("max_restarts = 0\n{CONFIGURATION}"))?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    e2e::supervisor::processes::kill_9(supervisor.plugin("mock")?.pid()?)?;
    supervisor.wait_for("mock", "failed", |plugin| plugin.state() == "failed")?;

    ensure!(supervisor.get("/api/mock/hello/you")?.status == 503);
    refused(&metrics, "away", 1)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"503\"}}"), 1)
}

#[test]
fn a_tunnel_is_counted_when_it_begins_and_as_long_as_it_lasts() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let mut tunnel = Connection::open(supervisor.address)?;
    tunnel.send(
        "GET /api/mock/ws HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    ensure!(tunnel.head()?.status == 101);
    // A masked "hi" with the mask 0, which the mock sends back.
    tunnel.send([0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])?;
    ensure!(tunnel.bytes(4)? == [0x81, 2, b'h', b'i']);

    metrics.reaches("outboard_http_tunnels", 1)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"101\"}}"), 1)?;
    metrics.reaches(&format!("outboard_http_requests_in_flight{{{MOCK}}}"), 1)?;
    metrics.reaches(&format!("outboard_http_request_body_bytes_total{{{MOCK}}}"), 8)?;
    metrics.reaches(&format!("outboard_http_response_body_bytes_total{{{MOCK}}}"), 4)?;
    drop(tunnel);

    metrics.reaches("outboard_http_tunnels", 0)?;
    metrics.reaches("outboard_http_connections", 0)?;
    metrics.reaches(&format!("outboard_http_requests_in_flight{{{MOCK}}}"), 0)?;
    metrics.reaches(&format!("outboard_http_requests_total{{{MOCK},code=\"101\"}}"), 1)
}

#[test]
fn an_address_that_is_in_use_is_told() -> Result<()> {
    let stage = Stage::new()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    stage.configure(&format!("[metrics]\nlisten = \"{address}\"\n"))?;
    let done = e2e::supervisor::stage::Done::of(&mut stage.serve_command())?;
    ensure!(done.code == 1, "{done:?}");
    ensure!(done.stderr.contains(&format!("metrics.listen \"{address}\"")), "{}", done.stderr);
    Ok(())
}
