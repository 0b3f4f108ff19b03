//! Chunked bodies that are not framed as they should be, or too long.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use e2e::{h1::Connection, supervisor::Supervisor};

use super::under_abuse;

const HEAD: &str =
    "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";

/// Sends a chunked body and gives what comes until the server closes.
fn send(supervisor: &Supervisor<'_>, body: &str) -> Result<String> {
    let mut connection = Connection::open(supervisor.address)?;
    connection.send(HEAD)?;
    // It may close before it was sent everything.
    let _ = connection.send(body);
    let came = connection.until_cut().with_context(|| format!("after {}", shown(body)))?;
    Ok(String::from_utf8_lossy(&came).into_owned())
}

fn shown(body: &str) -> String {
    format!("{:?}", body.chars().take(60).collect::<String>())
}

#[test]
fn chunks_that_are_none_are_400_and_the_end_of_the_connection() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut wrong = Vec::new();
        for body in [
            "zz\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5;\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5\r\nhelloworld\r\n0\r\n\r\n",
            "5\r\nhell\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
            "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
            "5\r\nhello\r\n0\r\nx: \u{0}\r\n\r\n",
        ] {
            let came = send(supervisor, body)?;
            let is_one = came.matches("HTTP/1.1 ").count() == 1;
            if !is_one || !came.starts_with("HTTP/1.1 400 ") {
                wrong.push(format!("{body:?}: {came:?}"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn chunks_that_are_too_long_are_413_whatever_they_say_before() -> Result<()> {
    under_abuse("[gateway]\nmax_body = \"8KiB\"\n", |supervisor| {
        let endless = "2000\r\n".to_owned() + &"x".repeat(0x2000) + "\r\n1\r\nx\r\n0\r\n\r\n";
        for body in ["ffffffff\r\n".to_owned() + &"x".repeat(100_000), endless] {
            let came = send(supervisor, &body)?;
            ensure!(came.starts_with("HTTP/1.1 413 "), "{}: {came}", shown(&body));
        }
        // The whole is counted, not the chunk.
        let small = "1\r\nx\r\n".repeat(8193) + "0\r\n\r\n";
        let came = send(supervisor, &small)?;
        ensure!(came.starts_with("HTTP/1.1 413 "), "{came}");
        Ok(())
    })
}

#[test]
fn chunk_extensions_and_trailers_have_a_bound() -> Result<()> {
    const MOST: usize = 64 * 1024 * 1024;
    under_abuse("", |supervisor| {
        for (begin, piece) in [
            ("5;", "x"),
            ("5", ";a=b"),
            ("0\r\n", "x: y\r\n"),
            ("0\r\nx: ", "y"),
            ("", "1;aaaaaaaa\r\nx\r\n"),
        ] {
            let mut connection = Connection::open(supervisor.address)?;
            connection.send(HEAD)?;
            connection.send(begin)?;
            let pieces = piece.repeat(16 * 1024 / piece.len());
            let mut sent = 0;
            while sent < MOST && connection.stream.write_all(pieces.as_bytes()).is_ok() {
                sent += pieces.len();
            }
            ensure!(sent < MOST, "{begin:?} and {piece:?}: still takes more after {sent} bytes");
            let came = String::from_utf8_lossy(&connection.until_cut()?).into_owned();
            ensure!(
                came.is_empty() || came.starts_with("HTTP/1.1 4"),
                "{begin:?}, {piece:?}: {came}"
            );
        }
        // A few of them are in order.
        let mut connection = Connection::open(supervisor.address)?;
        connection.send(HEAD)?;
        connection.send("5;a=b;c=\"d\"\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n")?;
        let response = connection.response()?;
        ensure!(response.head.status == 200, "{response:?}");
        Ok(())
    })
}
