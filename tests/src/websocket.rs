//! WebSocket by hand (RFC 6455): frames as a test writes them, legal or not.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use crate::h1::{self, Head};

/// The key of the example in section 1.3, and what is to come back for it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How clients hide their data from proxies that would take it for something else.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What frames are about.
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// Set in the first byte of a message's last frame.
pub const FIN: u8 = 0x80;

/// In the second byte of a frame: there is a mask; and in the place of a length, which comes in 16 or 64 bits behind it.
const MASKED: u8 = 0x80;
const SHORT: u8 = 0x7e;
const LONG: u8 = 0x7f;

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn whole(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first: FIN | opcode, payload: payload.as_ref().to_vec() }
    }

    /// The code of a close frame that has one.
    pub fn close_code(&self) -> Option<u16> {
        let bytes = self.payload.get(..2).filter(|_| self.first == FIN | opcode::CLOSE)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// How a frame says its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In as few bytes as possible.
    Shortest,
    /// In 16 bits, whatever it is.
    Short,
    /// In 64 bits, whatever it is.
    Long,
}

/// A frame of a client as it goes over the wire.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, Length::Shortest)
}

/// As [`frame`], with a choice of how the length is written.
pub fn frame_with(first: u8, payload: &[u8], form: Length) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = payload.len();
    match (form, u8::try_from(length), u16::try_from(length)) {
        (Length::Shortest, Ok(length @ ..SHORT), _) => bytes.push(MASKED | length),
        (Length::Shortest | Length::Short, _, Ok(length)) => {
            bytes.push(MASKED | SHORT);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(MASKED | LONG);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What a client asks with. `more` is whole field lines.
pub fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n{more}\r\n"
    )
}

/// The client's side of a connection.
pub struct Connection {
    pub http: h1::Connection,
    /// What the server said to the change of protocols.
    pub head: Head,
}

impl Connection {
    /// Asks for the change of protocols, and gets it.
    pub fn open(address: SocketAddr, path: &str) -> Result<Self> {
        let mut http = h1::Connection::open(address)?;
        http.send(request(path, ""))?;
        let head = http.head()?;
        ensure!(head.status == 101, "{head:?}");
        ensure!(head.header("sec-websocket-accept") == Some(ACCEPT), "{head:?}");
        Ok(Self { http, head })
    }

    pub fn send(&mut self, first: u8, payload: impl AsRef<[u8]>) -> Result<()> {
        self.http.send(frame(first, payload.as_ref()))
    }

    /// The next frame. A server does not mask it, and says its length in as few bytes as possible (section 5.2).
    pub fn frame(&mut self) -> Result<Frame> {
        let head = self.http.bytes(2).context("no frame")?;
        ensure!(head[1] & MASKED == 0, "a masked frame from the server");
        let length = match head[1] {
            SHORT => {
                let length = u16::from_be_bytes(self.http.bytes(2)?[..].try_into()?);
                ensure!(length >= 126, "{length} bytes, in 16 bits");
                usize::from(length)
            }
            LONG => {
                let length = u64::from_be_bytes(self.http.bytes(8)?[..].try_into()?);
                ensure!(length > 0xffff, "{length} bytes, in 64 bits");
                usize::try_from(length)?
            }
            length => usize::from(length),
        };
        Ok(Frame { first: head[0], payload: self.http.bytes(length)? })
    }

    /// The next message: frames put together, control frames between them left out.
    pub fn message(&mut self) -> Result<Frame> {
        let mut message: Option<Frame> = None;
        loop {
            let frame = self.frame()?;
            if frame.first & 0x08 != 0 {
                ensure!(frame.first != FIN | opcode::CLOSE, "closed: {frame:?}");
                continue;
            }
            let message = match &mut message {
                None => message.insert(frame),
                Some(message) => {
                    message.first |= frame.first;
                    message.payload.extend(frame.payload);
                    message
                }
            };
            if message.first & FIN != 0 {
                return Ok(message.clone());
            }
        }
    }

    /// Waits for a close frame with this code, then for the end of the connection. What else comes before is dropped.
    pub fn closes(&mut self, code: u16) -> Result<()> {
        let close = loop {
            let frame = self.frame()?;
            if frame.first == FIN | opcode::CLOSE {
                break frame;
            }
        };
        ensure!(close.close_code() == Some(code), "{close:?} instead of {code}");
        let rest = self.http.until_cut()?;
        ensure!(rest.is_empty(), "{rest:?} behind the close frame");
        Ok(())
    }
}
