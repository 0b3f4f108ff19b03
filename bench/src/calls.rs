//! P2: calls from host to plugin, ours against go-plugin's.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use outboard_host::TlsMode;
use outboard_jail::Launcher;
use tokio::runtime::{Builder, Runtime};

use crate::{
    figures::{ratio, span, verdict},
    golang, plugin, stream,
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
    // As the gateway's workers run, and as who embeds outboard-host may: one thread.
    let one_thread = Builder::new_current_thread().enable_all().build()?;
    let mut text = format!("{INTRODUCTION}{TABLE}");
    let mut promises = String::new();
    for in_flight in IN_FLIGHT {
        let [mut ours, mut several, mut streamed, mut theirs] = <[Rounds; 4]>::default();
        for _ in 0..rounds {
            ours.add(&one_thread.block_on(calls(launcher, in_flight, seconds))?);
            several.add(&runtime.block_on(calls(launcher, in_flight, seconds))?);
            streamed.add(&one_thread.block_on(stream::calls(launcher, in_flight, seconds))?);
            theirs.add(&golang::calls(in_flight, seconds)?);
        }
        for (name, rounds) in [
            ("Outboard, unary", &ours),
            ("the same, host on several threads", &several),
            ("Outboard, one stream", &streamed),
            ("go-plugin, unary", &theirs),
        ] {
            let (rate, p50, p99) =
                (span(&rounds.per_second, 0), span(&rounds.p50, 1), span(&rounds.p99, 1));
            writeln!(text, "| {in_flight} | {name} | {rate} | {p50} | {p99} |")?;
        }
        promise(&mut promises, in_flight, &ours, &streamed, &theirs)?;
    }
    Ok(format!("{text}\n{promises}"))
}

const INTRODUCTION: &str = "\
    *Unary*: `Double` of a number. *One stream*: `GET` of 17 bytes by frames over one call of `Http.Serve`, to a handler \
    that waits once. Host and plugin have a thread each, as a worker of the gateway and a plugin on the SDK have; the Go \
    programs have as many as Go gives them.\n\n";
const TABLE: &str = "| in flight | | calls/s | p50 µs | p99 µs |\n|--:|---|--:|--:|--:|\n";

fn promise(
    text: &mut String,
    in_flight: usize,
    ours: &Rounds,
    streamed: &Rounds,
    theirs: &Rounds,
) -> Result<()> {
    let rate = ratio(&ours.per_second, &theirs.per_second);
    let p50 = ratio(&ours.p50, &theirs.p50);
    let stream = ratio(&streamed.per_second, &theirs.per_second);
    match in_flight {
        1 => {
            let kept = verdict(rate >= 2.0 && p50 <= 0.5);
            writeln!(
                text,
                "* 1 in flight, unary: {rate:.2} × the calls/s (promised ≥ 2), {p50:.2} × the p50 (promised ≤ 0.5): {kept}"
            )?;
        }
        64 => {
            let kept = [verdict(rate >= 1.5), verdict(stream >= 4.0)];
            writeln!(
                text,
                "* 64 in flight, unary: {rate:.2} × the calls/s (promised ≥ 1.5): {}",
                kept[0]
            )?;
            writeln!(
                text,
                "* 64 in flight, one stream: {stream:.2} × the calls/s (promised ≥ 4): {}",
                kept[1]
            )?;
        }
        _ => {
            writeln!(
                text,
                "* {in_flight} in flight: unary {rate:.2} ×, one stream {stream:.2} × the calls/s"
            )?;
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
    let took = begun.elapsed();
    plugin.process.stop(Duration::from_secs(2)).await;
    golang::Calls::of(&latencies, took)
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
