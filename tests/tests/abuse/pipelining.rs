//! Many requests on one connection before the first answer.

use anyhow::{Result, ensure};
use e2e::h1::Connection;

use super::under_abuse;

const COUNT: usize = 100;

fn get(path: &str) -> String {
    format!("GET /api/mock/{path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /api/mock/{path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_hundred_requests_at_once_are_answered_in_their_order() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        let requests: Vec<_> = (0..COUNT)
            .map(|number| match number % 10 {
                // Streamed, with and without a length; slow; with a body that goes back.
                3 => get("download?bytes=100000"),
                5 => get("download?bytes=100000&chunked=1"),
                7 => get("slow?ms=30"),
                9 => post("mirror", &format!("body {number}")),
                _ => get(&format!("hello/{number}")),
            })
            .collect();
        connection.send(requests.concat())?;

        for number in 0..COUNT {
            let response = connection.response()?;
            ensure!(response.head.status == 200, "{number}: {:?}", response.head);
            match number % 10 {
                3 | 5 => ensure!(response.body.len() == 100_000, "{number}"),
                7 => ensure!(response.text() == "waited 30 ms\n", "{number}: {response:?}"),
                9 => ensure!(response.text() == format!("body {number}"), "{number}: {response:?}"),
                _ => ensure!(response.text() == format!("Hello, {number}!\n"), "{response:?}"),
            }
        }
        Ok(())
    })
}

/// Requests behind one that takes long are not worked on beforehand, and their number has a bound: the kernel's
/// buffers, and no more.
#[test]
fn what_is_pipelined_behind_a_slow_request_waits_outside() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut connection = Connection::open(supervisor.address)?;
            connection.send(get("slow?ms=2000"))?;
            connection.stream.set_nonblocking(true)?;
            let more = get("hello/more").repeat(1000);
            // Until nobody takes any more.
            let mut sent = 0;
            while sent < 64 << 20 && connection.send(&more).is_ok() {
                sent += more.len();
            }
            ensure!(sent < 64 << 20, "{sent} bytes of requests were taken");
            connection.stream.set_nonblocking(false)?;
            connections.push(connection);
        }
        for connection in &mut connections {
            ensure!(connection.response()?.text() == "waited 2000 ms\n");
            ensure!(connection.response()?.text() == "Hello, more!\n");
        }
        Ok(())
    })
}

/// The order holds for answers that the gateway gives itself, too, and a bad request ends the row.
#[test]
fn errors_in_a_row_come_in_their_place() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        let bad = "GET /api/mock/hello/x HTTP/1.1\r\nhost: test\r\ncontent-length: x\r\n\r\n";
        let row = [
            get("slow?ms=50"),
            get("none"),
            get("status/418"),
            post("misbehave/panic", ""),
            get("hello/a"),
            bad.to_owned(),
            get("hello/never"),
        ];
        connection.send(row.concat())?;

        for expected in [200, 404, 418, 500, 200, 400] {
            let status = connection.response()?.head.status;
            ensure!(status == expected, "{status} instead of {expected}");
        }
        let rest = connection.until_cut()?;
        ensure!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
        Ok(())
    })
}
