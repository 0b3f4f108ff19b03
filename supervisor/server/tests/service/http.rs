//! A caller over HTTP on a Unix socket.

use std::path::Path;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::fixture::PATIENCE;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// All of it, as it came.
    pub(crate) raw: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("(none)", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// What an error says, which must be all of its body.
    pub(crate) fn error(&self) -> String {
        let body = self.json();
        let object = body.as_object().unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["error"]);
        object["error"].as_str().unwrap().to_owned()
    }

    fn parse(raw: Vec<u8>) -> Self {
        let raw = String::from_utf8(raw).unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {raw:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.trim().parse().unwrap());
        }
        Self { status, headers, body: body.to_owned(), raw: raw.clone() }
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let stream = UnixStream::connect(socket).await.unwrap();
    ask_on(stream, &request(method, path, headers, body)).await
}

/// The text of a request, after which the connection ends.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}"
    )
}

/// Sends `text`, and reads to the end.
pub(crate) async fn ask_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> Reply {
    // A server that refuses early may not read it all.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut raw = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut raw)).await.expect("in time");
    if raw.is_empty() {
        read.unwrap();
    }
    Reply::parse(raw)
}
