//! Clients that go away in the middle of something, politely or not.

use std::{
    io::Read as _,
    net::{Shutdown, TcpStream},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{h1::Connection, supervisor::Supervisor};
use nix::{
    libc,
    sys::socket::{setsockopt, sockopt::Linger},
};

use super::under_abuse;

/// How often each stage is left.
const TIMES: usize = 30;

/// A stage: what is sent, and words that have to come before the client goes.
struct Stage {
    name: &'static str,
    sent: &'static str,
    awaited: &'static str,
}

const fn stage(name: &'static str, sent: &'static str, awaited: &'static str) -> Stage {
    Stage { name, sent, awaited }
}

const STAGES: &[Stage] = &[
    stage("connected", "", ""),
    stage("half a request line", "GET /api/mo", ""),
    stage("half a head", "GET /api/mock/hello/you HTTP/1.1\r\nhost: te", ""),
    stage(
        "a head that owes a body",
        "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n",
        "",
    ),
    stage(
        "half a body",
        "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nhello",
        "",
    ),
    stage(
        "half a chunk",
        "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhello",
        "",
    ),
    stage(
        "told to go on with the body",
        "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\nexpect: 100-continue\r\n\r\n",
        "HTTP/1.1 100 ",
    ),
    stage("before the answer", "GET /api/mock/slow?ms=300000 HTTP/1.1\r\nhost: test\r\n\r\n", ""),
    stage(
        "a body that nobody reads",
        "POST /api/mock/unread HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc",
        "",
    ),
    stage(
        "an answer that has begun",
        "GET /api/mock/stall?after=10 HTTP/1.1\r\nhost: test\r\n\r\n",
        "HTTP/1.1 200 ",
    ),
    stage(
        "a download",
        "GET /api/mock/download?bytes=1073741824 HTTP/1.1\r\nhost: test\r\n\r\n",
        "HTTP/1.1 200 ",
    ),
    stage(
        "both ways at once",
        "POST /api/mock/mirror HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nhello",
        "hello",
    ),
    stage("events", "GET /api/mock/sse?count=100000&ms=10 HTTP/1.1\r\nhost: test\r\n\r\n", "data:"),
    stage(
        "a WebSocket",
        "GET /api/mock/ws HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "HTTP/1.1 101 ",
    ),
    stage(
        "half a WebSocket frame",
        "GET /api/mock/ws HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\u{1}\u{7f}ab",
        "HTTP/1.1 101 ",
    ),
    stage("TLS where there is none", "\u{16}\u{3}\u{1}\u{2}", ""),
    stage("half a preface", "PRI * HTTP/2.0\r\n\r\nSM", ""),
    stage("a preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
];

/// Goes as far as the stage and leaves the connection open.
fn reach(supervisor: &Supervisor<'_>, stage: &Stage) -> Result<TcpStream> {
    let mut connection = Connection::open(supervisor.address)?;
    connection.send(stage.sent)?;
    let mut came = Vec::new();
    let awaited = stage.awaited.as_bytes();
    while !awaited.is_empty() && !came.windows(awaited.len()).any(|window| window == awaited) {
        let mut piece = [0; 1024];
        let count = connection.stream.read(&mut piece).context("nothing comes")?;
        ensure!(count > 0, "it ends with {:?}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&piece[..count]);
    }
    Ok(connection.stream)
}

fn leave_each_stage(leave: impl Fn(TcpStream) -> Result<()>) -> Result<()> {
    // So long that what a client leaves behind would still be there at the end.
    let patient =
        "[gateway]\nrequest_timeout = \"1h\"\nfirst_byte_timeout = \"1h\"\nidle_timeout = \"1h\"\n";
    under_abuse(patient, |supervisor| {
        for stage in STAGES {
            let streams: Result<Vec<_>> = (0..TIMES).map(|_| reach(supervisor, stage)).collect();
            let streams = streams.with_context(|| stage.name)?;
            streams.into_iter().try_for_each(&leave).with_context(|| stage.name)?;
        }
        Ok(())
    })
}

#[test]
fn clients_that_close_at_any_stage_leave_nothing() -> Result<()> {
    leave_each_stage(|stream| {
        drop(stream);
        Ok(())
    })
}

#[test]
fn clients_that_reset_at_any_stage_leave_nothing() -> Result<()> {
    // Closed with something to linger for and no time to do it, a socket sends RST.
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    leave_each_stage(|stream| Ok(setsockopt(&stream, Linger, &at_once)?))
}

#[test]
fn clients_that_close_their_own_side_at_any_stage_leave_nothing() -> Result<()> {
    leave_each_stage(|stream| Ok(stream.shutdown(Shutdown::Write)?))
}
