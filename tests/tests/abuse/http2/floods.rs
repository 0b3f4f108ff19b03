//! Frames without an end, and little that unpacks to much.

use anyhow::{Context as _, Result, ensure};
use e2e::h2::{self, Connection, flag, kind, setting};

use super::{HELLO, flood, refused, under_abuse};

/// A field of a table, by its number.
const INDEXED: u8 = 0x80;

#[test]
fn heads_that_go_on_for_ever_are_cut_off() -> Result<()> {
    // Limits, what the server drops so that its last words get through, and what the kernel takes on its behalf.
    const MOST: usize = 64 * 1024 * 1024;
    under_abuse("", |supervisor| {
        let field = h2::block(&[("x", &"y".repeat(8000))]);
        let block = h2::block(&h2::get(HELLO));
        for (what, first, next) in [
            ("large ones", &block[..], &field[..]),
            ("small ones", &block, &h2::block(&[("x", "y")])),
            ("empty ones", &block, b""),
            ("from the first on", b"", b""),
        ] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.write(kind::HEADERS, flag::END_STREAM, 1, first)?;
            let frames = h2::frame(kind::CONTINUATION, 0, 1, next).repeat(100);
            let sent = flood(&mut connection, &frames, MOST)?;
            ensure!(sent < MOST, "{what}: still takes more after {sent} bytes");
            connection.end().with_context(|| what.to_owned())?;
        }
        Ok(())
    })
}

/// A few bytes that say a lot: one field that is kept, and then named again and again.
#[test]
fn a_head_that_unpacks_to_megabytes_is_refused() -> Result<()> {
    under_abuse("", |supervisor| {
        for count in [100, 4000, 16_000] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            let mut block = h2::block(&h2::get(HELLO));
            // Kept (section 6.2.1), as the first of the table: 62.
            block.push(0x40);
            for text in ["x", &"y".repeat(4000)] {
                h2::length(text.len(), 0x7f, 0, &mut block);
                block.extend(text.as_bytes());
            }
            block.resize(block.len() + count, INDEXED | 0x3e);
            let pieces: Vec<_> = block.chunks(16_000).collect();
            for (number, piece) in pieces.iter().enumerate() {
                let last = if number + 1 == pieces.len() { flag::END_HEADERS } else { 0 };
                let (kind, flags) = match number {
                    0 => (kind::HEADERS, flag::END_STREAM | last),
                    _ => (kind::CONTINUATION, last),
                };
                connection.write(kind, flags, 1, piece)?;
            }
            refused(&mut connection, &[431]).with_context(|| format!("{count} times"))?;
        }
        Ok(())
    })
}

#[test]
fn large_heads_are_431_and_long_paths_414() -> Result<()> {
    under_abuse("", |supervisor| {
        let large = "y".repeat(15_000);
        let path = format!("/api/mock/hello/{}", "y".repeat(9000));
        let many: Vec<_> = (0..200).map(|number| (format!("x-{number}"), "y")).collect();
        let many = many.iter().map(|(name, value)| (name.as_str(), *value));
        for (what, fields, statuses) in [
            ("many fields", h2::get(HELLO).into_iter().chain(many).collect(), &[431][..]),
            ("a long path", h2::get(&path), &[414]),
        ] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.request(1, &fields, true)?;
            let (status, _) = connection.response(1).with_context(|| what.to_owned())?;
            ensure!(statuses.contains(&status), "{what}: {status}");
        }
        let mut connection = Connection::open(supervisor.address, &[])?;
        connection.write(kind::HEADERS, flag::END_STREAM, 1, &h2::block(&h2::get(HELLO)))?;
        let large = h2::block(&[("x", &large)]);
        for _ in 0..5 {
            connection.write(kind::CONTINUATION, 0, 1, &large)?;
        }
        connection.write(kind::CONTINUATION, flag::END_HEADERS, 1, &large)?;
        refused(&mut connection, &[431])
    })
}

/// Frames that cost their sender nothing, and whose answers nobody reads.
#[test]
fn floods_of_small_frames_are_held_up_or_cut_off() -> Result<()> {
    under_abuse("", |supervisor| {
        let setting =
            [&setting::INITIAL_WINDOW_SIZE.to_be_bytes()[..], &[0, 0, 0xff, 0xff]].concat();
        for (what, frame) in [
            ("pings", h2::frame(kind::PING, 0, 0, &[7; 8])),
            ("empty settings", h2::frame(kind::SETTINGS, 0, 0, &[])),
            ("settings", h2::frame(kind::SETTINGS, 0, 0, &setting)),
            ("windows", h2::frame(kind::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
            ("acknowledgements", h2::frame(kind::PING, flag::ACK, 0, &[7; 8])),
            ("priorities", h2::frame(2, 0, 1, &[0, 0, 0, 0, 1])),
            ("unknown ones", h2::frame(0xbb, 0, 0, &[7; 100])),
        ] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            let bytes = 300_000 * frame.len();
            let sent = flood(&mut connection, &frame.repeat(1000), bytes)?;
            println!("{what}: {sent} bytes of {bytes}");
        }
        Ok(())
    })
}

/// Data frames without data cost no window, so nothing but the receiver's own sense bounds them.
#[test]
fn floods_of_empty_data_are_held_up_or_cut_off() -> Result<()> {
    under_abuse("", |supervisor| {
        for path in ["/api/mock/unread", "/api/mock/upload", "/api/mock/mirror"] {
            let mut connection = Connection::open(supervisor.address, &[])?;
            connection.request(1, &h2::request("POST", path), false)?;
            // As much as the plugin takes without reading, so that what follows is in somebody's hands.
            let data = h2::frame(kind::DATA, 0, 1, &[b'x'; 16_000]);
            flood(&mut connection, &data, 60_000)?;
            let empty = h2::frame(kind::DATA, 0, 1, &[]).repeat(1000);
            let sent = flood(&mut connection, &empty, 500 * empty.len())?;
            println!("{path}: {sent} bytes");
        }
        Ok(())
    })
}

#[test]
fn data_beyond_the_window_is_an_error() -> Result<()> {
    under_abuse("", |supervisor| {
        let mut connection = Connection::open(supervisor.address, &[])?;
        connection.request(1, &h2::request("POST", "/api/mock/unread"), false)?;
        let data = h2::frame(kind::DATA, 0, 1, &[b'x'; 16_000]);
        flood(&mut connection, &data, 16 * 1024 * 1024)?;
        // Where the stream alone is given up, what still comes for it is dropped.
        refused(&mut connection, &[413])
    })
}
