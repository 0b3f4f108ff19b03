//! What is no HTTP/2, or would be something else for another reader.

use std::io::{ErrorKind, Read as _};

use anyhow::{Context as _, Result, ensure};
use e2e::h2::{self, Connection, PREFACE, flag, kind, setting};

use super::{END, SLOW, refused, under_abuse};

#[test]
fn what_begins_no_connection_is_cut_off() -> Result<()> {
    under_abuse("", |supervisor| {
        for bytes in [
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
            b"PRI * HTTP/2.0\r\nhost: test\r\n\r\n".to_vec(),
            b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            b"GET / HTTP/2.0\r\nhost: test\r\n\r\n".to_vec(),
            [PREFACE, PREFACE].concat(),
            [PREFACE, &[0xff; 1000]].concat(),
            [PREFACE, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"].concat(),
        ] {
            let mut connection = Connection::silent(supervisor.address)?;
            connection.send(&bytes)?;
            let mut came = Vec::new();
            let ended = connection.stream.read_to_end(&mut came);
            let is_ended =
                ended.as_ref().map_or_else(|e| e.kind() == ErrorKind::ConnectionReset, |_| true);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            ensure!(is_ended, "{shown:?}: {ended:?}");
            ensure!(!String::from_utf8_lossy(&came).contains("Hello"), "{shown:?} was answered");
        }
        Ok(())
    })
}

#[test]
fn windows_that_overflow_or_do_not_open_are_errors() -> Result<()> {
    under_abuse("", |supervisor| {
        let most = 0x7fff_ffff_u32;
        for (stream, bytes) in [(0, 0), (1, 0), (0, most), (1, most)] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.request(1, &h2::get(SLOW), true)?;
            connection.window(stream, bytes)?;
            refused(&mut connection, &[]).with_context(|| format!("{bytes} for {stream}"))?;
        }
        // The same, by settings.
        let mut connection = Connection::open(supervisor.address, &[])?;
        connection.request(1, &h2::get(SLOW), true)?;
        connection.window(1, most - 70_000)?;
        let window =
            [&setting::INITIAL_WINDOW_SIZE.to_be_bytes()[..], &most.to_be_bytes()].concat();
        connection.write(kind::SETTINGS, 0, 0, &window)?;
        refused(&mut connection, &[])?;
        Ok(())
    })
}

/// Each is an error of the connection, or at least of the stream (RFC 9113 sections 4 to 6).
#[test]
fn frames_that_are_none_end_what_they_are_about() -> Result<()> {
    under_abuse("", |supervisor| {
        let block = h2::block(&h2::get(SLOW));
        let open = h2::frame(kind::HEADERS, flag::END_HEADERS, 1, &block);
        for (what, bytes) in [
            ("data of no stream", h2::frame(kind::DATA, 0, 0, b"x")),
            ("data of an idle stream", h2::frame(kind::DATA, 0, 1, b"x")),
            ("a head of no stream", h2::frame(kind::HEADERS, END, 0, &block)),
            ("a head of a server's stream", h2::frame(kind::HEADERS, END, 2, &block)),
            ("a continuation of nothing", h2::frame(kind::CONTINUATION, 4, 1, &block)),
            ("a reset of an idle stream", h2::frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8])),
            ("a window of an idle stream", h2::frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 8])),
            ("a promise of a client", h2::frame(5, 4, 1, &[&[0, 0, 0, 2], &block[..]].concat())),
            ("settings of a stream", h2::frame(kind::SETTINGS, 0, 1, &[])),
            ("settings of five bytes", h2::frame(kind::SETTINGS, 0, 0, &[0; 5])),
            ("an acknowledgement with settings", h2::frame(kind::SETTINGS, 1, 0, &[0; 6])),
            (
                "a window beyond all",
                h2::frame(kind::SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
            ),
            ("a tiny frame size", h2::frame(kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])),
            ("a ping of seven bytes", h2::frame(kind::PING, 0, 0, &[0; 7])),
            ("a ping of a stream", h2::frame(kind::PING, 0, 1, &[0; 8])),
            ("a window of three bytes", h2::frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3])),
            ("a goaway of a stream", h2::frame(kind::GOAWAY, 0, 1, &[0; 8])),
            ("a frame of 17 KiB", h2::frame(kind::HEADERS, END, 1, &vec![0; 17 * 1024])),
            (
                "padding beyond the frame",
                h2::frame(kind::HEADERS, END | 8, 1, &[&[255], &block[..]].concat()),
            ),
            (
                "something between head and continuation",
                [
                    h2::frame(kind::HEADERS, flag::END_STREAM, 1, &block),
                    h2::frame(kind::PING, 0, 0, &[0; 8]),
                ]
                .concat(),
            ),
            (
                "a lower stream",
                [
                    h2::frame(kind::HEADERS, END, 3, &block),
                    h2::frame(kind::HEADERS, END, 1, &block),
                ]
                .concat(),
            ),
            (
                "a second head",
                [open.clone(), h2::frame(kind::HEADERS, flag::END_HEADERS, 1, &block)].concat(),
            ),
            ("an index beyond the table", h2::frame(kind::HEADERS, END, 1, &[0xff, 0xff, 0x7f])),
            ("a number without an end", h2::frame(kind::HEADERS, END, 1, &[0xff; 20])),
            (
                "a block that breaks off",
                h2::frame(kind::HEADERS, END, 1, &block[..block.len() - 3]),
            ),
            (
                "a table beyond the limit",
                h2::frame(kind::HEADERS, END, 1, &[&[0x3f, 0xff, 0xff, 0x7f], &block[..]].concat()),
            ),
        ] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.send(&bytes)?;
            refused(&mut connection, &[400, 431]).with_context(|| what.to_owned())?;
        }
        Ok(())
    })
}

/// Fields that mean nothing in HTTP/2, or two things when a plugin's HTTP/1.1 library reads them (RFC 9113 sections 8.2
/// and 8.3, and what is known as h2.CL and h2.TE).
#[test]
fn fields_of_unclear_meaning_are_refused() -> Result<()> {
    under_abuse("", |supervisor| {
        let pseudo = h2::request("POST", "/api/mock/upload");
        let with = |more: &[(&'static str, &'static str)]| [&pseudo[..], more].concat();
        let without = |name: &str| {
            let rest = pseudo.iter().filter(|(have, _)| *have != name);
            rest.copied().collect::<Vec<_>>()
        };
        for fields in [
            with(&[("connection", "close")]),
            with(&[("connection", "x-drop"), ("x-drop", "1")]),
            with(&[("transfer-encoding", "chunked")]),
            with(&[("keep-alive", "timeout=5")]),
            with(&[("proxy-connection", "close")]),
            with(&[("upgrade", "websocket")]),
            with(&[("te", "gzip")]),
            with(&[("X-Upper", "1")]),
            with(&[("x y", "1")]),
            with(&[("x:y", "1")]),
            with(&[("", "1")]),
            with(&[("x\r\nhost", "1")]),
            with(&[("x", "1\r\nhost: other")]),
            with(&[("x", "1\n2")]),
            with(&[("x", "1\0")]),
            with(&[(":unknown", "1")]),
            with(&[(":status", "200")]),
            with(&[(":path", "/again")]),
            with(&[("x", "1"), (":method", "GET")]),
            with(&[("content-length", "5")]),
            with(&[("content-length", "0"), ("content-length", "5")]),
            with(&[("content-length", "+0")]),
            with(&[("content-length", "x")]),
            with(&[("host", "a"), ("host", "b")]),
            with(&[(":protocol", "websocket")]),
            without(":method"),
            without(":path"),
            without(":scheme"),
            [vec![(":path", "")], without(":path")].concat(),
            [vec![(":path", "api/mock/upload")], without(":path")].concat(),
            [vec![(":path", "/api/mock/upload b")], without(":path")].concat(),
            [vec![(":path", "/api/mock/upload\0")], without(":path")].concat(),
            [vec![(":path", "/api/mock/hello/a HTTP/1.1\r\nhost: b")], without(":path")].concat(),
            [vec![(":method", "G T")], without(":method")].concat(),
            [vec![(":method", "")], without(":method")].concat(),
            [vec![(":authority", "a b")], without(":authority")].concat(),
            [vec![(":authority", "user@test")], without(":authority")].concat(),
            [vec![(":authority", "a/b")], without(":authority")].concat(),
        ] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.request(1, &fields, true)?;
            refused(&mut connection, &[400, 404, 501]).with_context(|| format!("{fields:?}"))?;
        }
        Ok(())
    })
}
