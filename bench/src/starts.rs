//! P3: from spawn to serving, against a bare fork, exec and connect of the same file.

use std::{fmt::Write as _, path::Path, time::Instant};

use anyhow::{Result, ensure};
use outboard_host::TlsMode;
use outboard_jail::Launcher;
use tokio::runtime::{Builder, Runtime};

use crate::{
    figures::{median, ratio, span, verdict},
    golang, plugin,
    wire::{Number, lab_client::LabClient},
};

#[derive(Default)]
struct Starts {
    bare: Vec<f64>,
    served_bare: Vec<f64>,
    rust: Vec<f64>,
    one_thread: Vec<f64>,
    rust_tls: Vec<f64>,
    go_bare: Vec<f64>,
    go: Vec<f64>,
    go_plugin: Vec<f64>,
    go_plugin_tls: Vec<f64>,
}

pub(crate) fn measure(launcher: &Launcher, runtime: &Runtime, rounds: usize) -> Result<String> {
    // The supervisor has a thread per core; who embeds outboard-host may do with one.
    let one_thread = Builder::new_current_thread().enable_all().build()?;
    let ours = plugin::ours()?;
    let go = golang::program("lab-plugin")?;
    let mut starts = Starts::default();
    // One of each in every round: what slows the machine for a while then slows all alike.
    for _ in 0..rounds {
        starts.bare.push(bare(&ours, Some("bare"))?);
        starts.served_bare.push(bare(&ours, None)?);
        starts.rust.push(runtime.block_on(supervised(launcher, &ours, TlsMode::Auto))?);
        starts.one_thread.push(one_thread.block_on(supervised(launcher, &ours, TlsMode::Auto))?);
        starts.rust_tls.push(runtime.block_on(supervised(launcher, &ours, TlsMode::Required))?);
        starts.go_bare.push(bare(&go, None)?);
        starts.go.push(runtime.block_on(supervised(launcher, &go, TlsMode::Auto))?);
        starts.go_plugin.extend(millis(&golang::starts(1, false)?.us));
        starts.go_plugin_tls.extend(millis(&golang::starts(1, true)?.us));
    }
    report(&starts)
}

fn millis(micros: &[f64]) -> impl Iterator<Item = f64> {
    micros.iter().map(|micros| micros / 1000.0)
}

fn bare(program: &Path, argument: Option<&str>) -> Result<f64> {
    let begun = Instant::now();
    let bare = plugin::Bare::start(program, argument)?;
    let took = begun.elapsed();
    drop(bare);
    Ok(took.as_secs_f64() * 1e3)
}

/// To the first answer of the plugin's own service.
async fn supervised(launcher: &Launcher, program: &Path, tls: TlsMode) -> Result<f64> {
    let begun = Instant::now();
    let plugin = plugin::supervised(launcher, program, tls).await?;
    let answer = LabClient::new(plugin.process.channel()).double(Number { value: 21 }).await?;
    let took = begun.elapsed();
    ensure!(answer.get_ref().value == 42);
    plugin.process.kill().await;
    Ok(took.as_secs_f64() * 1e3)
}

fn report(starts: &Starts) -> Result<String> {
    let mut text = String::from("| | ms |\n|---|--:|\n");
    for (name, values) in [
        ("Rust plugin's file, bare fork + exec + connect", &starts.bare),
        ("the same file as a plugin, bare, first byte of HTTP/2", &starts.served_bare),
        ("Rust plugin under Outboard, first call answered", &starts.rust),
        ("the same, host on one thread", &starts.one_thread),
        ("the same with AutoMTLS", &starts.rust_tls),
        ("Go plugin, bare fork + exec + connect", &starts.go_bare),
        ("Go plugin under Outboard, first call answered", &starts.go),
        ("Go plugin under go-plugin, first call answered", &starts.go_plugin),
        ("the same with AutoMTLS", &starts.go_plugin_tls),
    ] {
        writeln!(text, "| {name} | {} |", span(values, 2))?;
    }
    let over = median(&starts.rust) - median(&starts.bare);
    let go = ratio(&starts.go, &starts.go_bare);
    let tls = median(&starts.rust_tls) - median(&starts.rust);
    let kept = [verdict(over <= 0.5), verdict(go <= 1.3), verdict(tls <= 3.0)];
    writeln!(text)?;
    writeln!(text, "* a Rust plugin: bare + {over:.2} ms (promised ≤ 0.5): {}", kept[0])?;
    writeln!(text, "* a Go plugin: {go:.2} × bare (promised ≤ 1.3): {}", kept[1])?;
    writeln!(text, "* AutoMTLS between our own sides: + {tls:.2} ms (promised ≤ 3): {}", kept[2])?;
    Ok(text)
}
