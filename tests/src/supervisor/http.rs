//! A client that sends exactly the bytes it is given.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::LIMIT;

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Everything behind the head is the body: one request to a connection.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end =
            end.with_context(|| format!("{:?} is no response", String::from_utf8_lossy(bytes)))?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.context("no status")?.parse()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Self {
            status,
            headers: headers.map(|(name, value)| (name.into(), value.into())).collect(),
            body: bytes[end + 4..].to_vec(),
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A request that closes its connection; `headers` are whole lines.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = match body.len() {
        0 => String::new(),
        length => format!("content-length: {length}\r\n"),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{length}{headers}\r\n{body}"
    )
}

/// A connection that stays open until it is dropped.
pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Sends a request and comes back once the server has begun to read its body.
pub(super) fn begin(address: SocketAddr, method: &str, path: &str) -> Result<TcpStream> {
    let mut stream = connect(address)?;
    let headers = "expect: 100-continue\r\n";
    let request = request(method, path, headers, "x");
    let (head, body) = request.split_at(request.len() - 1);
    stream.write_all(head.as_bytes())?;
    let mut interim = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim)?;
    let interim = String::from_utf8_lossy(&interim);
    ensure!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    stream.write_all(body.as_bytes())?;
    Ok(stream)
}

/// Sends the bytes on a connection of their own and gives the response.
pub fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Result<Reply> {
    let mut stream = connect(address)?;
    // A server that has seen enough may close before it was sent everything.
    let _ = stream.write_all(bytes.as_ref());
    read(&mut stream)
}

/// Reads until the server closes, and gives the response in that.
pub fn read(stream: &mut TcpStream) -> Result<Reply> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
        Ok(_) | Err(_) => Reply::parse(&bytes),
    }
}
