//! The peer: go-plugin's own host with a Go plugin, measured by tests/go/cmd/bench-host in the same run.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::figures::{median, share};

/// One round of calls.
#[derive(Deserialize)]
pub(crate) struct Calls {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Calls {
    /// Of the latencies of all calls, in µs, that `took` so long together.
    pub(crate) fn of(latencies: &[f64], took: Duration) -> Result<Self> {
        ensure!(!latencies.is_empty(), "no call was answered");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let count = latencies.len() as f64;
        Ok(Self {
            per_second: count / took.as_secs_f64(),
            p50_us: median(latencies),
            p99_us: share(latencies, 0.99),
        })
    }
}

/// Some starts, each from spawn to the first answer.
#[derive(Deserialize)]
pub(crate) struct Starts {
    pub(crate) us: Vec<f64>,
}

/// A Go program of tests/go/cmd.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let directory =
        env::var_os("OUTBOARD_BENCH_GO_BIN").context("run this by `cargo xtask bench`")?;
    let path = Path::new(&directory).join(name);
    ensure!(path.is_file(), "{} is missing; run `cargo xtask bench`", path.display());
    Ok(path)
}

pub(crate) fn calls(in_flight: usize, seconds: u64) -> Result<Calls> {
    measure(&["calls", &in_flight.to_string(), &seconds.to_string()], false)
}

pub(crate) fn starts(count: usize, auto_mtls: bool) -> Result<Starts> {
    measure(&["starts", &count.to_string()], auto_mtls)
}

fn measure<T: for<'a> Deserialize<'a>>(arguments: &[&str], auto_mtls: bool) -> Result<T> {
    let mut command = Command::new(program("bench-host")?);
    command.arg("-plugin").arg(program("lab-plugin")?);
    if auto_mtls {
        command.arg("-auto-mtls");
    }
    let output = command.args(arguments).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "bench-host failed: {}", output.status);
    serde_json::from_slice(&output.stdout).context("bench-host printed something else")
}
