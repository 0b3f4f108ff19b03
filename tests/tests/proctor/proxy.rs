//! nginx or Caddy, with the configuration of deploy/examples/forward-auth.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use e2e::supervisor::{
    LIMIT,
    http::{self, Reply},
    stage::Stage,
};

use crate::service::Service;

/// How long to wait before a look whether it listens.
const PACE: Duration = Duration::from_millis(10);

/// Killed when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Proxy {
    /// Starts one on its example, with the addresses of this test in it. `command` is told where the configuration
    /// is.
    pub(crate) fn start(
        stage: &Stage,
        example: &str,
        backend: SocketAddr,
        command: impl FnOnce(&Path) -> Result<Command>,
    ) -> Result<Self> {
        // Somebody else may take it meanwhile; then the proxy says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = fs::read_to_string(forward_auth().join(example))?
            .replace("/run/outboard/service.sock", &Service::of(stage).0.display().to_string())
            .replace(":8080", &format!(":{}", address.port()))
            .replace("127.0.0.1:9000", &backend.to_string());
        let config = stage.write(&format!("proxy/{example}"), text, 0o644)?;
        let log = stage.root().join("proxy/log");
        let child = command(&config)?
            .current_dir(stage.root().join("proxy"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("the proxy of {example} can't be started"))?;
        let mut proxy = Self { address, child, log };
        proxy.listens()?;
        Ok(proxy)
    }

    pub(crate) fn get(&self, headers: &str) -> Result<Reply> {
        http::exchange(self.address, http::request("GET", "/jobs?x=1", headers, ""))
    }

    /// With a body, which is not for whoever is asked.
    pub(crate) fn post(&self, headers: &str, body: &str) -> Result<Reply> {
        http::exchange(self.address, http::request("POST", "/jobs", headers, body))
    }

    fn listens(&mut self) -> Result<()> {
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > end {
                bail!("the proxy does not listen: {}", fs::read_to_string(&self.log)?);
            }
            std::thread::sleep(PACE);
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Only shown if the test fails.
        println!("--- the proxy\n{}", fs::read_to_string(&self.log).unwrap_or_default());
    }
}

fn forward_auth() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/forward-auth")
}
