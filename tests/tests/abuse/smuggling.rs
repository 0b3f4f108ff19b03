//! Requests that two readers could take for different ones. Whatever the gateway makes of them, the request that is
//! hidden in the body is never executed: it would add an endpoint, and that would be there to see.

use anyhow::{Context as _, Result, ensure};
use e2e::{h1::Connection, supervisor::Supervisor};

use super::under_abuse;

/// What must not be executed.
const HIDDEN: &str =
    "POST /api/mock/live/smuggled HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n";

/// What ends a connection that is still good behind that.
const LAST: &str = "GET /api/mock/hello/last HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

/// Sends a head, a body, the hidden request and a last one, and gives the responses.
fn send(supervisor: &Supervisor<'_>, head: &str, body: &str) -> Result<String> {
    let mut connection = Connection::open(supervisor.address)?;
    // It may close before it was sent everything.
    let _ = connection.send(format!("{head}{body}{HIDDEN}{LAST}"));
    let came = connection.until_cut().with_context(|| format!("after {head:?}"))?;
    Ok(String::from_utf8_lossy(&came).into_owned())
}

/// Whether the hidden request was executed. If so, its traces are removed.
fn executed(supervisor: &Supervisor<'_>) -> Result<bool> {
    let reply = supervisor.request("DELETE", "/api/mock/live/smuggled", "", "")?;
    ensure!(matches!(reply.status, 204 | 404), "{reply:?}");
    Ok(reply.status == 204)
}

fn is_not_executed(supervisor: &Supervisor<'_>, head: &str, came: &str) -> Result<()> {
    ensure!(!executed(supervisor)?, "{head:?} has executed what it hides; answered with {came}");
    Ok(())
}

#[test]
fn the_hidden_request_is_one_that_works() -> Result<()> {
    under_abuse("", |supervisor| {
        let came = send(supervisor, "GET /api/mock/hello/a HTTP/1.1\r\nhost: test\r\n\r\n", "")?;
        ensure!(came.contains("HTTP/1.1 200 ") && came.contains("HTTP/1.1 201 "), "{came}");
        ensure!(supervisor.get("/api/mock/live/smuggled")?.status == 200);
        ensure!(executed(supervisor)?);
        Ok(())
    })
}

/// The end of these is not what everybody would say, so they are refused, and nothing behind them is looked at.
#[test]
fn requests_of_unclear_length_are_refused_and_the_end_of_the_connection() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut wrong = Vec::new();
        for fields in [
            "content-length: 0\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 0\r\n",
            "content-length: 0, 5\r\n",
            "content-length: +0\r\n",
            "content-length: -0\r\n",
            "content-length: 0x0\r\n",
            "content-length: 0 0\r\n",
            "content-length: 00000000000000000000000000000000000005f\r\n",
            "content-length: 18446744073709551616\r\n",
            "content-length: \r\n",
            "content-length: zero\r\n",
            "content-length : 0\r\n",
            "content-length\u{b}: 0\r\n",
            "content-length: 0\u{c}\r\n",
            " content-length: 0\r\n",
            "x: y\r\n content-length: 5\r\n",
            "x: y\r\n\tz\r\n",
            "transfer-encoding : chunked\r\n",
            "transfer-encoding: chunked, identity\r\n",
            "transfer-encoding: identity\r\n",
            "transfer-encoding: identity, chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding: chunkedx\r\n",
            "transfer-encoding: \"chunked\"\r\n",
            "transfer-encoding: \u{b}chunked\r\n",
            "transfer-encoding: chunked;q=1\r\n",
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding:\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "content-length: 5\r\ntransfer-encoding: identity\r\n",
            "x: y\rcontent-length: 5\r\n",
            "x: \u{0}\r\n",
            "x\u{0}: y\r\n",
            "x: y\u{0}z\r\n",
            "x y: z\r\n",
            ": y\r\n",
            "x\r\n",
        ] {
            let head = format!("POST /api/mock/upload HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
            for body in ["", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"] {
                let came = send(supervisor, &head, body)?;
                let is_one = came.matches("HTTP/1.1 ").count() == 1;
                let is_refused =
                    ["HTTP/1.1 400 ", "HTTP/1.1 501 "].iter().any(|it| came.starts_with(it));
                if executed(supervisor)? || !is_one || !is_refused {
                    wrong.push(format!("{fields:?} and {body:?}: {came:?}"));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

/// Chunks count where both are there, but whoever sent both may be about to attack, so the connection ends (RFC 9112
/// section 6.3).
#[test]
fn a_request_with_both_kinds_of_length_is_the_last_of_its_connection() -> Result<()> {
    under_abuse("", |supervisor| {
        for fields in [
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        ] {
            let head = format!("POST /api/mock/upload HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
            for body in ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"] {
                let came = send(supervisor, &head, body)?;
                is_not_executed(supervisor, &head, &came)?;
                ensure!(came.matches("HTTP/1.1 ").count() == 1, "{fields:?} and {body:?}: {came}");
            }
        }
        Ok(())
    })
}

#[test]
fn request_lines_of_unclear_meaning_are_400() -> Result<()> {
    under_abuse("", |supervisor| {
        for line in [
            "GET  /api/mock/hello/a HTTP/1.1",
            "GET /api/mock/hello/a  HTTP/1.1",
            "GET /api/mock/hello/a HTTP/1.1 ",
            " GET /api/mock/hello/a HTTP/1.1",
            "GET\t/api/mock/hello/a HTTP/1.1",
            "GET /api/mock/hello/a\tHTTP/1.1",
            "GET /api/mock/hello/a b HTTP/1.1",
            "GET /api/mock/hello/\u{0} HTTP/1.1",
            "GET /api/mock/hello/a HTTP/1.1\u{0}",
            "GET /api/mock/hello/a http/1.1",
            "GET /api/mock/hello/a HTTP/1.2",
            "GET /api/mock/hello/a HTTP/11",
            "GET /api/mock/hello/a HTTP/2.0",
            "GET /api/mock/hello/a HTTP/3",
            "GET api/mock/hello/a HTTP/1.1",
            "G(T /api/mock/hello/a HTTP/1.1",
            "GET",
        ] {
            let head = format!("{line}\r\nhost: test\r\n\r\n");
            let came = send(supervisor, &head, "")?;
            is_not_executed(supervisor, &head, &came)?;
            ensure!(came.starts_with("HTTP/1.1 400 "), "{line:?}: {came}");
        }
        for head in [
            "GET /api/mock/hello/a HTTP/1.1\r\n\r\n",
            "GET /api/mock/hello/a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
            "GET /api/mock/hello/a HTTP/1.1\r\nhost: a b\r\n\r\n",
            "GET /api/mock/hello/a HTTP/1.1\r\nhost: a/b\r\n\r\n",
            "GET /api/mock/hello/a HTTP/1.1\r\nhost: a@b\r\n\r\n",
        ] {
            let came = send(supervisor, head, "")?;
            ensure!(came.starts_with("HTTP/1.1 400 "), "{head:?}: {came}");
        }
        Ok(())
    })
}

/// HTTP/1.0 knows no chunks (RFC 9112 section 6.1): a proxy before us may have passed the field on without a thought.
#[test]
fn chunks_in_http_1_0_are_refused() -> Result<()> {
    under_abuse("", |supervisor| {
        for more in ["", "connection: keep-alive\r\n"] {
            let head = format!(
                "POST /api/mock/upload HTTP/1.0\r\nhost: test\r\n{more}transfer-encoding: chunked\r\n\r\n"
            );
            let came = send(supervisor, &head, "0\r\n\r\n")?;
            is_not_executed(supervisor, &head, &came)?;
            ensure!(came.starts_with("HTTP/1.") && came.contains(" 400 "), "{head:?}: {came}");
        }
        Ok(())
    })
}

/// RFC 9112 section 2.2 lets a server take a bare LF for the end of a line; then it is one everywhere.
#[test]
fn bare_line_feeds_hide_nothing() -> Result<()> {
    under_abuse("", |supervisor| {
        let length = HIDDEN.len();
        for head in [
            format!("POST /api/mock/upload HTTP/1.1\r\nhost: test\ncontent-length: {length}\r\n\r\n"),
            format!("POST /api/mock/upload HTTP/1.1\nhost: test\ncontent-length: {length}\n\n"),
            format!("POST /api/mock/upload HTTP/1.1\r\nhost: test\r\nx: y\ncontent-length: {length}\r\n\r\n"),
            "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\nx: y\ntransfer-encoding: chunked\r\n\r\n"
                .to_owned(),
        ] {
            let came = send(supervisor, &head, "")?;
            is_not_executed(supervisor, &head, &came)?;
        }
        Ok(())
    })
}

#[test]
fn a_body_that_looks_like_a_request_is_a_body() -> Result<()> {
    under_abuse("", |supervisor| {
        let length = HIDDEN.len();
        for (fields, body) in [
            (format!("content-length: {length}\r\n"), String::new()),
            // Repeated, but saying the same (RFC 9112 section 6.3 lets us take it, or refuse it).
            (format!("content-length: {length}\r\ncontent-length: {length}\r\n"), String::new()),
            ("transfer-encoding: chunked\r\n".to_owned(), format!("{length:x}\r\n")),
            ("Transfer-Encoding: CHUNKED\r\n".to_owned(), format!("{length:X}\r\n")),
        ] {
            let head = format!("POST /api/mock/upload HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
            let came = send(supervisor, &head, &body)?;
            is_not_executed(supervisor, &head, &came)?;
            let is_whole = came.starts_with("HTTP/1.1 200 ") && came.ends_with("Hello, last!\n");
            ensure!(is_whole || came.starts_with("HTTP/1.1 400 "), "{fields:?}: {came}");
        }
        Ok(())
    })
}

/// An answer that came before the body was read leaves the rest of it on the connection.
#[test]
fn what_is_left_of_a_body_that_nobody_reads_is_no_request() -> Result<()> {
    under_abuse("", |supervisor| {
        for (path, status) in [("early", 403), ("tiny", 413), ("nothing", 404)] {
            let length = HIDDEN.len() + 5;
            let head = format!(
                "POST /api/mock/{path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n"
            );
            let came = send(supervisor, &head, "12345")?;
            is_not_executed(supervisor, &head, &came)?;
            ensure!(came.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {came}");
            // Either the connection ends, or the whole body was skipped.
            let last = came.matches("HTTP/1.1 ").count();
            ensure!(last == 1 || last == 2 && came.ends_with("Hello, last!\n"), "{path}: {came}");
        }
        Ok(())
    })
}
