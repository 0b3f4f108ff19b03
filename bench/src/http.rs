//! P1: HTTP through a plugin, against nginx in front of the same site on a Unix socket.

mod contest;
mod report;
mod uploads;

pub(crate) use contest::Chance;

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    figures::verdict,
    program::Cores,
    server::{LARGE, PLACES, SMALL, Server, glewlwyd, nginx, outboard},
    wrk::Wrk,
};
use contest::{Effort, Entrant, Sample, Standing};

const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// All servers share one core, and who loads them has another.
const SERVERS: Cores = Cores::One(0);
const CLIENTS: Cores = Cores::One(1);

pub(crate) fn measure(rounds: usize, seconds: u64) -> Result<String> {
    let (effort, mut chance) = (Effort { rounds, seconds }, Chance::new());
    let pinned = pinned(effort, &mut chance)?;
    let unpinned = unpinned(Effort { rounds: rounds.div_ceil(2), seconds }, &mut chance)?;
    Ok(format!(
        "`outboard serve` with a Rust plugin on one thread, against nginx with one worker that proxies to the same \
         pages in the same program, served by hyper over kept connections on a Unix socket. {PLACES} endpoints, {PLACES} \
         locations. Front and plugin share core 0, `wrk -t1` has core 1. Nothing is logged.\n\n{pinned}{unpinned}"
    ))
}

fn pinned(effort: Effort, chance: &mut Chance) -> Result<String> {
    let wrk = Wrk::new(CLIENTS)?;
    let (ours, nginx) = (outboard::start(SERVERS)?, nginx::start(SERVERS, 1)?);
    let small = contest::run(&against(&ours, &nginx, SMALL), &CONNECTIONS, &wrk, effort, chance)?;
    let large = contest::run(&against(&ours, &nginx, LARGE), &CONNECTIONS, &wrk, effort, chance)?;
    let mut text = String::new();
    writeln!(text, "### Responses of 17 bytes\n")?;
    writeln!(text, "{}", report::table(&against(&ours, &nginx, SMALL), &small)?)?;
    promise_small(&mut text, &small)?;
    writeln!(text, "\n### Responses of 64 KiB\n")?;
    writeln!(text, "{}", report::table(&against(&ours, &nginx, LARGE), &large)?)?;
    promise_large(&mut text, &large)?;
    writeln!(text, "\n### While a slow upload runs\n")?;
    text.push_str(&uploads::measure(&[&ours, &nginx], &wrk, effort, chance)?);
    drop(nginx);
    writeln!(text, "\n### An endpoint inside the server\n")?;
    text.push_str(&inside(&ours, &wrk, effort, chance)?);
    Ok(text)
}

fn against<'a>(ours: &'a Server, peer: &'a Server, path: &'a str) -> [Entrant<'a>; 2] {
    [Entrant { server: ours, path }, Entrant { server: peer, path }]
}

fn promise_small(text: &mut String, standings: &[Standing]) -> Result<()> {
    for standing in standings {
        let rate = standing.ratio(|sample| sample.per_second);
        match standing.connections {
            1 => {
                let p50 = standing.ratio(|sample| sample.p50);
                let kept = verdict(p50 <= 1.0);
                writeln!(text, "* 1 connection: {p50:.2} × the p50 (promised ≤ 1): {kept}")?;
            }
            connections => {
                let promised = if connections == 16 { 1.5 } else { 2.0 };
                let kept = verdict(rate >= promised);
                writeln!(
                    text,
                    "* {connections} connections: {rate:.2} × the requests/s (promised ≥ {promised:.1}): {kept}"
                )?;
            }
        }
        if standing.connections == 64 {
            let processor = standing.ratio(Sample::processor);
            let kept = verdict(processor <= 0.6);
            writeln!(
                text,
                "* 64 connections: {processor:.2} × the processor time a request (promised ≤ 0.6): {kept}"
            )?;
        }
    }
    Ok(())
}

fn promise_large(text: &mut String, standings: &[Standing]) -> Result<()> {
    for standing in standings.iter().filter(|standing| standing.connections == 64) {
        let rate = standing.ratio(|sample| sample.per_second);
        let kept = verdict(rate >= 1.1);
        writeln!(text, "* 64 connections: {rate:.2} × the requests/s (promised ≥ 1.1): {kept}")?;
    }
    Ok(())
}

/// What our plugin in another process costs, beside an endpoint that runs inside its server.
fn inside(ours: &Server, wrk: &Wrk, effort: Effort, chance: &mut Chance) -> Result<String> {
    let Some(glewlwyd) = glewlwyd::start(SERVERS)? else {
        return Ok("Glewlwyd is not installed here.\n".to_owned());
    };
    let entrants = [
        Entrant { server: ours, path: SMALL },
        Entrant { server: &glewlwyd, path: glewlwyd::PATH },
    ];
    let standings = contest::run(&entrants, &[64], wrk, effort, chance)?;
    let mut text = format!(
        "Glewlwyd (Debian's, SQLite, nothing logged but errors) answers `GET /config` with 94 bytes that it makes \
         itself.\n\n{}\n",
        report::table(&entrants, &standings)?
    );
    for standing in &standings {
        let rate = standing.ratio(|sample| sample.per_second);
        let kept = verdict(rate >= 2.0);
        writeln!(text, "* 64 connections: {rate:.2} × the requests/s (promised ≥ 2): {kept}")?;
    }
    Ok(text)
}

/// Both cores for everything, `wrk` included, as many workers as there are cores.
fn unpinned(effort: Effort, chance: &mut Chance) -> Result<String> {
    let cores = std::thread::available_parallelism()?.get();
    let wrk = Wrk::new(Cores::All)?;
    let (ours, nginx) = (outboard::start(Cores::All)?, nginx::start(Cores::All, cores)?);
    let entrants = against(&ours, &nginx, SMALL);
    let standings = contest::run(&entrants, &CONNECTIONS, &wrk, effort, chance)?;
    let table = report::table(&entrants, &standings)?;
    Ok(format!(
        "\n### Responses of 17 bytes, nothing pinned\n\nAll {cores} cores for everything, `wrk` too; {cores} workers in \
         nginx and in Outboard's gateway.\n\n{table}"
    ))
}
