//! What HTTP/2 alone makes possible: many streams, resets, windows that stay shut; `floods` of what costs nothing to
//! send, and what is `wrong`.

mod floods;
mod wrong;

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    h2::{self, Connection, code, flag, kind, setting},
    supervisor::Supervisor,
};

use super::under_abuse;

const SLOW: &str = "/api/mock/slow?ms=60000";
const HELLO: &str = "/api/mock/hello/you";
const END: u8 = flag::END_STREAM | flag::END_HEADERS;

/// Writes frames until the server takes no more for a moment, ends the connection, or has so many bytes of them; gives
/// how many it has. Never reads.
fn flood(connection: &mut Connection, frames: &[u8], bytes: usize) -> Result<usize> {
    let usual = connection.stream.write_timeout()?;
    connection.stream.set_write_timeout(Some(Duration::from_millis(500)))?;
    let mut sent = 0;
    while sent < bytes && connection.stream.write_all(frames).is_ok() {
        sent += frames.len();
    }
    connection.stream.set_write_timeout(usual)?;
    Ok(sent)
}

/// A stream is reset, the connection is ended, or the answer has one of these statuses.
fn refused(connection: &mut Connection, statuses: &[u16]) -> Result<()> {
    loop {
        let Some(frame) = connection.news()? else { return Ok(()) };
        match frame.kind {
            kind::RST_STREAM => return Ok(()),
            kind::GOAWAY if frame.code() != Some(0) => return Ok(()),
            kind::HEADERS => {
                let status = h2::status(&frame.payload)?;
                ensure!(statuses.contains(&status), "answered with {status}");
                return Ok(());
            }
            _ => {}
        }
    }
}

#[test]
fn ten_thousand_streams_that_are_reset_at_once() -> Result<()> {
    under_abuse("", |supervisor| {
        for path in [SLOW, HELLO, "/api/mock/download?bytes=1000000"] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            let mut streams = (1..20_001).step_by(2);
            let is_taken = |stream: u32| {
                let mut frames = h2::frame(kind::HEADERS, END, stream, &h2::block(&h2::get(path)));
                frames.extend(h2::frame(kind::RST_STREAM, 0, stream, &code::CANCEL.to_be_bytes()));
                connection.stream.write_all(&frames).is_ok()
            };
            let all = streams.all(is_taken);
            println!("{path}: all were taken: {all}");
            serves_or_has_ended(&mut connection, 20_001, &[code::ENHANCE_YOUR_CALM])?;
        }
        Ok(())
    })
}

/// The server resets, because each request is wrong; the client need not even do it.
#[test]
fn ten_thousand_streams_that_make_the_server_reset() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, &[])?;
        for stream in (1..20_001).step_by(2) {
            let mut frames = h2::frame(kind::HEADERS, END, stream, &h2::block(&h2::get(SLOW)));
            // An increment of 0 is an error of the stream.
            frames.extend(h2::frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4]));
            if connection.stream.write_all(&frames).is_err() {
                break;
            }
        }
        let expected = [code::ENHANCE_YOUR_CALM, code::PROTOCOL_ERROR];
        serves_or_has_ended(&mut connection, 20_001, &expected)
    })
}

/// The connection still serves, or was ended for what happened on it, in so many words.
fn serves_or_has_ended(connection: &mut Connection, stream: u32, calm: &[u32]) -> Result<()> {
    // What came before is about other streams.
    if connection.request(stream, &h2::get(HELLO), true).is_ok()
        && let Ok((status, _)) = connection.response(stream)
    {
        ensure!(status == 200, "{status}");
        return Ok(());
    }
    if let Some(code) = connection.end()? {
        ensure!(calm.contains(&code), "ended with code {code}");
    }
    Ok(())
}

#[test]
fn more_streams_than_allowed_are_refused_and_the_others_go_on() -> Result<()> {
    // Many more than allowed would be taken for an attack, and end the connection.
    const STREAMS: u32 = 200;
    under_abuse("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, &[])?;
        for stream in (1..2 * STREAMS).step_by(2) {
            connection.request(stream, &h2::get("/api/mock/slow?ms=2000"), true)?;
        }
        let (mut answered, mut refused) = (0, 0);
        while answered + refused < STREAMS {
            let frame = connection.news()?.context("the server ends the connection")?;
            match frame.kind {
                kind::HEADERS => {
                    // Waiting in a line for the plugin is bounded, too.
                    ensure!(matches!(h2::status(&frame.payload)?, 200 | 503), "{frame:?}");
                    answered += 1;
                }
                kind::RST_STREAM => {
                    ensure!(frame.code() == Some(code::REFUSED_STREAM), "{frame:?}");
                    refused += 1;
                }
                kind::GOAWAY => bail!("{frame:?}"),
                _ => {}
            }
        }
        ensure!(answered >= 100 && refused > 0, "{answered} answered, {refused} refused");
        Ok(())
    })
}

/// What waits for a window that is never opened costs the plugin nothing after the idle time.
#[test]
fn windows_that_stay_shut_hold_little_and_no_plugin() -> Result<()> {
    // As many as take part here: as long as they hold the plugin, nobody else gets to it.
    let limits = "[gateway]\nidle_timeout = \"1s\"\nmax_concurrent_requests = 200\n";
    under_abuse(limits, |supervisor| {
        let mut connections = Vec::new();
        for _ in 0..5 {
            let shut = [(setting::INITIAL_WINDOW_SIZE, 0)];
            let mut connection = Connection::open(supervisor.address, &shut)?;
            for stream in (1..80).step_by(2) {
                let path = "/api/mock/download?bytes=100000000";
                connection.request(stream, &h2::get(path), true)?;
            }
            connections.push(connection);
        }
        for connection in &mut connections {
            let mut heads = 0;
            while heads < 40 {
                let frame = connection.news()?.context("the server ends the connection")?;
                ensure!(frame.kind == kind::HEADERS, "{frame:?}");
                ensure!(h2::status(&frame.payload)? == 200, "{frame:?}");
                heads += 1;
            }
        }
        ensure!(supervisor.get(HELLO)?.status == 200);
        Ok(())
    })
}

#[test]
fn a_window_of_a_byte_at_a_time_gets_its_bytes() -> Result<()> {
    under_abuse("", |supervisor| {
        let one = [(setting::INITIAL_WINDOW_SIZE, 1)];
        let mut connection = Connection::open(supervisor.address, &one)?;
        connection.request(1, &h2::get("/api/mock/download?bytes=1000"), true)?;
        let (status, body) = connection.response(1)?;
        ensure!(status == 200 && body.len() == 1000, "{status}: {} bytes", body.len());
        Ok(())
    })
}

/// Streams that are left alone by a connection that goes away.
#[test]
fn connections_that_vanish_with_their_streams_leave_nothing() -> Result<()> {
    let patient =
        "[gateway]\nrequest_timeout = \"1h\"\nfirst_byte_timeout = \"1h\"\nidle_timeout = \"1h\"\n";
    under_abuse(patient, |supervisor| {
        for number in 0..20 {
            let mut connection = busy(supervisor)?;
            // Before the requests are in hand, and after the first answer has begun.
            let mut may_go = number % 2 == 0;
            while !may_go {
                let frame = connection.news()?.context("the server ends the connection")?;
                may_go = frame.kind == kind::DATA;
            }
        }
        Ok(())
    })
}

fn busy(supervisor: &Supervisor<'_>) -> Result<Connection> {
    let mut connection = Connection::open(supervisor.address, &[])?;
    let paths = [
        SLOW,
        "/api/mock/download?bytes=100000000",
        "/api/mock/sse?count=1000&ms=10",
        "/api/mock/stall?after=9",
    ];
    for (stream, path) in (1..).step_by(2).zip(paths) {
        connection.request(stream, &h2::get(path), true)?;
    }
    for (stream, path) in (101..).step_by(2).zip(["unread", "upload", "mirror", "echo/x"]) {
        let path = format!("/api/mock/{path}");
        connection.request(stream, &h2::request("POST", &path), false)?;
        connection.write(kind::DATA, 0, stream, b"hello")?;
    }
    Ok(connection)
}
