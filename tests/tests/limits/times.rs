//! Bodies and times: each limit has its own answer and its own name in the metrics, and an endpoint's own limit
//! counts where it is less than the operator's.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use e2e::supervisor::{
    Supervisor, http,
    metrics::{CONFIGURATION, Metrics},
    stage::Stage,
};

use super::refused;

/// What comes of a request until the connection ends, whether that is a whole response or not.
fn all(mut stream: TcpStream) -> Result<String> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => Err(error.into()),
        Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn send(supervisor: &Supervisor<'_>, request: &str) -> Result<String> {
    let mut stream = http::connect(supervisor.address)?;
    stream.write_all(request.as_bytes())?;
    all(stream)
}

/// Half a body, and then nothing.
fn half(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf")
}

fn get(path: &str) -> String {
    http::request("GET", path, "", "")
}

#[test]
fn each_limit_of_an_endpoint_has_its_own_answer_and_reason() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let metrics = Metrics::of(&supervisor)?;
    let check = |request: &str, begins: &str, is_whole: bool, reason: &str| {
        let reply = send(&supervisor, request)?;
        ensure!(reply.starts_with(&format!("HTTP/1.1 {begins} ")), "{request}: {reply}");
        ensure!(reply.contains("content-length:") == is_whole, "{request}: {reply}");
        ensure!(!reply.ends_with("0\r\n\r\n"), "{request} looks whole: {reply}");
        refused(&metrics, reason, 1)
    };

    let tiny = |bytes: usize| http::request("POST", "/api/mock/tiny", "", &"x".repeat(bytes));
    ensure!(send(&supervisor, &tiny(16))?.starts_with("HTTP/1.1 200 "));
    check(&tiny(17), "413", true, "body_too_large")?;
    check(&get("/api/mock/hurry"), "504", true, "first_byte_timeout")?;
    check(&half("/api/mock/idle"), "408", true, "slow_body")?;
    check(&get("/api/mock/idle"), "200", false, "idle_timeout")?;
    check(&get("/api/mock/total"), "200", false, "request_timeout")
}

#[test]
fn a_plugins_own_limits_may_be_more_than_the_others_and_follow_a_reload() -> Result<()> {
    let stage = Stage::with_mock()?;
    let configure = |limits: &str| {
        stage.configure(&format!(
            "[gateway]\nmax_body = \"1KiB\"\nfirst_byte_timeout = \"10ms\"\n\
             [[plugin]]\nname = \"mock\"\n[plugin.limits]\n{limits}"
        ))
    };
    configure("max_body = \"2KiB\"\nfirst_byte_timeout = \"1m\"\n")?;
    let supervisor = stage.serve()?;
    let echo = |bytes: usize| -> Result<u16> {
        Ok(supervisor.request("POST", "/api/mock/echo", "", &"x".repeat(bytes))?.status)
    };
    let statuses = || -> Result<[u16; 3]> { Ok([echo(1500)?, echo(2048)?, echo(2049)?]) };

    ensure!(statuses()? == [200, 200, 413]);
    ensure!(supervisor.get("/api/mock/slow?ms=50")?.status == 200);

    configure("first_byte_timeout = \"200ms\"\n")?;
    supervisor.reload()?;
    ensure!(statuses()? == [413, 413, 413]);
    let began = Instant::now();
    ensure!(supervisor.get("/api/mock/slow?ms=60000")?.status == 504);
    ensure!(began.elapsed() >= Duration::from_millis(190));
    Ok(())
}
