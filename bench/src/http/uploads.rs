//! Whether one slow upload holds up small requests.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use super::contest::{self, Chance, Effort, Entrant, Sample};
use crate::{
    client,
    figures::{ratio, span},
    server::{SMALL, Server},
    wrk::Wrk,
};

const CONNECTIONS: usize = 16;
/// More than is ever sent.
const LENGTH: u64 = 1 << 30;
const PIECE: [u8; 16 << 10] = [b'x'; 16 << 10];
/// Sixty-four pieces a second are 1 MiB/s.
const EVERY: Duration = Duration::from_micros(15_625);

pub(super) fn measure(
    servers: &[&Server],
    wrk: &Wrk,
    effort: Effort,
    chance: &mut Chance,
) -> Result<String> {
    // For each server the rounds without, and those with.
    let mut samples = vec![[Vec::new(), Vec::new()]; servers.len()];
    for _ in 0..effort.rounds {
        for index in chance.order(servers.len()) {
            let mut pair = [None; 2];
            for with in chance.order(2) {
                pair[with] = sample(servers[index], with == 1, wrk, effort.seconds)?;
            }
            if let [Some(without), Some(with)] = pair {
                samples[index][0].push(without);
                samples[index][1].push(with);
            }
        }
    }
    let mut text = format!(
        "Small requests on {CONNECTIONS} connections, alone and while one more client uploads 1 MiB/s to a streaming \
         endpoint; rounds in pairs.\n\n\
         | | | requests/s | p50 µs | p99 µs | p99 × without |\n|---|---|--:|--:|--:|--:|\n"
    );
    for (server, pair) in servers.iter().zip(&samples) {
        ensure!(2 * pair[0].len() > effort.rounds, "{}: too few valid rounds", server.name);
        let p99 = pair.each_ref().map(|samples| of(samples, |sample| sample.p99));
        for (index, words) in ["without", "with upload"].into_iter().enumerate() {
            writeln!(
                text,
                "| {} | {words} | {} | {} | {} | {:.2} |",
                server.name,
                span(&of(&pair[index], |sample| sample.per_second), 0),
                span(&of(&pair[index], |sample| sample.p50), 0),
                span(&p99[index], 0),
                ratio(&p99[index], &p99[0]),
            )?;
        }
    }
    Ok(text)
}

fn of(samples: &[Sample], figure: fn(&Sample) -> f64) -> Vec<f64> {
    samples.iter().map(figure).collect()
}

fn sample(server: &Server, with_upload: bool, wrk: &Wrk, seconds: u64) -> Result<Option<Sample>> {
    let entrant = Entrant { server, path: SMALL };
    let load = || contest::sample(entrant, CONNECTIONS, wrk, seconds);
    if !with_upload {
        return load();
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let upload = scope.spawn(|| wrk.cores.run(|| trickle(server.address, &is_over)));
        let sample = load();
        is_over.store(true, Relaxed);
        match upload.join() {
            Ok(uploaded) => uploaded?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        sample
    })
}

/// Uploads at its pace until it is over, and makes sure that it was an upload all the time.
fn trickle(address: SocketAddr, is_over: &AtomicBool) -> Result<()> {
    let length = format!("content-length: {LENGTH}\r\n");
    let mut connection = client::begin(address, "POST", "/api/site/upload", &length)?;
    let (begun, mut pieces) = (Instant::now(), 0);
    while !is_over.load(Relaxed) {
        connection.write_all(&PIECE)?;
        pieces += 1;
        thread::sleep((EVERY * pieces).saturating_sub(begun.elapsed()));
    }
    let due = begun.elapsed().as_secs_f64() / EVERY.as_secs_f64();
    ensure!(f64::from(pieces) > 0.9 * due, "the upload was held up: {pieces} of {due:.0} pieces");
    connection.set_nonblocking(true)?;
    let mut answer = [0; 200];
    match connection.read(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
        Ok(count) => {
            bail!("the upload was answered early: {}", String::from_utf8_lossy(&answer[..count]))
        }
    }
}
