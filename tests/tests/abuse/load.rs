//! h2load: no abuse, but more than most machines are asked for.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients::{self, h2load},
    h2::{self, Connection},
    supervisor::{Supervisor, processes::Process},
};

use super::under_abuse;

const LIMIT: Duration = Duration::from_mins(2);

/// Runs it, and finds every request answered well.
fn load(supervisor: &Supervisor<'_>, path: &str, requests: &str, more: &[&str]) -> Result<()> {
    let url = format!("http://{}/api/mock/{path}", supervisor.address);
    let mut command = h2load(&["-n", requests])?;
    let done = clients::run(command.args(more).arg(&url), LIMIT)?.good()?;
    let said = done.text();
    let find = |words: &str| said.lines().find(|line| line.starts_with(words));
    let line = find("requests:").context("no result")?;
    let expected = format!("{requests} done, {requests} succeeded, 0 failed, 0 errored, 0 timeout");
    ensure!(line.ends_with(&expected), "{path} {more:?}: {said}{}", done.stderr);
    let codes = find("status codes:").context("no status codes")?;
    ensure!(codes.contains(&format!(" {requests} 2xx")), "{path} {more:?}: {said}");
    println!("{path} {more:?}: {}", find("finished").unwrap_or_default());
    Ok(())
}

#[test]
fn h2load_gets_all_its_answers_by_http_1_1() -> Result<()> {
    under_abuse("", |supervisor| {
        load(supervisor, "hello/you", "5000", &["--h1", "-c", "64"])?;
        load(supervisor, "hello/you", "2000", &["--h1", "-c", "400"])?;
        load(supervisor, "download?bytes=65536", "1000", &["--h1", "-c", "32"])?;
        load(supervisor, "download?bytes=65536&chunked=1", "500", &["--h1", "-c", "32"])
    })
}

#[test]
fn h2load_gets_all_its_answers_by_http_2() -> Result<()> {
    under_abuse("", |supervisor| {
        load(supervisor, "hello/you", "5000", &["-c", "16", "-m", "32"])?;
        load(supervisor, "hello/you", "2000", &["-c", "1", "-m", "100"])?;
        load(supervisor, "download?bytes=65536", "1000", &["-c", "8", "-m", "8"])?;
        // A window of a KiB, so that nothing goes without being asked for.
        load(
            supervisor,
            "download?bytes=65536",
            "200",
            &["-c", "4", "-m", "4", "-w", "10", "-W", "12"],
        )
    })
}

#[test]
fn h2load_uploads() -> Result<()> {
    under_abuse("", |supervisor| {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), vec![b'x'; 100_000])?;
        let data = file.path().to_string_lossy().into_owned();
        load(supervisor, "upload", "500", &["--h1", "-c", "32", "-d", &data])?;
        load(supervisor, "upload", "500", &["-c", "8", "-m", "8", "-d", &data])?;
        load(supervisor, "mirror", "300", &["-c", "4", "-m", "4", "-d", &data])
    })
}

/// What is kept from one time to the next is used again: what it holds levels off, while what leaks grows each time.
#[test]
fn the_same_again_takes_no_more() -> Result<()> {
    const MOST_ROUNDS: usize = 24;
    under_abuse("", |supervisor| {
        let processes = [supervisor.pid(), supervisor.plugin("mock")?.pid()?].map(Process::open);
        let [host, plugin] = processes;
        let (host, plugin) = (host?, plugin?);
        let mut held = Vec::new();
        while held.len() < MOST_ROUNDS && !is_level(&held) {
            a_little_of_everything(supervisor)?;
            held.push([host.usage()?.resident, plugin.usage()?.resident]);
        }
        ensure!(is_level(&held), "still growing: {held:?}");
        Ok(())
    })
}

/// Three more rounds have taken no more, in either process, than an allocator's figures waver by.
fn is_level(held: &[[u64; 2]]) -> bool {
    const ROUNDS: usize = 3;
    const WAVER: u64 = 256 << 10;
    let since = held.len().checked_sub(ROUNDS + 1).map(|first| &held[first..]);
    since.is_some_and(|since| {
        (0..2).all(|process| since[ROUNDS][process] <= since[0][process] + WAVER)
    })
}

fn a_little_of_everything(supervisor: &Supervisor<'_>) -> Result<()> {
    load(supervisor, "hello/you", "500", &["--h1", "-c", "100"])?;
    load(supervisor, "download?bytes=300000", "50", &["-c", "5", "-m", "10"])?;
    let mut connection = Connection::open(supervisor.address, &[])?;
    for stream in (1..200).step_by(2) {
        connection.request(stream, &h2::get("/api/mock/download?bytes=1000000"), true)?;
    }
    // Until each of them has something in its hands that is then dropped.
    let mut heads = 0;
    while heads < 100 {
        let frame = connection.news()?.context("the server ends the connection")?;
        heads += usize::from(frame.kind == h2::kind::HEADERS);
    }
    Ok(())
}
