//! P8: what large bodies cost the gateway in memory.

use std::{fmt::Write as _, time::Instant};

use anyhow::{Context, Result, ensure};

use crate::{
    client,
    figures::{span, verdict},
    program::Cores,
    server::{SMALL, Server, nginx, outboard},
    usage,
    wrk::Wrk,
};

const MIB: u64 = 1 << 20;
const PROMISED_MIB: f64 = 8.0;

/// Of each server and direction: what an allocator keeps back differs from one start to the next.
const ROUNDS: usize = 5;
/// Whether it is ours, and what the client does.
const CASES: [(bool, &str); 4] =
    [(true, "download"), (true, "upload"), (false, "download"), (false, "upload")];

pub(crate) fn measure(length: u64) -> Result<String> {
    let mut text = format!(
        "One client on core 1, the servers on core 0. What grows is the most that the process took meanwhile, less what \
         it had after a few small requests. Each round has servers of its own.\n\n\
         | | body of {} MiB | grows by MiB | MiB/s |\n|---|---|--:|--:|\n",
        length / MIB
    );
    let mut figures = [const { (Vec::new(), Vec::new()) }; CASES.len()];
    for _ in 0..ROUNDS {
        for ((is_ours, direction), (grown, rates)) in CASES.iter().zip(&mut figures) {
            // A server of its own for each: the peak of one would hide that of the next.
            let core = Cores::One(0);
            let server = if *is_ours { outboard::start(core)? } else { nginx::start(core, 1)? };
            let (more, rate) = grow(&server, direction, length)?;
            grown.push(more);
            rates.push(rate);
        }
    }
    let mut most: f64 = 0.0;
    for ((is_ours, direction), (grown, rates)) in CASES.iter().zip(&figures) {
        let name = if *is_ours { "Outboard" } else { "nginx" };
        writeln!(text, "| {name} | {direction} | {} | {} |", span(grown, 1), span(rates, 0))?;
        if *is_ours {
            most = grown.iter().copied().fold(most, f64::max);
        }
    }
    let kept = verdict(most <= PROMISED_MIB);
    writeln!(
        text,
        "\n* the supervisor grows by at most {most:.1} MiB (promised ≤ {PROMISED_MIB:.0}): {kept}"
    )?;
    Ok(text)
}

/// By how many MiB, and at how many MiB/s.
fn grow(server: &Server, direction: &str, length: u64) -> Result<(f64, f64)> {
    let front = *server.front.first().context("no process")?;
    let client = Cores::One(1);
    Wrk::new(client)?.run(server.address, SMALL, 1, 1)?;
    usage::forget_peak(front)?;
    let before = usage::memory(front, "VmRSS")?;
    let begun = Instant::now();
    client.run(|| transfer(server, direction, length))?;
    let took = begun.elapsed().as_secs_f64();
    let grown = usage::memory(front, "VmHWM")?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok((grown as f64 / 1024.0, (length / MIB) as f64 / took))
}

fn transfer(server: &Server, direction: &str, length: u64) -> Result<()> {
    if direction == "download" {
        return client::download(
            server.address,
            &format!("/api/site/download?bytes={length}"),
            length,
        );
    }
    let received = client::upload(server.address, "/api/site/upload", length)?;
    ensure!(received == length.to_string(), "{received} bytes arrived of {length}");
    Ok(())
}
