//! The first bytes of a connection without TLS, which say whether the client speaks HTTP/2 (RFC 9113
//! section 3.3).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What was read of a connection before it was known what it speaks.
#[derive(Debug, Default)]
pub(super) struct Opening {
    bytes: [u8; PREFACE.len()],
    given: u8,
    read: u8,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Opening {
    /// Reads until it is clear what the client speaks, and not a byte more than it takes to tell. Nothing if
    /// the client ends before.
    pub(super) async fn sniff(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Version>> {
        loop {
            let read = stream.read(&mut self.bytes[usize::from(self.read)..]).await?;
            if read == 0 {
                return Ok(None);
            }
            self.read += u8::try_from(read).expect("at most the length of the preface");
            let bytes = self.bytes();
            if !PREFACE.starts_with(bytes) {
                return Ok(Some(Version::One));
            }
            if bytes.len() == PREFACE.len() {
                return Ok(Some(Version::Two));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Hands on what was read, as far as there is room. False if there is nothing left.
    pub(super) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let bytes = self.bytes();
        let length = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..length]);
        self.given += u8::try_from(length).expect("at most the length of the preface");
        length > 0
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.given)..usize::from(self.read)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sniffs pieces that come one by one, then reads what hyper would.
    async fn check(pieces: &[&[u8]], expected: Option<Version>) {
        let mut stream = in_pieces(pieces);
        let mut opening = Opening::default();
        assert_eq!(opening.sniff(&mut stream).await.unwrap(), expected, "{pieces:?}");
        let mut bytes = [0; 5];
        let mut all = Vec::new();
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            if !opening.give(&mut buffer) {
                break;
            }
            all.extend_from_slice(buffer.filled());
        }
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, pieces.concat(), "no byte is lost or doubled");
    }

    /// A stream that gives a piece at each read.
    fn in_pieces(pieces: &[&[u8]]) -> impl AsyncRead + Unpin {
        let mut stream: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        for piece in pieces.iter().rev() {
            let piece = std::io::Cursor::new(piece.to_vec());
            stream = Box::new(piece.chain(stream));
        }
        stream
    }

    #[tokio::test]
    async fn a_preface_is_told_from_all_else_by_its_first_bytes() {
        let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        check(&[get], Some(Version::One)).await;
        check(&[b"G", b"ET / HTTP/1.1\r\n\r\n"], Some(Version::One)).await;
        check(&[b"POST / HTTP/1.1\r\n\r\n"], Some(Version::One)).await;
        check(&[b"P", b"R", b"OPFIND / HTTP/1.1\r\n\r\n"], Some(Version::One)).await;
        check(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"x"], Some(Version::One)).await;
        check(&[PREFACE], Some(Version::Two)).await;
        check(&[&PREFACE[..7], &PREFACE[7..], b"\0\0\0\x04"], Some(Version::Two)).await;
        let one_by_one: Vec<_> = PREFACE.chunks(1).collect();
        check(&one_by_one, Some(Version::Two)).await;
        check(&[], None).await;
        check(&[b"PRI * HT"], None).await;
    }
}
