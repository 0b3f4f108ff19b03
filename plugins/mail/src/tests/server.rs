//! A mail server for tests: it keeps what it is sent, and refuses what it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// When TLS begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    None,
    StartTls,
    Tls,
}

/// A mail that was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    pub(crate) hello: String,
    pub(crate) user: Option<String>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Headers and text, without the dots of the transfer.
    pub(crate) lines: Vec<String>,
    pub(crate) is_encrypted: bool,
}

/// What it does.
#[derive(Clone)]
struct Manners {
    security: Security,
    acceptor: Option<TlsAcceptor>,
    /// Answers instead of its own, by the beginning of a command. One that is empty: it says nothing any more.
    answers: BTreeMap<&'static str, &'static str>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    /// Its certificate, in PEM.
    pub(crate) pem: String,
    manners: Manners,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(
        security: Security,
        answers: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let acceptor = (security != Security::None).then(|| acceptor(&certified));
        let manners = Manners {
            security,
            acceptor,
            answers: answers.into_iter().collect(),
            taken: Arc::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let theirs = manners.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, theirs.clone()));
            }
        });
        Self { port, pem: certified.cert.pem(), manners, accepting }
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.manners.taken.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor(certified: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(connection: TcpStream, manners: Manners) {
    let accept = |connection| manners.acceptor.as_ref().unwrap().accept(connection);
    if manners.security == Security::Tls {
        let Ok(connection) = accept(connection).await else { return };
        talk(BufReader::new(connection), &manners, true, true).await;
        return;
    }
    let Some(connection) = talk(BufReader::new(connection), &manners, true, false).await else {
        return;
    };
    let Ok(connection) = accept(connection).await else { return };
    talk(BufReader::new(connection), &manners, false, true).await;
}

/// Until the end, or until the client wants TLS: then the connection is given back.
async fn talk<C: AsyncRead + AsyncWrite + Unpin>(
    mut client: BufReader<C>,
    manners: &Manners,
    greets: bool,
    is_encrypted: bool,
) -> Option<C> {
    if greets {
        say(&mut client, "220 ready").await?;
    }
    let mut mail = Taken { is_encrypted, ..Taken::default() };
    loop {
        let line = hear(&mut client).await?;
        let asked = manners.answers.iter().find(|(command, _)| line.starts_with(**command));
        if let Some((_, answer)) = asked {
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            say(&mut client, answer).await?;
            continue;
        }
        match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                line.clone_into(&mut mail.hello);
                let offers_tls = manners.security == Security::StartTls && !is_encrypted;
                let offer = if offers_tls { "250-STARTTLS\r\n" } else { "250-AUTH PLAIN\r\n" };
                say(&mut client, &format!("250-here\r\n{offer}250 8BITMIME")).await?;
            }
            "STARTTLS" => {
                say(&mut client, "220 go on").await?;
                return Some(client.into_inner());
            }
            "AUTH" => {
                mail.user = Some(line);
                say(&mut client, "235 welcome").await?;
            }
            "MAIL" => {
                mail.from = line;
                say(&mut client, "250 ok").await?;
            }
            "RCPT" => {
                mail.to.push(line);
                say(&mut client, "250 ok").await?;
            }
            "DATA" => {
                say(&mut client, "354 go on").await?;
                mail.lines = data(&mut client).await?;
                let refusal = manners.answers.get("end of data");
                if refusal.is_none() {
                    manners.taken.lock().unwrap().push(mail.clone());
                }
                say(&mut client, refusal.unwrap_or(&"250 taken")).await?;
                mail.to.clear();
            }
            "QUIT" => {
                say(&mut client, "221 bye").await?;
                return None;
            }
            _ => say(&mut client, "250 ok").await?,
        }
    }
}

async fn data<C: AsyncRead + Unpin>(client: &mut BufReader<C>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let line = hear(client).await?;
        if line == "." {
            return Some(lines);
        }
        lines.push(line.strip_prefix('.').map_or(line.clone(), str::to_owned));
    }
}

/// A line; `None` at the end. One that does not end as it must is a fault of the client's.
async fn hear<C: AsyncRead + Unpin>(client: &mut BufReader<C>) -> Option<String> {
    let mut line = String::new();
    let read = client.read_line(&mut line).await.ok()?;
    let line = (read > 0).then_some(line)?;
    assert!(line.ends_with("\r\n"), "{line:?}");
    Some(line.trim_end_matches("\r\n").to_owned())
}

async fn say<C: AsyncRead + AsyncWrite + Unpin>(
    client: &mut BufReader<C>,
    text: &str,
) -> Option<()> {
    client.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
    client.flush().await.ok()
}
