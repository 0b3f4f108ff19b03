//! Many requests at once, by wrk.

use std::{net::SocketAddr, process::Command};

use anyhow::{Context, Result};
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::program::Cores;

/// What a run came to.
#[derive(Deserialize)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    micros: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Connections and requests that failed, and answers that are no success.
    pub(crate) errors: u64,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests / self.micros * 1e6
    }
}

/// One thread of wrk, with its script.
pub(crate) struct Wrk {
    script: NamedTempFile,
    pub(crate) cores: Cores,
}

/// Says at the end what happened, so that nothing has to be read out of wrk's own words.
const SCRIPT: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  local all = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\n{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), all))
end
"#;

impl Wrk {
    pub(crate) fn new(cores: Cores) -> Result<Self> {
        let script = NamedTempFile::with_suffix(".lua")?;
        std::fs::write(script.path(), SCRIPT)?;
        Ok(Self { script, cores })
    }

    /// Loads a server with three headers a request: Host, User-Agent and Accept.
    pub(crate) fn run(
        &self,
        address: SocketAddr,
        path: &str,
        connections: usize,
        seconds: u64,
    ) -> Result<Load> {
        let mut command = Command::new("wrk");
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
        command.args(["-H", "User-Agent: wrk", "-H", "Accept: */*", "-s"]).arg(self.script.path());
        command.arg(format!("http://{address}{path}"));
        let output = self.cores.run(|| Ok(command.output()?)).context("wrk can't be started")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let last = printed.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| {
            format!("wrk printed {printed} {}", String::from_utf8_lossy(&output.stderr))
        })
    }
}
