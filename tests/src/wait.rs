//! Waiting for what nobody announces: it is asked for again and again, and not for ever.

use std::{
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::supervisor::LIMIT;

/// Between two questions.
const PACE: Duration = Duration::from_millis(10);

/// Asks until the answer is as it should be, and gives that one.
pub fn until<T: Debug>(ask: impl FnMut() -> Result<T>, is_so: impl FnMut(&T) -> bool) -> Result<T> {
    until_within(LIMIT, ask, is_so)
}

/// The same, where it may take longer.
pub fn until_within<T: Debug>(
    limit: Duration,
    mut ask: impl FnMut() -> Result<T>,
    mut is_so: impl FnMut(&T) -> bool,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = ask()?;
        if is_so(&answer) {
            return Ok(answer);
        }
        ensure!(Instant::now() < end, "after {limit:?} it stays {answer:?}");
        thread::sleep(PACE);
    }
}
