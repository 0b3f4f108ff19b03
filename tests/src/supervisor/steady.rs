//! A client that has nothing to do with what goes on: it asks all the time, and wants its answers soon.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::http;

/// How long an answer may take at the most, with all cores of a small machine busy.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two requests: it should not be a load by itself.
const PACE: Duration = Duration::from_millis(5);

/// Goes on until it is finished or dropped.
pub struct Steady {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Result<Duration>>>,
}

impl Steady {
    pub(super) fn start(address: SocketAddr, path: &str) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let request = http::request("GET", path, "", "");
        let thread = {
            let (stop, answers) = (stop.clone(), answers.clone());
            std::thread::spawn(move || run(address, &request, &stop, &answers))
        };
        Self { stop, answers, thread: Some(thread) }
    }

    /// Answers so far.
    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// Ends it: every request was answered well and in time. Gives the longest that one has taken.
    pub fn finish(mut self) -> Result<Duration> {
        // At least one answer that belongs to the time in which something else went on.
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it is finished")?;
        let slowest = thread.join().ok().context("the client panicked")??;
        ensure!(self.answers() > 0, "nobody was asked");
        Ok(slowest)
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn run(
    address: SocketAddr,
    request: &str,
    stop: &AtomicBool,
    answers: &AtomicUsize,
) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let reply = http::exchange(address, request).context("another client's request")?;
        let taken = asked.elapsed();
        ensure!(reply.status == 200, "another client's request: {reply:?}");
        ensure!(taken <= PATIENCE, "another client waited for {taken:?}");
        slowest = slowest.max(taken);
        answers.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return Ok(slowest);
        }
        std::thread::sleep(PACE);
    }
}
