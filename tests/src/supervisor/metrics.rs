//! What the supervisor counts, as a monitor reads it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{LIMIT, Supervisor, http};

/// How long to wait before a look at numbers that nobody announces.
const PACE: Duration = Duration::from_millis(10);

/// Has them served; the supervisor says where.
pub const CONFIGURATION: &str = "\n[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// A supervisor's `/metrics`.
pub struct Metrics(SocketAddr);

impl Metrics {
    pub fn of(supervisor: &Supervisor<'_>) -> Result<Self> {
        let line = supervisor.log.wait(0, "metrics are served")?;
        let line: Value = serde_json::from_str(&line)?;
        Ok(Self(line["address"].as_str().context("no address")?.parse()?))
    }

    /// The sum of all values of this name.
    pub fn sum(&self, name: &str) -> Result<f64> {
        let reply = http::exchange(self.0, http::request("GET", "/metrics", "", ""))?;
        ensure!(reply.status == 200, "{reply:?}");
        let text = reply.text();
        ensure!(text.contains(&format!("# TYPE {name} ")), "no {name} in\n{text}");
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines.map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<f64>()?)).sum()
    }

    /// Waits until the sum is no more than that.
    pub fn falls_to(&self, name: &str, value: f64) -> Result<()> {
        let end = Instant::now() + LIMIT;
        loop {
            let now = self.sum(name)?;
            if now <= value {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{name} is {now}, not {value}");
            }
            std::thread::sleep(PACE);
        }
    }
}
