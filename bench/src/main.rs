//! What Outboard promises about speed, measured: each figure beside its peer, in the same run, in rounds that take
//! turns, medians with the lowest and highest round.
//!
//! Started by `cargo xtask bench`. `--quick` does fewer and shorter rounds, to see that it works; one of the words
//! `calls`, `starts`, `idle` and `bodies` measures only that. Neither writes results.

mod bodies;
mod calls;
mod figures;
mod golang;
mod idle;
mod machine;
mod plugin;
mod starts;

mod wire {
    //! lab.proto
    #![allow(clippy::pedantic, unreachable_pub, dead_code, reason = "generated")]
    tonic::include_proto!("lab");
}

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use outboard_jail::Launcher;
use tokio::runtime::Runtime;

/// How much is measured.
struct Effort {
    rounds: usize,
    seconds: u64,
    starts: usize,
    plugins: usize,
}

const FULL: Effort = Effort { rounds: 5, seconds: 3, starts: 40, plugins: 1000 };
const QUICK: Effort = Effort { rounds: 2, seconds: 1, starts: 5, plugins: 50 };

/// What is measured.
const PARTS: [&str; 4] = ["calls", "starts", "idle", "bodies"];

fn main() -> Result<()> {
    Launcher::run_if_asked();
    let launcher: &'static Launcher = Box::leak(Box::new(Launcher::fork()?));
    outboard_jail::raise_open_files()?;
    let (mut effort, mut only, mut results) = (FULL, None, env::var_os("OUTBOARD_BENCH_RESULTS"));
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => (effort, results) = (QUICK, None),
            part if PARTS.contains(&part) => only = Some(argument),
            other => bail!(
                "unknown argument {other:?}; there are --quick, calls, starts, idle and bodies"
            ),
        }
    }
    let runtime = Runtime::new()?;
    if let Some(part) = only {
        println!("{}", measure(&part, launcher, &runtime, &effort)?);
        return Ok(());
    }
    let text = all(launcher, &runtime, &effort)?;
    println!("{text}");
    match results.map(PathBuf::from) {
        Some(path) => fs::write(&path, text).with_context(|| format!("{}", path.display())),
        None => Ok(()),
    }
}

fn measure(
    part: &str,
    launcher: &'static Launcher,
    runtime: &Runtime,
    effort: &Effort,
) -> Result<String> {
    eprintln!("bench: {part}");
    match part {
        "calls" => calls::measure(launcher, runtime, effort.rounds, effort.seconds),
        "starts" => starts::measure(launcher, runtime, effort.starts),
        "bodies" => bodies::measure(effort.rounds, effort.seconds),
        _ => idle::measure(launcher, runtime, effort.rounds.min(3), effort.plugins),
    }
}

fn all(launcher: &'static Launcher, runtime: &Runtime, effort: &Effort) -> Result<String> {
    let machine = machine::describe();
    let commit = env::var("OUTBOARD_BENCH_COMMIT").unwrap_or_else(|_| "unknown".to_owned());
    let [calls, starts, idle, bodies] = PARTS.map(|part| measure(part, launcher, runtime, effort));
    let (calls, starts, idle, bodies) = (calls?, starts?, idle?, bodies?);
    Ok(format!(
        "# How fast it is\n\n\
         Written by `cargo xtask bench`. Each figure stands beside its peer of the same run; rounds took turns; medians, \
         with the lowest and highest round in parentheses. Ratios are medians of the rounds' own ratios.\n\n\
         * machine: {machine}\n* commit: {commit}\n\n\
         ## P2: a unary call from host to plugin (plain Unix socket)\n\n{calls}\n\
         ## P3: from spawn to serving\n\n{starts}\n\
         ## P4: many idle plugins\n\n{idle}\n\
         ## Bodies: on the stream that all requests share, or each on a stream of its own\n\n\
         16 bodies at a time, and 4 small requests beside them.\n\n{bodies}"
    ))
}
