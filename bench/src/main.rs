//! What Outboard promises about speed, measured: each figure beside its peer, in the same run, in rounds that take
//! turns, medians with the lowest and highest round.
//!
//! Started by `cargo xtask bench`. `--quick` does fewer and shorter rounds, to see that it works; the words `http`,
//! `calls`, `starts`, `idle`, `route`, `memory`, `events` and `identity` measure only that. Neither writes results.

mod calls;
mod client;
mod events;
mod figures;
mod golang;
mod http;
mod identity;
mod idle;
mod machine;
mod memory;
mod plugin;
mod program;
mod route;
mod server;
mod starts;
mod stream;
mod usage;
mod wrk;

mod wire {
    //! lab.proto
    #![allow(clippy::pedantic, unreachable_pub, dead_code, reason = "generated")]
    tonic::include_proto!("lab");
}

use std::{env, fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use outboard_jail::Launcher;
use tokio::runtime::Runtime;

/// How much is measured.
struct Effort {
    rounds: usize,
    seconds: u64,
    http_rounds: usize,
    http_seconds: u64,
    starts: usize,
    plugins: usize,
    body_bytes: u64,
    events: usize,
    users: usize,
}

const FULL: Effort = Effort {
    rounds: 5,
    seconds: 3,
    http_rounds: 7,
    http_seconds: 2,
    starts: 40,
    plugins: 1000,
    body_bytes: 1 << 30,
    events: 1_000_000,
    users: 1_000_000,
};
const QUICK: Effort = Effort {
    rounds: 2,
    seconds: 1,
    http_rounds: 2,
    http_seconds: 1,
    starts: 5,
    plugins: 50,
    body_bytes: 1 << 26,
    events: 20_000,
    users: 20_000,
};

/// What is measured: the word for it, and its heading in the results.
const PARTS: [(&str, &str); 8] = [
    ("http", "P1: HTTP through a plugin"),
    ("calls", "P2: a call from host to plugin (plain Unix socket)"),
    ("starts", "P3: from spawn to serving"),
    ("idle", "P4: many idle plugins"),
    ("route", "P5: the route of a request"),
    ("memory", "P8: large bodies"),
    ("events", "P9: events while everything is killed"),
    ("identity", "Questions about people"),
];

fn main() -> Result<()> {
    Launcher::run_if_asked();
    let launcher: &'static Launcher = Box::leak(Box::new(Launcher::fork()?));
    outboard_jail::raise_open_files()?;
    let (mut effort, mut only, mut results) =
        (FULL, Vec::new(), env::var_os("OUTBOARD_BENCH_RESULTS"));
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => (effort, results) = (QUICK, None),
            word if PARTS.iter().any(|(part, _)| *part == word) => only.push(argument),
            other => {
                let words = PARTS.map(|(word, _)| word).join(", ");
                bail!("unknown argument {other:?}; there are --quick, {words}");
            }
        }
    }
    let runtime = Runtime::new()?;
    for part in &only {
        println!("{}", measure(part, launcher, &runtime, &effort)?);
    }
    if !only.is_empty() {
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
        "http" => http::measure(effort.http_rounds, effort.http_seconds),
        "calls" => calls::measure(launcher, runtime, effort.rounds, effort.seconds),
        "starts" => starts::measure(launcher, runtime, effort.starts),
        "idle" => idle::measure(launcher, runtime, effort.rounds.min(3), effort.plugins),
        "route" => route::measure(effort.rounds),
        "memory" => memory::measure(effort.body_bytes),
        "identity" => identity::measure(runtime, effort.users, effort.rounds.min(3), 1),
        _ => events::measure(effort.events, effort.rounds, effort.seconds),
    }
}

fn all(launcher: &'static Launcher, runtime: &Runtime, effort: &Effort) -> Result<String> {
    let machine = machine::describe();
    let commit = env::var("OUTBOARD_BENCH_COMMIT").unwrap_or_else(|_| "unknown".to_owned());
    let mut text = format!(
        "# How fast it is\n\n\
         Written by `cargo xtask bench`. Each figure stands beside its peer of the same run; rounds took turns; medians, \
         with the lowest and highest round in parentheses. Ratios are medians of the rounds' own ratios.\n\n\
         * machine: {machine}\n* commit: {commit}\n"
    );
    for (word, heading) in PARTS {
        let measured = measure(word, launcher, runtime, effort)?;
        write!(text, "\n## {heading}\n\n{measured}")?;
    }
    Ok(text)
}
