//! Events a second that are on disk, beside Redis streams: the same clients, events and disk, in turns.

use std::{
    fmt::Write as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    client,
    publish::{self, BATCH},
    redis::{self, Redis},
    stage::{Notifier, Stage},
};
use crate::figures::{ratio, span};

const CLIENTS: usize = 64;

/// A row of the table: events in one request, and the rounds of each.
struct Row {
    batch: usize,
    kept: Vec<f64>,
    told: Vec<f64>,
    redis: Vec<f64>,
}

pub(crate) fn measure(rounds: usize, seconds: u64) -> Result<String> {
    let mut rows = [1, BATCH].map(|batch| Row { batch, kept: vec![], told: vec![], redis: vec![] });
    for _ in 0..rounds {
        for row in &mut rows {
            row.kept.push(outboard(true, row.batch, seconds)?);
            row.redis.push(redis(row.batch, seconds)?);
            row.told.push(outboard(false, row.batch, seconds)?);
        }
    }
    report(&rows)
}

/// Each round has a fresh database, as the peer's.
fn outboard(holds: bool, batch: usize, seconds: u64) -> Result<f64> {
    let stage = Stage::open(&[Notifier { name: "only", holds }])?;
    let socket = stage.socket();
    let rate = contest(seconds, |source, end| {
        let mut client = client::Client::connect(&socket)?;
        let mut count = 0;
        while Instant::now() < end {
            let (status, answer) = client.publish(&publish::batch(source, count..count + batch))?;
            ensure!(status == 202, "events were answered with {status} {answer}");
            count += batch;
        }
        Ok(count)
    })?;
    stage.end()?;
    Ok(rate)
}

fn redis(batch: usize, seconds: u64) -> Result<f64> {
    let redis = Redis::start()?;
    let socket: &Path = &redis.socket();
    contest(seconds, |source, end| {
        let mut client = redis::Client::connect(socket)?;
        let mut count = 0;
        while Instant::now() < end {
            let event = publish::batch(source, count..count + 1);
            client.add(event.trim_matches(['[', ']']), batch)?;
            count += batch;
        }
        Ok(count)
    })
}

/// All clients at once; each says how many of its events were accepted.
fn contest(seconds: u64, client: impl Fn(usize, Instant) -> Result<usize> + Sync) -> Result<f64> {
    let (count, begun) = (AtomicUsize::new(0), Instant::now());
    let end = begun + Duration::from_secs(seconds);
    let run = |source| {
        count.fetch_add(client(source, end)?, Ordering::Relaxed);
        anyhow::Ok(())
    };
    thread::scope(|scope| {
        let run = &run;
        let clients: Vec<_> = (0..CLIENTS).map(|source| scope.spawn(move || run(source))).collect();
        for client in clients {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        anyhow::Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
    Ok(count.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

fn report(rows: &[Row]) -> Result<String> {
    let mut text = format!(
        "{CLIENTS} clients, each with one request under way, over a Unix socket; an event is accepted when it is on \
         disk. Redis: a stream, XADD, `appendfsync always`, as many commands sent together as the request has events. \
         Outboard also knows repeats, and writes down that a notifier is to be told; \"told\": it is told meanwhile, by \
         the same processors.\n\n\
         | events in a request | | events/s | × Redis |\n|--:|---|--:|--:|\n"
    );
    for Row { batch, kept, told, redis } in rows {
        for (name, rates) in [("Outboard", kept), ("the same, told", told), ("Redis", redis)] {
            let against = ratio(rates, redis);
            writeln!(text, "| {batch} | {name} | {} | {against:.2} |", span(rates, 0))?;
        }
    }
    Ok(text)
}
