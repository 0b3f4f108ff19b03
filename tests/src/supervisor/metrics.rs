//! What the supervisor counts, as a monitor reads it.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Supervisor, http};
use crate::wait::until;

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

    pub fn text(&self) -> Result<String> {
        let reply = http::exchange(self.0, http::request("GET", "/metrics", "", ""))?;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(reply.text())
    }

    /// The sum of all values of this name.
    pub fn sum(&self, name: &str) -> Result<f64> {
        let text = self.text()?;
        ensure!(text.contains(&format!("# TYPE {name} ")), "no {name} in\n{text}");
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines.map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<f64>()?)).sum()
    }

    /// Waits until the sum is no more than that.
    pub fn falls_to(&self, name: &str, value: f64) -> Result<()> {
        until(|| self.sum(name), |sum| *sum <= value).context(name.to_owned()).map(drop)
    }

    /// Waits until the sample, a name with its labels, has this value. A request is counted when its response has
    /// ended, and its client may know that a moment earlier.
    pub fn reaches(&self, sample: &str, value: u32) -> Result<()> {
        let line = format!("{sample} {value}");
        let is_there = |text: &String| text.lines().any(|found| found == line);
        until(|| self.text(), is_there).with_context(|| format!("no {line:?}")).map(drop)
    }
}
