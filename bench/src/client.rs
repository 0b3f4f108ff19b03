//! A client that does no more than it must, for what is not about many requests.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_mins(1);
static PIECE: [u8; 128 << 10] = [b'x'; 128 << 10];

/// Sends the head of a request that closes its connection; `headers` are whole lines.
pub(crate) fn begin(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n{headers}\r\n");
    connection.write_all(head.as_bytes())?;
    Ok(connection)
}

/// The status of what a GET is answered with.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<u16> {
    Answer::read(begin(address, "GET", path, "")?)?.finish().map(|(status, _)| status)
}

/// Reads a body of exactly `length` bytes.
pub(crate) fn download(address: SocketAddr, path: &str, length: u64) -> Result<()> {
    let mut answer = Answer::read(begin(address, "GET", path, "")?)?;
    ensure!(answer.status == 200, "GET {path}: {}", answer.status);
    let mut read = answer.body.len() as u64;
    let mut piece = vec![0; PIECE.len()];
    loop {
        match answer.connection.read(&mut piece)? {
            0 => break,
            count => read += count as u64,
        }
    }
    ensure!(read == length, "GET {path}: {read} bytes of {length}");
    Ok(())
}

/// Sends a body of `length` bytes, and gives what it is answered with.
pub(crate) fn upload(address: SocketAddr, path: &str, length: u64) -> Result<String> {
    let mut connection = begin(address, "POST", path, &format!("content-length: {length}\r\n"))?;
    let mut left = length;
    while left > 0 {
        let piece = &PIECE[..PIECE.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        connection.write_all(piece).with_context(|| format!("with {left} bytes to go"))?;
        left -= piece.len() as u64;
    }
    let (status, body) = Answer::read(connection)?.finish()?;
    ensure!(status == 200, "POST {path}: {status} {body}");
    Ok(body)
}

/// The head of a response, and what came with it of the body.
struct Answer {
    connection: TcpStream,
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn read(mut connection: TcpStream) -> Result<Self> {
        let mut read = Vec::new();
        let mut piece = [0; 4 << 10];
        loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&read[..end]);
                let status = head.split(' ').nth(1).context("no status")?.parse()?;
                return Ok(Self { connection, status, body: read.split_off(end + 4) });
            }
            let count = connection.read(&mut piece)?;
            ensure!(count > 0, "the connection ended inside the head of a response");
            read.extend_from_slice(&piece[..count]);
        }
    }

    /// Everything behind the head is the body: one request to a connection.
    fn finish(mut self) -> Result<(u16, String)> {
        self.connection.read_to_end(&mut self.body)?;
        Ok((self.status, String::from_utf8_lossy(&self.body).into_owned()))
    }
}
