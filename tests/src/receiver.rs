//! What plugins send to: a server that answers in turn as it is told, and passes on what came.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver as Queue, Sender},
};

use anyhow::{Context as _, Result};

use crate::supervisor::LIMIT;

/// Serves until the test program ends.
pub struct Receiver {
    address: SocketAddr,
    came: Queue<Sent>,
}

/// A request, or a mail.
#[derive(Debug)]
pub struct Sent {
    pub first: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Sent {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

impl Receiver {
    /// With these status lines, each with the header fields of its own.
    pub fn http(
        answers: impl IntoIterator<Item = &'static str, IntoIter: Send + 'static>,
    ) -> Result<Self> {
        let mut answers = answers.into_iter();
        Self::start(move |stream, came| {
            let sent = request(stream)?;
            let answer = answers.next().unwrap_or("500 Internal Server Error\r\n");
            write!(&*stream, "HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n")?;
            Ok(came.send(sent)?)
        })
    }

    /// A mail server that takes everything.
    pub fn smtp() -> Result<Self> {
        Self::start(|stream, came| Ok(came.send(mail(stream)?)?))
    }

    /// One connection after the other.
    fn start(
        mut serve: impl FnMut(&TcpStream, &Sender<Sent>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, came) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = serve(&stream, &sender) {
                    eprintln!("receiver: {error:#}");
                }
            }
        });
        Ok(Self { address, came })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for what comes next.
    pub fn next(&self) -> Result<Sent> {
        self.came.recv_timeout(LIMIT).context("nothing came")
    }
}

fn request(stream: &TcpStream) -> Result<Sent> {
    let mut from = BufReader::new(stream);
    let mut first = String::new();
    from.read_line(&mut first)?;
    let headers = fields(&mut from)?;
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.context("no length")?.1.parse()?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Sent { first: first.trim_end().to_owned(), headers, body: String::from_utf8(body)? })
}

fn fields(from: &mut BufReader<&TcpStream>) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    for line in from.lines() {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(fields)
}

fn mail(mut stream: &TcpStream) -> Result<Sent> {
    let mut from = BufReader::new(stream);
    write!(stream, "220 ready\r\n")?;
    let mut first = String::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).context("no command")?;
        let answer = match line.get(..4).unwrap_or_default() {
            "MAIL" => {
                line.trim_end().clone_into(&mut first);
                "250 ok"
            }
            "DATA" => break,
            _ => "250 ok",
        };
        write!(stream, "{answer}\r\n")?;
    }
    write!(stream, "354 go on\r\n")?;
    let headers = fields(&mut from)?;
    let mut body = String::new();
    while !body.ends_with("\r\n.\r\n") {
        let read = from.read_line(&mut body)?;
        anyhow::ensure!(read > 0, "the mail has no end");
    }
    write!(stream, "250 taken\r\n")?;
    Ok(Sent { first, headers, body })
}
