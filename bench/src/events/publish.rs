//! A source of events that does not give up: what was not answered with 202 is sent again, as it was.

use std::{
    fmt::Write as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use super::client::Client;

/// Events in a batch.
pub(crate) const BATCH: usize = 100;
/// Keys of one source.
pub(crate) const KEYS: usize = 16;
/// Longer than the supervisor is ever away.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(5);
/// As long as a short job's report.
const TEXT: &str = "the job has taken its input from the place it was told of and has put its output where it belongs; \
                    nothing else is to be said of it";

/// What all sources have done together.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) accepted: AtomicUsize,
    /// How often a batch was sent and not answered with 202.
    pub(crate) again: AtomicUsize,
}

/// Publishes the events 0 to `count` of a source, in their order.
pub(crate) fn publish(
    socket: &Path,
    source: usize,
    count: usize,
    progress: &Progress,
) -> Result<()> {
    let mut client = None;
    for first in (0..count).step_by(BATCH) {
        let numbers = first..count.min(first + BATCH);
        let batch = batch(source, numbers.clone());
        insist(socket, &mut client, &batch, progress)?;
        progress.accepted.fetch_add(numbers.len(), Ordering::Relaxed);
    }
    Ok(())
}

fn insist(
    socket: &Path,
    client: &mut Option<Client>,
    batch: &str,
    progress: &Progress,
) -> Result<()> {
    let begun = Instant::now();
    loop {
        match attempt(socket, client, batch) {
            Ok((202, _)) => return Ok(()),
            // Not now. Anything else is a fault, which would not heal.
            Ok((429 | 503, _)) => {}
            Ok((status, answer)) => bail!("events were answered with {status} {answer}"),
            Err(_) => *client = None,
        }
        progress.again.fetch_add(1, Ordering::Relaxed);
        ensure!(begun.elapsed() < PATIENCE, "no event was accepted for {PATIENCE:?}");
        thread::sleep(PAUSE);
    }
}

fn attempt(socket: &Path, client: &mut Option<Client>, batch: &str) -> Result<(u16, String)> {
    let connected = match client.take() {
        Some(client) => client,
        None => Client::connect(socket)?,
    };
    client.insert(connected).publish(batch)
}

/// The same text for the same numbers.
pub(crate) fn batch(source: usize, numbers: std::ops::Range<usize>) -> String {
    let mut text = String::from("[");
    for (index, number) in numbers.enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str(&event(source, number));
    }
    text.push(']');
    text
}

fn event(source: usize, number: usize) -> String {
    let mut text = String::new();
    let key = number % KEYS;
    // Writing into a string can't fail.
    let _ = write!(
        text,
        "{{\"specversion\":\"1.0\",\"type\":\"bench.done\",\"source\":\"/bench/{source}\",\"id\":\"{number}\",\
         \"partitionkey\":\"{source}-{key}\",\"data\":{{\"number\":{number},\"text\":\"{TEXT}\"}}}}"
    );
    text
}
