//! HTTP/2 by hand: frames as a test writes them, legal or not. Fields are sent as plain literals, and the server is
//! told to keep no table, so that a status can be read out of any block by itself (RFC 9113, RFC 7541).

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, Result, bail, ensure};

use crate::supervisor::http;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    pub const NONE: u8 = 0;
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// Names of settings.
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// Codes of `RST_STREAM` and GOAWAY.
pub mod code {
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// A frame that came.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a `RST_STREAM` or GOAWAY.
    pub fn code(&self) -> Option<u32> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        let bytes = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A frame as it goes over the wire.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a test's frame is small").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A block of fields, each a literal that nobody keeps and that is not compressed.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(text.len(), 0x7f, 0, &mut bytes);
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// A number with a prefix of some bits (RFC 7541 section 5.1).
pub fn length(number: usize, most: usize, first: u8, into: &mut Vec<u8>) {
    let byte = |number: usize| u8::try_from(number).expect("it is below 256");
    if number < most {
        return into.push(first | byte(number));
    }
    into.push(first | byte(most));
    let mut rest = number - most;
    while rest >= 0x80 {
        into.push(byte(rest % 0x80) | 0x80);
        rest /= 0x80;
    }
    into.push(byte(rest));
}

/// The fields of a request without a body, as a browser sends them at least.
pub fn get(path: &str) -> Vec<(&str, &str)> {
    request("GET", path)
}

pub fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "http"), (":path", path), (":authority", "test")]
}

/// The status that a block of a response begins with.
pub fn status(block: &[u8]) -> Result<u16> {
    // Without a table, `size update to 0` may come first.
    let block = match block {
        [0x20, rest @ ..] => rest,
        block => block,
    };
    match block {
        [indexed @ 0x88..=0x8e, ..] => {
            Ok([200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)])
        }
        // A literal with the name of one of those fields, of any kind of literal.
        [0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e, length, text @ ..] => {
            let bytes = text.get(..usize::from(length & 0x7f)).context("a short block")?;
            if length & 0x80 == 0 {
                return Ok(std::str::from_utf8(bytes)?.parse()?);
            }
            digits(bytes)
        }
        _ => bail!("no status at the beginning of {block:02x?}"),
    }
}

/// Three digits of the Huffman code (RFC 7541 appendix B): 0, 1 and 2 take 5 bits, the others 6.
fn digits(bytes: &[u8]) -> Result<u16> {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut number = 0;
    for _ in 0..3 {
        let mut next = || bits.next().map(u16::from).context("a short code");
        let mut code = 0;
        for _ in 0..5 {
            code = code << 1 | next()?;
        }
        number = number * 10
            + match code {
                0..=2 => code,
                _ => (code << 1 | next()?).checked_sub(0x19 - 3).context("no digit")?,
            };
    }
    Ok(number)
}

/// A connection that has said what HTTP/2 begins with, or not even that.
pub struct Connection {
    pub stream: TcpStream,
}

impl Connection {
    /// Connects and says nothing.
    pub fn silent(address: SocketAddr) -> Result<Self> {
        let stream = http::connect(address)?;
        // Small frames go when they are written, not when the server has acknowledged the one before.
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Connects with the preface and settings: no table, and what else is given.
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Result<Self> {
        let mut connection = Self::silent(address)?;
        connection.send(PREFACE)?;
        let mut all = vec![(setting::HEADER_TABLE_SIZE, 0)];
        all.extend(settings);
        connection.write(kind::SETTINGS, flag::NONE, 0, &encode(&all))?;
        Ok(connection)
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the server takes no more")
    }

    pub fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
        self.send(&frame(kind, flags, stream, payload))
    }

    /// Opens a stream.
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) -> Result<()> {
        let flags = if ends { flag::END_STREAM | flag::END_HEADERS } else { flag::END_HEADERS };
        self.write(kind::HEADERS, flags, stream, &block(fields))
    }

    /// Lets the server send more on a stream, or with 0 on the connection.
    pub fn window(&mut self, stream: u32, bytes: u32) -> Result<()> {
        self.write(kind::WINDOW_UPDATE, flag::NONE, stream, &bytes.to_be_bytes())
    }

    /// The next frame, or nothing once the server has ended the connection.
    pub fn read(&mut self) -> Result<Option<Frame>> {
        let mut head = [0; 9];
        if !self.fill(&mut head)? {
            return Ok(None);
        }
        let [a, b, c, kind, flags, rest @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if !self.fill(&mut payload)? {
            return Ok(None);
        }
        Ok(Some(Frame { kind, flags, stream: u32::from_be_bytes(rest), payload }))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error).context("no frame comes"),
        }
    }

    /// The next frame that is about requests, or the end; what has to be acknowledged is.
    pub fn news(&mut self) -> Result<Option<Frame>> {
        loop {
            let Some(frame) = self.read()? else { return Ok(None) };
            match frame.kind {
                kind::SETTINGS | kind::PING if !frame.has(flag::ACK) => {
                    let answer = if frame.kind == kind::PING { &frame.payload[..] } else { &[] };
                    // It may have gone by now, which the next frame shows.
                    let _ = self.write(frame.kind, flag::ACK, 0, answer);
                }
                kind::SETTINGS | kind::PING | kind::WINDOW_UPDATE => {}
                _ => return Ok(Some(frame)),
            }
        }
    }

    /// A whole response to a stream; windows are opened as far as the body needs them.
    pub fn response(&mut self, stream: u32) -> Result<(u16, Vec<u8>)> {
        let (mut found, mut body) = (None, Vec::new());
        loop {
            let frame = self.news()?.context("the server ends the connection")?;
            ensure!(frame.kind != kind::GOAWAY || frame.code() == Some(0), "{frame:?}");
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                kind::HEADERS if found.is_none_or(|status| status < 200) => {
                    found = Some(status(&frame.payload)?);
                }
                kind::DATA if !frame.payload.is_empty() => {
                    let length = u32::try_from(frame.payload.len())?;
                    body.extend(&frame.payload);
                    self.window(0, length)?;
                    if !frame.has(flag::END_STREAM) {
                        self.window(stream, length)?;
                    }
                }
                kind::RST_STREAM => bail!("reset: {:?}", frame.code()),
                _ => {}
            }
            if frame.has(flag::END_STREAM) && matches!(frame.kind, kind::HEADERS | kind::DATA) {
                return Ok((found.context("no head")?, body));
            }
        }
    }

    /// Waits for the end of the connection, and gives the code that the server gave, if it gave one.
    pub fn end(&mut self) -> Result<Option<u32>> {
        let mut code = None;
        while let Some(frame) = self.news()? {
            if frame.kind == kind::GOAWAY {
                code = frame.code();
            }
        }
        Ok(code)
    }
}

fn encode(settings: &[(u16, u32)]) -> Vec<u8> {
    let encode =
        |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat();
    settings.iter().flat_map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_however_it_is_written() {
        for (block, expected) in [
            (&[0x88][..], 200),
            (&[0x20, 0x8d, 0x00][..], 404),
            (b"\x48\x03413", 413),
            // From RFC 7541, C.6.1: 302.
            (&[0x48, 0x82, 0x64, 0x02], 302),
            // C.6.2: 307.
            (&[0x48, 0x83, 0x64, 0x0e, 0xff], 307),
        ] {
            assert_eq!(status(block).expect("it has one"), expected, "{block:02x?}");
        }
    }

    #[test]
    fn a_number_is_written_as_in_the_rfc() {
        // C.1.2: 1337 with a prefix of 5 bits.
        let mut bytes = Vec::new();
        length(1337, 31, 0, &mut bytes);
        assert_eq!(bytes, [31, 0x9a, 10]);
    }
}
