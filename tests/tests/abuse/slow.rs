//! Clients that take their time, so that the time of others runs out.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    h1::Connection,
    supervisor::{Supervisor, usage::Before},
};

use super::{KEPT, MIB, under_abuse};

const CLIENTS: usize = 200;
/// What the gateway gives a client for the head of a request, and some more on a busy machine.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// What it gives a client to take something.
const STALL: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(15);

fn clients(supervisor: &Supervisor<'_>, sent: &str) -> Result<Vec<Connection>> {
    let client = |_| {
        let mut client = Connection::open(supervisor.address)?;
        client.stream.set_read_timeout(Some(HEAD_TIME + SLACK))?;
        client.send(sent)?;
        Ok(client)
    };
    (0..CLIENTS).map(client).collect()
}

/// Sends a byte to each of them every now and then, until none takes any more or it is too late.
fn drip(clients: &mut [Connection], byte: u8, pause: Duration, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    let mut is_open = vec![true; clients.len()];
    while is_open.contains(&true) && Instant::now() < end {
        for (client, is_open) in clients.iter_mut().zip(&mut is_open) {
            *is_open = *is_open && client.stream.write_all(&[byte]).is_ok();
        }
        std::thread::sleep(pause);
    }
    ensure!(!is_open.contains(&true), "some are not cut off within {limit:?}");
    Ok(())
}

fn all_get(clients: Vec<Connection>, status: &str) -> Result<()> {
    for (number, mut client) in clients.into_iter().enumerate() {
        let came = client.until_cut().with_context(|| format!("client {number}"))?;
        let came = String::from_utf8_lossy(&came);
        ensure!(came.starts_with(status), "client {number}: {came:?} instead of {status:?}");
    }
    Ok(())
}

/// All of these are waited for at once, because the time for a head is the same for each and long.
#[test]
fn heads_that_do_not_end_are_408_after_their_time_and_who_says_nothing_has_to_go() -> Result<()> {
    under_abuse("", |supervisor| {
        let begun = Instant::now();
        let silent = clients(supervisor, "")?;
        let half = clients(supervisor, "GET /api/mock/hello/you HTTP/1.1\r\nhost: te")?;
        let after_one =
            clients(supervisor, "GET /api/mock/hello/you HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let preface = clients(supervisor, "PRI * HTTP/2.0\r\n\r\nSM\r\n")?;
        let idle = clients(supervisor, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0")?;
        let mut dripping = clients(supervisor, "GET /api/mock/hello/you HTTP/1.1\r\nx: ")?;

        drip(&mut dripping, b'y', Duration::from_millis(250), HEAD_TIME + SLACK)?;

        ensure!(begun.elapsed() + Duration::from_secs(1) > HEAD_TIME, "{:?}", begun.elapsed());
        all_get(half, "HTTP/1.1 408 ")?;
        // Its answer may be lost with what it sends afterwards.
        all_get(dripping, "")?;
        all_get(after_one, "HTTP/1.1 200 ")?;
        all_get(preface, "HTTP/1.1 408 ")?;
        // These are told to go with a frame.
        all_get(idle, "\0")?;
        for mut client in silent {
            let came = client.until_cut()?;
            ensure!(came.is_empty(), "{:?}", String::from_utf8_lossy(&came));
        }
        ensure!(begun.elapsed() < HEAD_TIME + SLACK, "{:?}", begun.elapsed());
        Ok(())
    })
}

#[test]
fn bodies_that_stall_are_408_after_the_idle_time() -> Result<()> {
    under_abuse("[gateway]\nidle_timeout = \"400ms\"\n", |supervisor| {
        for head in [
            "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nhello",
            "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            "POST /api/mock/echo/x HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nhello",
        ] {
            let begun = Instant::now();
            all_get(clients(supervisor, head)?, "HTTP/1.1 408 ")?;
            ensure!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        }
        Ok(())
    })
}

/// Each byte comes in time, the whole never.
#[test]
fn bodies_that_drip_are_408_after_the_time_of_the_request() -> Result<()> {
    let limits = "[gateway]\nidle_timeout = \"10s\"\nrequest_timeout = \"1500ms\"\n";
    under_abuse(limits, |supervisor| {
        let head = "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n";
        let mut clients = clients(supervisor, head)?;
        let mut one = clients.pop().context("no client")?;

        drip(&mut clients, b'x', Duration::from_millis(100), SLACK)?;

        // This one has sent nothing, so that nothing spoils its answer.
        let response = one.response()?;
        ensure!(response.head.status == 408, "{response:?}");
        Ok(())
    })
}

/// The plugin has a gigabyte to say and nobody listens: the plugin is let go after the idle time, the clients at the
/// latest when they have stalled for half a minute.
#[test]
fn clients_that_never_read_hold_little_and_are_cut_off() -> Result<()> {
    // As many as take part here: as long as they hold the plugin, nobody else gets to it.
    let limits = "[gateway]\nidle_timeout = \"1s\"\nmax_concurrent_requests = 40\n";
    under_abuse(limits, |supervisor| {
        let before = Before::of(supervisor, "mock")?;
        let get = "GET /api/mock/download?bytes=1073741824 HTTP/1.1\r\nhost: test\r\n\r\n";
        let mut clients = Vec::new();
        for _ in 0..40 {
            let mut client = Connection::open(supervisor.address)?;
            client.send(get)?;
            let head = client.head()?;
            ensure!(head.status == 200, "{head:?}");
            clients.push(client);
        }

        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        // They are still there when the gateway is rid of them.
        before.returns_within(STALL + SLACK, KEPT)?;

        let mut client = clients.pop().context("no client")?;
        let kept = client.until_cut()?.len() as u64;
        ensure!(kept < 64 * MIB, "{kept} bytes came to one that did not read");
        Ok(())
    })
}
