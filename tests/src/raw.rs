//! A plugin without outboard-host: started by hand, so that a test can look at the TLS below.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use outboard_proto::{
    env::HostEnv,
    handshake::{Address, Expect, Handshake},
    transport::{Identity, Tls},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Killed when dropped.
pub struct RawPlugin {
    pub handshake: Handshake,
    pub tls: Tls,
    child: Child,
    _sockets: TempDir,
}

impl RawPlugin {
    /// Starts a plugin with AutoMTLS and reads its handshake line.
    pub fn start(program: &Path, cookie: (&str, &str)) -> Result<Self> {
        let identity = Identity::generate()?;
        let sockets = tempfile::Builder::new().prefix("ob").tempdir_in("/tmp")?;
        let env = HostEnv {
            cookie: (cookie.0.to_owned(), cookie.1.to_owned()),
            versions: vec![1],
            client_cert_pem: Some(identity.cert_pem()),
            unix_socket_dir: Some(sockets.path().to_path_buf()),
            unix_socket_group: None,
            multiplex: false,
            ports: (0, 0),
        };
        let mut child = Command::new(program)
            .env_clear()
            .envs(env.vars())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let expect = Expect { versions: &[1], auto_mtls: true, multiplex: false };
        let handshake = Handshake::parse(line.as_bytes(), &expect)?;
        let peer = handshake.server_cert.clone().context("no certificate in the handshake")?;
        Ok(Self { handshake, tls: Tls::new(&identity, &peer)?, child, _sockets: sockets })
    }

    /// A TLS connection to its main socket, by the given configuration.
    pub async fn connect(&self, config: Arc<ClientConfig>) -> Result<TlsStream<UnixStream>> {
        let Address::Unix(path) = &self.handshake.address else {
            bail!("not on a Unix socket: {}", self.handshake.address);
        };
        let socket = UnixStream::connect(path).await?;
        let name = ServerName::try_from("localhost")?;
        Ok(TlsConnector::from(config).connect(name, socket).await?)
    }
}

impl Drop for RawPlugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
