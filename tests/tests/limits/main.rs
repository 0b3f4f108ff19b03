//! What the host holds requests to, and what it tells about them: limits, metrics and the access log.

mod access_log;
mod concurrency;
mod metrics;
mod times;

use anyhow::Result;
use e2e::supervisor::metrics::Metrics;

/// Waits until so many requests of the mock plugin were refused for that reason.
fn refused(metrics: &Metrics, reason: &str, count: u32) -> Result<()> {
    let labels = format!("{{plugin=\"mock\",instance=\"mock\",reason=\"{reason}\"}}");
    metrics.reaches(&format!("outboard_http_refused_total{labels}"), count)
}

/// Waits until so many requests wait for the mock plugin.
fn in_line(metrics: &Metrics, count: u32) -> Result<()> {
    metrics.reaches("outboard_http_requests_waiting{plugin=\"mock\"}", count)
}
