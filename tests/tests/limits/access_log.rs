//! `gateway.access_log`.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{
    Supervisor, http,
    metrics::{self, Metrics},
    stage::{Done, Stage},
};
use serde_json::{Value, json};

const CONFIGURATION: &str = "[gateway]\naccess_log = \"access.log\"\nmax_body = \"1KiB\"\n";

fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn get(supervisor: &Supervisor<'_>, path: &str, id: &str) -> Result<u16> {
    let headers = format!("x-request-id: {id}\r\n");
    Ok(supervisor.request("GET", path, &headers, "")?.status)
}

/// The line of the request of that id.
fn line<'l>(lines: &'l [Value], id: &str) -> Result<&'l Value> {
    the_one(lines, "request_id", id)
}

fn the_one<'l>(lines: &'l [Value], key: &str, value: &str) -> Result<&'l Value> {
    let mut found = lines.iter().filter(|line| line[key] == value);
    let line = found.next().with_context(|| format!("no line of {value} in {lines:?}"))?;
    ensure!(found.next().is_none(), "two lines of {value} in {lines:?}");
    Ok(line)
}

#[test]
fn each_request_leaves_a_line_that_says_how_it_ended() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let mut supervisor = stage.serve()?;
    ensure!(get(&supervisor, "/api/mock/hello/you?token=s3cret", "good")? == 200);
    ensure!(get(&supervisor, "/api/nobody", "lost")? == 404);
    let body = "x".repeat(1000);
    let echo = |id, body: &str| {
        supervisor.request("POST", "/api/mock/echo", &format!("x-request-id: {id}\r\n"), body)
    };
    ensure!(echo("whole", &body)?.status == 200);
    ensure!(echo("large", &body.repeat(2))?.status == 413);
    let slow = supervisor.begin("GET", "/api/mock/slow?ms=300000")?;
    drop(slow);
    ensure!(supervisor.stop()? == 0);

    let path = stage.root().join("access.log");
    let lines = lines(&path)?;
    ensure!(lines.len() == 5, "{lines:?}");
    let good = line(&lines, "good")?;
    for (key, value) in [
        ("client", json!("127.0.0.1")),
        ("method", json!("GET")),
        ("path", json!("/api/mock/hello/you")),
        ("protocol", json!("HTTP/1.1")),
        ("status", json!(200)),
        ("bytes_in", json!(0)),
        ("bytes_out", json!("Hello, you!\n".len())),
        ("plugin", json!("mock")),
        ("instance", json!("mock")),
        ("outcome", json!("complete")),
    ] {
        ensure!(good[key] == value, "{key} of {good}");
    }
    ensure!(good["duration_us"].as_u64() > Some(0), "{good}");
    ensure!(good["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{good}");
    let whole = line(&lines, "whole")?;
    ensure!(whole["bytes_in"] == 1000 && whole["bytes_out"].as_u64() > Some(1000), "{whole}");
    let lost = line(&lines, "lost")?;
    ensure!(lost["status"] == 404 && lost["outcome"] == "not_found", "{lost}");
    let large = line(&lines, "large")?;
    ensure!(large["status"] == 413 && large["outcome"] == "body_too_large", "{large}");
    let gone = the_one(&lines, "path", "/api/mock/slow")?;
    ensure!(gone["status"].is_null() && gone["outcome"] == "client_gone", "{gone}");
    ensure!(lost["plugin"].is_null(), "{lost}");
    ensure!(!fs::read_to_string(&path)?.contains("s3cret"));
    ensure!(fs::metadata(&path)?.permissions().mode() & 0o137 == 0);
    Ok(())
}

#[test]
fn the_place_for_administrators_is_logged_and_measured_like_the_gateway() -> Result<()> {
    let stage = Stage::with_mock()?;
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\n";
    stage.configure(&format!("{}{admin}{CONFIGURATION}", metrics::CONFIGURATION))?;
    let mut supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let told: Value =
        serde_json::from_str(&supervisor.log.wait(0, "administrators are answered")?)?;
    let place: SocketAddr = told["address"].as_str().context("no address")?.parse()?;
    let ask = |path: &str, id: &str| {
        let headers = format!("x-request-id: {id}\r\n");
        Ok::<_, anyhow::Error>(
            http::exchange(place, http::request("GET", path, &headers, ""))?.status,
        )
    };
    ensure!(ask("/api/user?token=s3cret", "stranger")? == 401);
    ensure!(ask("/api/mock/hello/you", "plugin")? == 404);
    ensure!(get(&supervisor, "/api/profile", "person")? == 401);
    let of = |instance: &str| {
        format!(
            "outboard_http_requests_total{{plugin=\"outboard\",instance=\"{instance}\",code=\"401\"}}"
        )
    };
    metrics.reaches(&of("admin"), 1)?;
    metrics.reaches(&of("outboard"), 1)?;
    metrics.reaches("outboard_http_unrouted_total{reason=\"not_found\"}", 1)?;
    ensure!(supervisor.stop()? == 0);

    let path = stage.root().join("access.log");
    let lines = lines(&path)?;
    ensure!(lines.len() == 3, "{lines:?}");
    let stranger = line(&lines, "stranger")?;
    for (key, value) in [
        ("client", json!("127.0.0.1")),
        ("path", json!("/api/user")),
        ("status", json!(401)),
        ("plugin", json!("outboard")),
        ("instance", json!("admin")),
        ("outcome", json!("complete")),
    ] {
        ensure!(stranger[key] == value, "{key} of {stranger}");
    }
    ensure!(line(&lines, "plugin")?["outcome"] == "not_found", "{lines:?}");
    ensure!(line(&lines, "person")?["instance"] == "outboard", "{lines:?}");
    ensure!(!fs::read_to_string(&path)?.contains("s3cret"));
    Ok(())
}

#[test]
fn a_log_that_was_renamed_goes_on_in_a_new_file_after_a_sighup() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let mut supervisor = stage.serve()?;
    let (path, old) = (stage.root().join("access.log"), stage.root().join("access.log.1"));
    ensure!(get(&supervisor, "/api/mock/hello/you", "first")? == 200);
    fs::rename(&path, &old)?;
    ensure!(get(&supervisor, "/api/mock/hello/you", "second")? == 200);

    // Also where the configuration is not what it should be: whoever rotates can't know.
    stage.configure("[gateway]\naccess_log = 5\n")?;
    let outcome = supervisor.reload()?;
    ensure!(outcome.contains("not reloaded"), "{outcome}");
    ensure!(get(&supervisor, "/api/mock/hello/you", "third")? == 200);
    ensure!(supervisor.stop()? == 0);

    let (old, new) = (lines(&old)?, lines(&path)?);
    ensure!((old.len(), new.len()) == (2, 1), "{old:?} and {new:?}");
    line(&old, "first").and_then(|_| line(&old, "second")).and_then(|_| line(&new, "third"))?;
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_is_told_at_the_start() -> Result<()> {
    let stage = Stage::new()?;
    stage.configure("[gateway]\naccess_log = \"none/access.log\"\n")?;
    let done = Done::of(&mut stage.serve_command())?;
    ensure!(done.code == 1, "{done:?}");
    for words in ["gateway.access_log", "none/access.log", "create its directory"] {
        ensure!(done.stderr.contains(words), "{}", done.stderr);
    }
    Ok(())
}
