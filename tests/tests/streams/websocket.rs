//! WebSocket through a plugin: RFC 6455 by hand, and by the `websockets` library of Python.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients, h1,
    websocket::{Connection, FIN, Frame, Length, frame, frame_with, opcode, request},
};

use super::{mock, pattern};

const PATH: &str = "/api/mock/ws";

#[test]
fn the_handshake_is_the_one_of_the_rfc() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;

        let head = connection.head.clone();
        ensure!(head.header("upgrade") == Some("websocket"), "{head:?}");
        let tokens = head.header("connection").context("no Connection")?;
        ensure!(tokens.eq_ignore_ascii_case("upgrade"), "{head:?}");
        ensure!(head.header("content-length").is_none(), "{head:?}");
        ensure!(head.header("transfer-encoding").is_none(), "{head:?}");
        connection.send(FIN | opcode::TEXT, "Hello")?;
        ensure!(connection.message()? == Frame::whole(opcode::TEXT, "Hello"));
        Ok(())
    })
}

#[test]
fn what_is_no_handshake_is_an_ordinary_request() -> Result<()> {
    mock("", |supervisor| {
        let fields = |without: &str| {
            let whole = request(PATH, "");
            let lines = whole.split_inclusive("\r\n");
            lines.filter(|line| !line.starts_with(without)).collect::<String>()
        };
        for (text, statuses) in [
            (fields("upgrade"), &[400, 426][..]),
            (fields("connection"), &[400, 426]),
            (fields("sec-websocket-key"), &[400]),
            (fields("sec-websocket-version"), &[400, 426]),
            (request(PATH, "").replace("version: 13", "version: 12"), &[400, 426]),
            (request(PATH, "").replacen("GET", "POST", 1), &[400, 404, 405]),
            (request("/api/mock/none", ""), &[404]),
            // A plugin's endpoint that knows nothing of it.
            (request("/api/mock/hello/you", ""), &[200]),
        ] {
            let mut connection = h1::Connection::open(supervisor.address)?;
            connection.send(&text)?;
            let response = connection.response()?;
            ensure!(statuses.contains(&response.head.status), "{text}: {response:?}");
        }
        Ok(())
    })
}

#[test]
fn every_form_of_length_is_read_and_the_shortest_is_written() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let payload = pattern(size);
            connection.send(FIN | opcode::BINARY, &payload)?;
            let message = connection.message()?;
            ensure!(message == Frame::whole(opcode::BINARY, &payload), "{size} bytes");
        }
        Ok(())
    })
}

#[test]
fn messages_in_pieces_and_pieces_of_frames_are_put_together() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;

        connection.send(opcode::TEXT, "Hel")?;
        connection.send(opcode::CONTINUATION, "")?;
        connection.send(opcode::CONTINUATION, "lo, ")?;
        // In the middle of a message (section 5.4), and answered before its end.
        connection.send(FIN | opcode::PING, "still there?")?;
        let pong = connection.frame()?;
        ensure!(pong == Frame::whole(opcode::PONG, "still there?"), "{pong:?}");
        // In the middle of a character (section 5.6).
        let (first, second) = "wörld".as_bytes().split_at(2);
        connection.send(opcode::CONTINUATION, first)?;
        connection.send(FIN | opcode::CONTINUATION, second)?;
        ensure!(connection.message()? == Frame::whole(opcode::TEXT, "Hello, wörld"));

        // A byte at a time.
        connection.http.stream.set_nodelay(true)?;
        for byte in frame(FIN | opcode::TEXT, b"slowly") {
            connection.http.send([byte])?;
        }
        ensure!(connection.message()? == Frame::whole(opcode::TEXT, "slowly"));

        // And many in one.
        let many = frame(FIN | opcode::TEXT, b"quickly").repeat(1000);
        connection.http.send(&many)?;
        for _ in 0..1000 {
            ensure!(connection.message()? == Frame::whole(opcode::TEXT, "quickly"));
        }
        Ok(())
    })
}

#[test]
fn pings_are_answered_and_pongs_are_not() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;
        connection.send(FIN | opcode::PONG, "nobody asked")?;
        for payload in ["", "x", &"x".repeat(125)] {
            connection.send(FIN | opcode::PING, payload)?;
            let pong = connection.frame()?;
            ensure!(pong == Frame::whole(opcode::PONG, payload), "{pong:?}");
        }
        Ok(())
    })
}

#[test]
fn a_close_is_answered_with_its_code_and_ends_the_connection() -> Result<()> {
    mock("", |supervisor| {
        for code in [1000_u16, 1001, 3000, 4999] {
            let mut connection = Connection::open(supervisor.address, PATH)?;
            let payload = [&code.to_be_bytes()[..], b"bye"].concat();
            connection.send(FIN | opcode::CLOSE, payload)?;
            connection.closes(code).with_context(|| format!("closed with {code}"))?;
        }
        // Without a code there is none in the answer.
        let mut connection = Connection::open(supervisor.address, PATH)?;
        connection.send(FIN | opcode::CLOSE, "")?;
        let close = connection.frame()?;
        ensure!(close.first == FIN | opcode::CLOSE, "{close:?}");
        ensure!(close.payload.is_empty() || close.close_code() == Some(1000), "{close:?}");
        ensure!(connection.http.until_cut()?.is_empty());
        Ok(())
    })
}

#[test]
fn what_breaks_the_rules_is_closed_with_the_code_of_the_rfc() -> Result<()> {
    mock("", |supervisor| {
        let text = FIN | opcode::TEXT;
        let unmasked = [&[text, 5][..], b"Hello"].concat();
        for (what, bytes, code) in [
            ("a frame without a mask", unmasked, 1002),
            ("a reserved bit", frame(text | 0x40, b"Hello"), 1002),
            ("another reserved bit", frame(text | 0x20, b"Hello"), 1002),
            ("the third reserved bit", frame(text | 0x10, b"Hello"), 1002),
            ("an opcode that is none", frame(FIN | 0x3, b"Hello"), 1002),
            ("a control opcode that is none", frame(FIN | 0xb, b""), 1002),
            ("a long ping", frame(FIN | opcode::PING, &[b'x'; 126]), 1002),
            ("a ping in pieces", frame(opcode::PING, b"x"), 1002),
            ("a close in pieces", frame(opcode::CLOSE, &[3, 0xe8]), 1002),
            ("nothing to go on with", frame(FIN | opcode::CONTINUATION, b"x"), 1002),
            (
                "a message within a message",
                [frame(opcode::TEXT, b"a"), frame(text, b"b")].concat(),
                1002,
            ),
            ("half a code", frame(FIN | opcode::CLOSE, &[3]), 1002),
            ("a code that is none", frame(FIN | opcode::CLOSE, &999_u16.to_be_bytes()), 1002),
            ("a code of no frame's", frame(FIN | opcode::CLOSE, &1005_u16.to_be_bytes()), 1002),
            ("another such", frame(FIN | opcode::CLOSE, &1006_u16.to_be_bytes()), 1002),
            ("a reserved code", frame(FIN | opcode::CLOSE, &1004_u16.to_be_bytes()), 1002),
            ("a text that is none", frame(text, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80"), 1007),
            ("half a character", frame(text, b"\xc3"), 1007),
            (
                "half a character in pieces",
                [frame(opcode::TEXT, b"\xc3"), frame(FIN | opcode::CONTINUATION, b"")].concat(),
                1007,
            ),
            ("a reason that is no text", frame(FIN | opcode::CLOSE, b"\x03\xe8\xff"), 1007),
        ] {
            let mut connection = Connection::open(supervisor.address, PATH)?;
            connection.http.send(&bytes)?;
            connection.closes(code).with_context(|| what.to_owned())?;
        }
        // 2^63 bytes: wrong, as the most significant bit must be 0, and more than the plugin takes.
        let mut huge = frame_with(text, b"", Length::Long);
        huge[2] = 0x80;
        let mut connection = Connection::open(supervisor.address, PATH)?;
        connection.http.send(&huge)?;
        let close = connection.frame()?;
        ensure!(matches!(close.close_code(), Some(1002 | 1009)), "{close:?}");
        Ok(())
    })
}

/// Half of a connection may end on its own (section 7.1.1): what was sent before still comes back.
#[test]
fn the_end_of_either_side_gets_through() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;
        connection.send(FIN | opcode::TEXT, "last words")?;
        ensure!(connection.message()? == Frame::whole(opcode::TEXT, "last words"));
        connection.http.finish_sending()?;
        // Without a close handshake the connection just ends, or the server says so first.
        let rest = connection.http.until_cut()?;
        ensure!(rest.is_empty() || rest[0] == FIN | opcode::CLOSE, "{rest:?}");
        Ok(())
    })
}

/// Text, binary, pieces, pings, codes, a MiB, many at once; see the program.
#[test]
fn the_websockets_library_of_python_is_content() -> Result<()> {
    mock("", |supervisor| {
        let url = format!("ws://{}{PATH}", supervisor.address);
        let done = clients::run(
            &mut clients::python("websocket_client.py", &[&url])?,
            Duration::from_mins(1),
        )?;
        done.good().map(drop)
    })
}

/// A WebSocket is not bound by the time of a request, nor by the largest body, but by how long nothing moves.
#[test]
fn a_websocket_outlives_the_time_of_a_request_but_not_silence() -> Result<()> {
    let limits =
        "[gateway]\nrequest_timeout = \"600ms\"\nidle_timeout = \"1s\"\nmax_body = \"1KiB\"\n";
    mock(limits, |supervisor| {
        let mut connection = Connection::open(supervisor.address, PATH)?;
        let begun = std::time::Instant::now();
        let text = "x".repeat(1000);
        while begun.elapsed() < Duration::from_secs(2) {
            connection.send(FIN | opcode::TEXT, &text)?;
            ensure!(connection.message()?.payload.len() == text.len());
            std::thread::sleep(Duration::from_millis(100));
        }
        // From here on nobody says anything.
        connection.http.until_cut().map(drop)
    })
}
