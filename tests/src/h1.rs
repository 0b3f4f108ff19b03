//! HTTP/1.1 by hand, one step at a time: what is sent is exactly what a test says, and what comes is read as RFC
//! 9112 frames it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::supervisor::http;

/// A connection, with what has come and was not looked at yet.
pub struct Connection {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A status line with its fields.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// What came before it: 1xx.
    pub interim: Vec<Head>,
    pub head: Head,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// How the body behind this head ends, if it answers anything but HEAD.
    pub fn framing(&self) -> Result<Framing> {
        if self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(Framing::None);
        }
        match (self.header("transfer-encoding"), self.header("content-length")) {
            (Some("chunked"), None) => Ok(Framing::Chunked),
            (None, Some(length)) => Ok(Framing::Length(length.parse()?)),
            (None, None) => Ok(Framing::UntilClose),
            both => bail!("framed in two ways, or in an unknown one: {both:?}"),
        }
    }
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }
}

fn find<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: http::connect(address)?, buffer: Vec::new() })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).context("the server takes no more")
    }

    /// The next status line with its fields, of a 1xx response, too.
    pub fn head(&mut self) -> Result<Head> {
        let line = self.line()?;
        let mut words = line.split(' ');
        let version = words.next();
        ensure!(matches!(version, Some("HTTP/1.1" | "HTTP/1.0")), "{line:?} begins no response");
        let status = words.next().context("no status")?.parse()?;
        Ok(Head { status, headers: self.fields()? })
    }

    /// A response to anything but HEAD, with what comes before it.
    pub fn response(&mut self) -> Result<Response> {
        let mut interim = Vec::new();
        loop {
            let head = self.head()?;
            if head.status >= 200 {
                return self.rest(interim, head);
            }
            interim.push(head);
        }
    }

    fn rest(&mut self, interim: Vec<Head>, head: Head) -> Result<Response> {
        let (mut body, mut trailers) = (Vec::new(), Vec::new());
        match head.framing()? {
            Framing::None => {}
            Framing::Length(length) => body = self.bytes(length)?,
            Framing::Chunked => {
                while let Some(chunk) = self.chunk()? {
                    body.extend(chunk);
                }
                trailers = self.fields()?;
            }
            Framing::UntilClose => body = self.to_end()?,
        }
        Ok(Response { interim, head, body, trailers })
    }

    /// A chunk, or nothing for the last one; behind that come the [`fields`](Self::fields) of the trailer section.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = usize::from_str_radix(&line, 16);
        let size = size.with_context(|| format!("{line:?} is no chunk size"))?;
        if size == 0 {
            return Ok(None);
        }
        let chunk = self.bytes(size)?;
        ensure!(self.line()?.is_empty(), "a chunk is longer than it says");
        Ok(Some(chunk))
    }

    /// Field lines, up to and with the empty line.
    pub fn fields(&mut self) -> Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').context("a field without a colon")?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    pub fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8(line)?);
            }
            self.more()?;
        }
    }

    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Everything until the server closes.
    pub fn to_end(&mut self) -> Result<Vec<u8>> {
        self.stream.read_to_end(&mut self.buffer)?;
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Waits until the server ends the connection, in whatever way, and gives what came before that.
    pub fn until_cut(&mut self) -> Result<Vec<u8>> {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) if is_cut(error.kind()) => break,
                Err(error) => return Err(error).context("the server does not end the connection"),
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// The server neither sends anything nor ends the connection for this long.
    pub fn is_silent(&mut self, time: Duration) -> Result<()> {
        ensure!(self.buffer.is_empty(), "{:?} came", String::from_utf8_lossy(&self.buffer));
        let usual = self.stream.read_timeout()?;
        self.stream.set_read_timeout(Some(time))?;
        let came = self.stream.read(&mut [0; 64]);
        self.stream.set_read_timeout(usual)?;
        let is_silent = came.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        ensure!(is_silent, "{came:?} instead of silence");
        Ok(())
    }

    /// Closes the sending side.
    pub fn finish_sending(&self) -> Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    fn more(&mut self) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece).context("nothing comes")?;
        let so_far = String::from_utf8_lossy(&self.buffer);
        ensure!(count > 0, "the server closes in the middle, after {so_far:?}");
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(())
    }
}

fn is_cut(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}
