//! What the host holds requests to, and what it tells about them: limits, metrics and the access log.

mod access_log;
mod concurrency;
mod metrics;
mod times;

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::supervisor::{LIMIT, Supervisor, http};

/// Has metrics served; the rest of the configuration follows.
const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// Where a supervisor tells what it has counted.
struct Page(SocketAddr);

impl Page {
    fn of(supervisor: &Supervisor<'_>) -> Result<Self> {
        let line = supervisor.log.wait(0, "metrics are served")?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        Ok(Self(line["address"].as_str().context("no address")?.parse()?))
    }

    fn text(&self) -> Result<String> {
        let reply = http::exchange(self.0, http::request("GET", "/metrics", "", ""))?;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(reply.text())
    }

    /// Waits until the sample, a name with its labels, has this value. A request is counted when its response has
    /// ended, and its client may know that a moment earlier.
    fn wait(&self, sample: &str, value: &str) -> Result<()> {
        let end = Instant::now() + LIMIT;
        let line = format!("{sample} {value}");
        loop {
            let text = self.text()?;
            if text.lines().any(|found| found == line) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{line:?} is not in\n{text}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until so many requests of the mock plugin were refused for that reason.
    fn refused(&self, reason: &str, count: u32) -> Result<()> {
        let labels = format!("{{plugin=\"mock\",instance=\"mock\",reason=\"{reason}\"}}");
        self.wait(&format!("outboard_http_refused_total{labels}"), &count.to_string())
    }

    /// Waits until so many requests wait for the mock plugin.
    fn waiting(&self, count: u32) -> Result<()> {
        self.wait("outboard_http_requests_waiting{plugin=\"mock\"}", &count.to_string())
    }
}
