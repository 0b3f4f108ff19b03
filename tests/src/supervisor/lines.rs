//! Lines that a process writes, as they come, and waiting for one.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::LIMIT;

/// Everything written so far.
#[derive(Clone, Default)]
pub struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    has_ended: bool,
}

impl Lines {
    /// Reads to the end on a thread of its own.
    pub fn of(from: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                into.change(|written| {
                    written.lines.push(String::from_utf8_lossy(&line).into_owned());
                });
            }
            into.change(|written| written.has_ended = true);
        });
        lines
    }

    /// How many lines there are now: what comes later is after this.
    pub fn mark(&self) -> usize {
        self.lock().lines.len()
    }

    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// Waits for a line after `mark` with these words.
    pub fn wait(&self, mark: usize, words: &str) -> Result<String> {
        self.wait_for(mark, words, |line| line.contains(words))
    }

    /// Waits for a line after `mark` that is as wanted.
    pub fn wait_for(
        &self,
        mark: usize,
        what: &str,
        is_it: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let end = Instant::now() + LIMIT;
        let mut next = mark;
        let mut written = self.lock();
        loop {
            let new = written.lines.get(next..).unwrap_or_default();
            if let Some(line) = new.iter().find(|line| is_it(line)) {
                return Ok(line.clone());
            }
            next = written.lines.len();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || written.has_ended {
                let lines = written.lines.join("\n");
                bail!("{what:?} was not written; after line {mark} of:\n{lines}");
            }
            written = self.wait_briefly(written, left);
        }
    }

    /// Waits until there are more lines than `mark`, or no longer than `limit`.
    pub fn more_than(&self, mark: usize, limit: Duration) {
        let end = Instant::now() + limit;
        let mut written = self.lock();
        while written.lines.len() <= mark && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            written = self.wait_briefly(written, left);
        }
    }

    fn wait_briefly<'a>(
        &self,
        written: MutexGuard<'a, Written>,
        limit: Duration,
    ) -> MutexGuard<'a, Written> {
        let woken = self.0.changed.wait_timeout(written, limit);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
