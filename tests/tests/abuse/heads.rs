//! Heads that are too long, or have no end.

use std::io::Write as _;

use anyhow::{Result, ensure};
use e2e::{h1::Connection, supervisor::http};

use super::under_abuse;

/// Sends up to so much of a head that never ends, and counts what the server has taken before it closes.
fn flood(connection: &mut Connection, begin: &str, piece: &str, most: usize) -> usize {
    let mut sent = 0;
    if connection.send(begin).is_err() {
        return sent;
    }
    let pieces = piece.repeat(16 * 1024 / piece.len());
    while sent < most && connection.stream.write_all(pieces.as_bytes()).is_ok() {
        sent += pieces.len();
    }
    sent
}

#[test]
fn heads_that_are_too_long_are_refused_by_their_kind() -> Result<()> {
    under_abuse("", |supervisor| {
        let status = |bytes: String| anyhow::Ok(http::exchange(supervisor.address, bytes)?.status);
        let get = |path: &str, headers: &str| http::request("GET", path, headers, "");

        let many = "x: y\r\n".repeat(101);
        ensure!(status(get("/api/mock/hello/you", &many))? == 431);
        let large = format!("x: {}\r\n", "y".repeat(80 * 1024));
        ensure!(status(get("/api/mock/hello/you", &large))? == 431);
        let name = format!("{}: y\r\n", "x".repeat(80 * 1024));
        ensure!(status(get("/api/mock/hello/you", &name))? == 431);
        let some = format!("x: {}\r\n", "y".repeat(4 * 1024)).repeat(20);
        ensure!(status(get("/api/mock/hello/you", &some))? == 431);
        ensure!(status(get(&format!("/api/mock/hello/{}", "y".repeat(9 * 1024)), ""))? == 414);
        let line = status(get(&format!("/{}", "y".repeat(80 * 1024)), ""))?;
        ensure!(matches!(line, 414 | 431), "{line}");
        let query = status(get(&format!("/api/mock/hello/you?{}", "y".repeat(9 * 1024)), ""))?;
        ensure!(query == 414, "{query}");
        // What is within the limits is not.
        let large = format!("x: {}\r\n", "y".repeat(50 * 1024));
        ensure!(status(get("/api/mock/hello/you", &large))? == 200);
        Ok(())
    })
}

#[test]
fn heads_without_an_end_are_cut_off_at_the_limit() -> Result<()> {
    // The server's limit, what it drops so that its answer gets through, and what the kernel takes on its behalf.
    const MOST: usize = 64 * 1024 * 1024;
    under_abuse("", |supervisor| {
        let endless = [
            ("", "G"),
            ("GET /", "a"),
            ("GET /?", "a=b&"),
            ("GET / HTTP/1.1\r\nhost: test\r\nx: ", "y"),
            ("GET / HTTP/1.1\r\nhost: test\r\n", "x: y\r\n"),
            ("GET / HTTP/1.1\r\nhost: test\r\n", "cookie: a=b\r\n"),
            ("GET / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n", "x: y\r\n"),
            ("\r\n", "\r\n"),
        ];
        for (begin, piece) in endless {
            for _ in 0..5 {
                let mut connection = Connection::open(supervisor.address)?;
                let sent = flood(&mut connection, begin, piece, MOST);
                ensure!(
                    sent < MOST,
                    "{begin:?} and {piece:?}: still takes more after {sent} bytes"
                );
                let came = String::from_utf8_lossy(&connection.until_cut()?).into_owned();
                // The answer may be lost with what the server did not read.
                let is_refused = came.is_empty()
                    || ["400", "414", "431"].iter().any(|code| came.contains(&format!(" {code} ")));
                ensure!(is_refused, "{begin:?} and {piece:?}: {came:?}");
            }
        }
        Ok(())
    })
}
