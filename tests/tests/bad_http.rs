//! Bad requests never become a plugin's problem, and a plugin's problem costs its own requests alone.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{Supervisor, http, stage::Stage};

const MIB: usize = 1024 * 1024;

/// It still answers, from the same process.
fn serves_on(supervisor: &Supervisor<'_>, generation: u64) -> Result<()> {
    let plugin = supervisor.plugin("mock")?;
    ensure!((plugin.state(), plugin.generation()) == ("serving", generation), "{plugin:?}");
    let reply = supervisor.get("/api/mock/hello/you")?;
    ensure!((reply.status, reply.text().as_str()) == (200, "Hello, you!\n"), "{reply:?}");
    Ok(())
}

#[test]
fn bad_requests_get_the_right_4xx() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let status =
        |bytes: String| Ok::<_, anyhow::Error>(http::exchange(supervisor.address, bytes)?.status);

    for line in
        ["GET", "GET /api/mock/hello/you", "G@T / HTTP/1.1", "GET / HTTP/9.9", "\u{16}\u{3}\u{1}"]
    {
        let bytes = format!("{line}\r\nhost: test\r\nconnection: close\r\n\r\n");
        ensure!(status(bytes)? == 400, "{line:?}");
    }
    for path in [
        "/api/mock/../mock/env",
        "/api/mock/./env",
        "/api/mock/%2e%2e/env",
        "/api/mock/echo%2fx",
        "/api/mock/echo/%00",
        "/api/mock/echo/%zz",
        "/api/mock/echo/%",
        "/../../etc/passwd",
    ] {
        ensure!(supervisor.get(path)?.status == 400, "{path}");
    }
    let large = format!("x-large: {}\r\n", "x".repeat(70 * 1024));
    ensure!(status(http::request("GET", "/api/mock/env", &large, ""))? == 431);
    let many = "x: y\r\n".repeat(200);
    ensure!(status(http::request("GET", "/api/mock/env", &many, ""))? == 431);
    let body = "x".repeat(4 * MIB);
    ensure!(status(http::request("POST", "/api/mock/echo/x", "", &body))? == 413);
    let smuggled = "POST /api/mock/echo/x HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd";
    ensure!(status(smuggled.to_owned())? == 400);
    serves_on(&supervisor, 1)
}

#[test]
fn what_is_not_there_is_404_with_the_body_that_clients_know() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    for path in
        ["/", "/api", "/api/mock", "/api/mock/none", "/api/none/hello/you", "/apis/mock/hello/you"]
    {
        let reply = supervisor.get(path)?;
        ensure!(reply.status == 404, "{path}: {reply:?}");
        let expected = serde_json::json!({
            "error": "resource not found",
            "message": "no resource available at this address",
        });
        ensure!(reply.json()? == expected, "{path}: {reply:?}");
    }
    ensure!(supervisor.request("POST", "/api/mock/hello/you", "", "")?.status == 404);
    let only_filters = supervisor.request("GET", "/api/mock/vault/x", "x-word: sesame\r\n", "")?;
    ensure!(only_filters.status == 404, "{only_filters:?}");
    Ok(())
}

#[test]
fn a_path_is_the_same_with_empty_segments_a_final_slash_and_escapes() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    for path in ["/api/mock/hello/you/", "//api//mock//hello//you", "/api/%6dock/hello/%79ou"] {
        let reply = supervisor.get(path)?;
        ensure!(
            (reply.status, reply.text().as_str()) == (200, "Hello, you!\n"),
            "{path}: {reply:?}"
        );
    }
    let head = supervisor.request("HEAD", "/api/mock/hello/you", "", "")?;
    ensure!((head.status, head.body.len()) == (200, 0), "{head:?}");
    ensure!(head.header("content-length") == Some("12"), "{head:?}");
    let options = supervisor.request("OPTIONS", "/api/mock/hello/you", "", "")?;
    let allowed = options.header("allow").context("no Allow")?;
    ensure!(options.status < 300 && allowed.contains("GET"), "{options:?}");
    Ok(())
}

#[test]
fn headers_that_speak_for_the_host_do_not_get_through() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let headers = "outboard-user: root\r\nOutboard_Scopes: all\r\nx-drop: 1\r\ntransfer-encodingx: a\r\n\
                   connection: x-drop\r\nx-forwarded-for: 1.2.3.4\r\nforwarded: for=1.2.3.4\r\n";

    let reply = http::exchange(
        supervisor.address,
        format!(
            "GET /api/mock/echo/x HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n"
        ),
    )?;

    let echo = reply.json()?;
    let names: Vec<_> = echo["headers"].as_array().context("no headers")?.iter().collect();
    let has = |name: &str| names.iter().any(|header| header[0] == name);
    ensure!(!has("outboard-user") && !has("outboard_scopes") && !has("x-drop"), "{echo}");
    ensure!(
        echo["client_address"].as_str().is_some_and(|it| it.starts_with("127.0.0.1")),
        "{echo}"
    );
    Ok(())
}

#[test]
fn a_crash_in_the_middle_of_a_request_is_502_and_the_next_process_serves_on() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    // One that is under way in the same process, and can't be saved either.
    let mut bystander = supervisor.begin("GET", "/api/mock/slow?ms=60000")?;

    let reply = supervisor.request("POST", "/api/mock/misbehave/crash", "", "")?;

    ensure!(reply.status == 502 && reply.json()?["error"] == "bad gateway", "{reply:?}");
    let reply = http::read(&mut bystander)?;
    ensure!(reply.status == 502, "{reply:?}");
    supervisor.serves_after("mock", 1)?;
    serves_on(&supervisor, 2)
}

#[test]
fn answers_that_are_none_are_502_and_the_process_serves_on() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    for (what, status) in [("panic", 500), ("bad-header", 502)] {
        let reply = supervisor.request("POST", &format!("/api/mock/misbehave/{what}"), "", "")?;
        ensure!(reply.status == status, "{what}: {reply:?}");
        let body = reply.text();
        ensure!(
            !body.contains("asked") && !body.contains("mock"),
            "it tells what is inside: {body}"
        );
    }
    serves_on(&supervisor, 1)
}

#[test]
fn a_plugin_that_hangs_is_504_at_the_limit_and_others_are_answered_meanwhile() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("[gateway]\nrequest_timeout = \"700ms\"\n")?;
    let supervisor = stage.serve()?;

    let started = Instant::now();
    let mut hanging = supervisor.begin("POST", "/api/mock/misbehave/hang")?;
    serves_on(&supervisor, 1)?;
    let reply = http::read(&mut hanging)?;

    ensure!(reply.status == 504 && reply.json()?["error"] == "timeout", "{reply:?}");
    let taken = started.elapsed();
    ensure!(taken >= Duration::from_millis(690) && taken < Duration::from_secs(5), "{taken:?}");
    serves_on(&supervisor, 1)
}

#[test]
fn a_client_that_hangs_up_ends_the_plugins_work() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("drain_timeout = \"1h\"\n[gateway]\nrequest_timeout = \"1h\"\n")?;
    let mut supervisor = stage.serve()?;

    for _ in 0..3 {
        let client = supervisor.begin("GET", "/api/mock/slow?ms=300000")?;
        client.shutdown(Shutdown::Both)?;
    }

    serves_on(&supervisor, 1)?;
    // A drain waits for every request that is still under way.
    ensure!(supervisor.stop()? == 0);
    Ok(())
}

#[test]
fn an_output_flood_costs_the_plugin_its_own_lines_and_nobody_an_answer() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("[log]\nplugin_rate = 100\n")?;
    let supervisor = stage.serve()?;

    for stream in ["flood-stderr", "flood-stdout"] {
        let mark = supervisor.log.mark();
        let reply = supervisor.request("POST", &format!("/api/mock/misbehave/{stream}"), "", "")?;
        ensure!(reply.status == 200, "{reply:?}");
        let traffic = supervisor.traffic("/api/mock/hello/you");
        supervisor.log.wait(mark, "lines are missing here")?;
        traffic.more(10)?;
        traffic.finish()?;
    }
    serves_on(&supervisor, 1)
}

#[test]
fn requests_on_one_connection_are_answered_in_their_order() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let mut stream = http::connect(supervisor.address)?;
    let get =
        |path: &str, end: &str| format!("GET /api/mock/{path} HTTP/1.1\r\nhost: test\r\n{end}\r\n");

    let pipelined =
        [get("slow?ms=100", ""), get("hello/a", ""), get("hello/b", "connection: close\r\n")];
    stream.write_all(pipelined.concat().as_bytes())?;

    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let places = ["waited 100 ms", "Hello, a!", "Hello, b!"].map(|words| text.find(words));
    ensure!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    Ok(())
}
