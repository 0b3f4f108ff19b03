//! A list of steps, each announced before and timed after; at the end, a line for each.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

pub(crate) struct Steps {
    begun: Instant,
    done: Vec<(&'static str, Duration, bool)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), done: Vec::new() }
    }

    /// Does one step. Its error says which step it was.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        eprintln!("\n== {name}");
        let begun = Instant::now();
        let result = run();
        self.done.push((name, begun.elapsed(), result.is_ok()));
        result.with_context(|| name.to_owned())
    }

    /// What was done, and how long it took.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::from("\n");
        for (name, took, is_ok) in &self.done {
            let verdict = if *is_ok { "ok" } else { "FAILED" };
            let _ = writeln!(text, "{:>8.1} s  {verdict:6}  {name}", took.as_secs_f64());
        }
        let _ = write!(text, "{:>8.1} s  in all", self.begun.elapsed().as_secs_f64());
        text
    }
}
