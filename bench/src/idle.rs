//! P4: what many idle plugins cost, against as many bare processes of the same file.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use outboard_host::TlsMode;
use outboard_jail::Launcher;
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    figures::{median, span, verdict},
    plugin,
    plugin::{Bare, Supervised},
    usage::Stat,
};

/// As many starts at once as keep two cores busy.
const AT_ONCE: usize = 8;
/// How long idleness is watched.
const WATCH: Duration = Duration::from_secs(5);

pub(crate) fn measure(
    launcher: &'static Launcher,
    runtime: &Runtime,
    rounds: usize,
    count: usize,
) -> Result<String> {
    let (mut cost, mut start, mut bare_start, mut idle) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (bare, bare_took) = bare(count)?;
        let (ours, took, busy) = runtime.block_on(supervised(launcher, count))?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        cost.push((ours - bare) / count as f64);
        start.push(took);
        bare_start.push(bare_took);
        idle.push(busy);
    }
    let mut text = format!("{count} plugins of ours, started {AT_ONCE} at a time.\n\n");
    text.push_str("| | Outboard | bare |\n|---|--:|--:|\n");
    writeln!(text, "| all started, s | {} | {} |", span(&start, 2), span(&bare_start, 2))?;
    writeln!(text, "| more memory than bare, KiB a plugin | {} | 0 |", span(&cost, 0))?;
    writeln!(text, "| processor when idle, % of one core | {} | |\n", span(&idle, 2))?;
    let (cost, start, idle) = (median(&cost), median(&start), median(&idle));
    writeln!(
        text,
        "* memory in supervisor, guard and kernel: {cost:.0} KiB a plugin (promised ≤ 256): {}",
        verdict(cost <= 256.0)
    )?;
    if count >= 1000 {
        writeln!(
            text,
            "* {count} plugins start in {start:.1} s (promised ≤ 30): {}",
            verdict(start <= 30.0)
        )?;
    }
    writeln!(
        text,
        "* idle, all processes together: {idle:.2} % of one core (promised ≤ 1): {}",
        verdict(idle <= 1.0)
    )?;
    Ok(text)
}

/// Memory taken in KiB, and seconds until all were there.
fn bare(count: usize) -> Result<(f64, f64)> {
    let before = memory()?;
    let begun = Instant::now();
    let program = plugin::ours()?;
    let running: Vec<Bare> =
        (0..count).map(|_| Bare::start(&program, None)).collect::<Result<_>>()?;
    let took = begun.elapsed().as_secs_f64();
    let taken = memory()? - before - of_plugins(running.iter().map(Bare::pid))?;
    drop(running);
    Ok((taken, took))
}

/// As [`bare`], and how busy the processor was with them afterwards, in percent of one core.
async fn supervised(launcher: &'static Launcher, count: usize) -> Result<(f64, f64, f64)> {
    let before = memory()?;
    let begun = Instant::now();
    let running = start(launcher, count).await?;
    let took = begun.elapsed().as_secs_f64();
    let taken = memory()? - before - of_plugins(pids(&running))?;
    let ticks = processor(&running)?;
    sleep(WATCH).await;
    let busy = (processor(&running)? - ticks) / WATCH.as_secs_f64();
    stop(running).await;
    Ok((taken, took, busy))
}

async fn start(launcher: &'static Launcher, count: usize) -> Result<Vec<Supervised>> {
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let mut starts = JoinSet::new();
    for _ in 0..count {
        let free = Arc::clone(&free);
        starts.spawn(async move {
            let _turn = free.acquire().await;
            plugin::supervised(launcher, &plugin::ours()?, TlsMode::Auto).await
        });
    }
    starts.join_all().await.into_iter().collect()
}

async fn stop(running: Vec<Supervised>) {
    let mut stops = JoinSet::new();
    for plugin in running {
        stops.spawn(async move { plugin.process.kill().await });
    }
    stops.join_all().await;
}

/// All memory that is in use for processes, the kernel's part included, in KiB. What files occupy in memory is left
/// out: both ways read the same.
fn memory() -> Result<f64> {
    const FIELDS: [&str; 6] = ["AnonPages", "PageTables", "Slab", "KernelStack", "Shmem", "Percpu"];
    let text = fs::read_to_string("/proc/meminfo")?;
    let fields: HashMap<&str, f64> = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim().split(' ').next()?.parse().ok()?))
        })
        .collect();
    Ok(FIELDS.iter().filter_map(|name| fields.get(name)).sum())
}

fn pids(running: &[Supervised]) -> impl Iterator<Item = u32> {
    running.iter().filter_map(|plugin| u32::try_from(plugin.process.pid()).ok())
}

/// What the plugins themselves have allocated, in KiB: a connection costs them something too, but that is theirs.
fn of_plugins(pids: impl Iterator<Item = u32>) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let value = line.and_then(|line| line.trim().split(' ').next()).context("no Anonymous")?;
        sum += value.parse::<f64>()?;
    }
    Ok(sum)
}

/// Processor time of this process, the plugins and their parents (the guards), in hundredths of a second.
fn processor(running: &[Supervised]) -> Result<f64> {
    let stat = |pid: &str| Stat::read(Path::new(&format!("/proc/{pid}/stat")));
    let mut sum = f64::from(stat("self")?.ticks);
    for pid in pids(running) {
        let plugin = stat(&pid.to_string())?;
        let guard = stat(&plugin.parent.to_string())?;
        sum += f64::from(plugin.ticks) + f64::from(guard.ticks);
    }
    Ok(sum)
}
