//! A client that sends exactly the bytes it is given.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads the first response in `bytes` and takes all that follows as its body.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an error, checked to be one: two strings and nothing else.
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let object = value.as_object().unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["error", "message"]);
        assert!(object.values().all(serde_json::Value::is_string));
        object["error"].as_str().unwrap().to_owned()
    }
}

/// A connection, or one direction of it.
pub(crate) struct Client<S = TcpStream>(pub(crate) S);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// To read and to write at the same time.
    pub(crate) fn split(self) -> (Client<OwnedReadHalf>, Client<OwnedWriteHalf>) {
        let (reader, writer) = self.0.into_split();
        (Client(reader), Client(writer))
    }
}

impl<S: AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }
}

impl<S: AsyncRead + Unpin> Client<S> {
    /// Everything until the server closes. A reset counts as an end, for what came before it to be seen.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes));
        let _ = read.await.expect("the server neither answers nor closes");
        bytes
    }

    /// The next response, which must say its length.
    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body = self.take(length).await;
        reply
    }

    /// The head of the next response.
    pub(crate) async fn head(&mut self) -> Reply {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.byte().await);
        }
        Reply::parse(&bytes).unwrap()
    }

    /// The next so many bytes.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        tokio::time::timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.unwrap().unwrap();
        bytes
    }

    /// The next chunk of a body; empty if it is the last one.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.line().await;
        let length = usize::from_str_radix(&size, 16).unwrap();
        let data = self.take(length).await;
        if length > 0 {
            assert_eq!(self.line().await, "");
        }
        data
    }

    /// All chunks of a body, and the lines of the trailer section behind them.
    pub(crate) async fn chunked(&mut self) -> (Vec<u8>, Vec<String>) {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return (body, trailers);
            }
            trailers.push(line);
        }
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte().await);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).unwrap()
    }

    async fn byte(&mut self) -> u8 {
        tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("no answer").expect("closed")
    }
}

/// Sends `bytes` on a connection of their own and takes the first response; none if there was none.
pub(crate) async fn try_raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Reply> {
    let mut client = Client::connect(address).await;
    client.send(bytes).await;
    Reply::parse(&client.rest().await)
}

pub(crate) async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Reply {
    try_raw(address, bytes).await.expect("a response")
}

/// A request that closes its connection; `headers` are whole lines.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: shop.example:8080\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

pub(crate) async fn get(address: SocketAddr, target: &str) -> Reply {
    raw(address, request("GET", target, "", "")).await
}

pub(crate) async fn post(address: SocketAddr, target: &str, body: &str) -> Reply {
    raw(address, request("POST", target, &format!("content-length: {}\r\n", body.len()), body))
        .await
}
