//! A connection to the service socket: HTTP/1.1, one request after the other, and no more work than that.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};

/// No answer takes longer, unless the supervisor is gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let connection = UnixStream::connect(socket)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(connection)))
    }

    /// Publishes a batch, and gives the status and what was answered.
    pub(crate) fn publish(&mut self, batch: &str) -> Result<(u16, String)> {
        let request = format!(
            "POST /v1/events HTTP/1.1\r\nhost: bench\r\n\
             content-type: application/cloudevents-batch+json\r\ncontent-length: {}\r\n\r\n{batch}",
            batch.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<(u16, String)> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("no header")?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line)?;
        anyhow::ensure!(count > 0, "the connection ended");
        Ok(line.trim_end().to_owned())
    }
}
