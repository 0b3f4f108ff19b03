//! P2, the unary half: calls from host to plugin, ours against go-plugin's.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use outboard_host::TlsMode;
use outboard_jail::Launcher;
use tokio::runtime::{Builder, Runtime};

use crate::{
    figures::{median, ratio, share, span, verdict},
    golang, plugin,
    wire::{Number, lab_client::LabClient},
};

/// How many calls are in flight at once.
const IN_FLIGHT: [usize; 3] = [1, 16, 64];

#[derive(Default)]
struct Rounds {
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, calls: &golang::Calls) {
        self.per_second.push(calls.per_second);
        self.p50.push(calls.p50_us);
        self.p99.push(calls.p99_us);
    }
}

pub(crate) fn measure(
    launcher: &Launcher,
    runtime: &Runtime,
    rounds: usize,
    seconds: u64,
) -> Result<String> {
    // The supervisor has a thread per core; who embeds outboard-host may do with one.
    let one_thread = Builder::new_current_thread().enable_all().build()?;
    let mut text =
        String::from("| in flight | | calls/s | p50 µs | p99 µs |\n|--:|---|--:|--:|--:|\n");
    let mut promises = String::new();
    for in_flight in IN_FLIGHT {
        let [mut ours, mut single, mut theirs] = <[Rounds; 3]>::default();
        for _ in 0..rounds {
            ours.add(&runtime.block_on(calls(launcher, in_flight, seconds))?);
            single.add(&one_thread.block_on(calls(launcher, in_flight, seconds))?);
            theirs.add(&golang::calls(in_flight, seconds)?);
        }
        for (name, rounds) in [
            ("Outboard, Rust plugin", &ours),
            ("the same, host on one thread", &single),
            ("go-plugin, Go plugin", &theirs),
        ] {
            let (rate, p50, p99) =
                (span(&rounds.per_second, 0), span(&rounds.p50, 1), span(&rounds.p99, 1));
            writeln!(text, "| {in_flight} | {name} | {rate} | {p50} | {p99} |")?;
        }
        promise(&mut promises, in_flight, &ours, &theirs)?;
    }
    Ok(format!("{text}\n{promises}"))
}

fn promise(text: &mut String, in_flight: usize, ours: &Rounds, theirs: &Rounds) -> Result<()> {
    let rate = ratio(&ours.per_second, &theirs.per_second);
    let p50 = ratio(&ours.p50, &theirs.p50);
    match in_flight {
        1 => {
            let kept = verdict(rate >= 2.0 && p50 <= 0.5);
            writeln!(
                text,
                "* 1 in flight: {rate:.2} × the calls/s (promised ≥ 2), {p50:.2} × the p50 (promised ≤ 0.5): {kept}"
            )?;
        }
        64 => {
            let kept = verdict(rate >= 1.5);
            writeln!(text, "* 64 in flight: {rate:.2} × the calls/s (promised ≥ 1.5): {kept}")?;
        }
        _ => {
            writeln!(text, "* {in_flight} in flight: {rate:.2} × the calls/s, {p50:.2} × the p50")?;
        }
    }
    Ok(())
}

/// One round: a fresh plugin, a short warm-up, then calls for so long.
async fn calls(launcher: &Launcher, in_flight: usize, seconds: u64) -> Result<golang::Calls> {
    let plugin = plugin::supervised(launcher, &plugin::ours()?, TlsMode::Auto).await?;
    let mut client = LabClient::new(plugin.process.channel());
    for _ in 0..500 {
        client.double(Number { value: 21 }).await?;
    }
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let workers: Vec<_> =
        (0..in_flight).map(|_| tokio::spawn(call_until(client.clone(), end))).collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let took = begun.elapsed().as_secs_f64();
    plugin.process.stop(Duration::from_secs(2)).await;
    ensure!(!latencies.is_empty(), "no call was answered");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = latencies.len() as f64;
    Ok(golang::Calls {
        per_second: count / took,
        p50_us: median(&latencies),
        p99_us: share(&latencies, 0.99),
    })
}

async fn call_until(
    mut client: LabClient<tonic::transport::Channel>,
    end: Instant,
) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    let mut before = Instant::now();
    while before < end {
        let answer = client.double(Number { value: 21 }).await.context("a call failed")?;
        ensure!(answer.get_ref().value == 42);
        let after = Instant::now();
        latencies.push((after - before).as_secs_f64() * 1e6);
        before = after;
    }
    Ok(latencies)
}
