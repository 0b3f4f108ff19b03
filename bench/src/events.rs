//! P9: events while everything is killed, and how many a second are taken in, beside Redis streams.
//!
//! Both from outside: the real supervisor, its service socket, and notifiers that write down what they are told.

mod chaos;
mod client;
mod journal;
mod publish;
mod rates;
mod redis;
mod stage;

use anyhow::Result;

/// `count` events while supervisor and notifiers are killed, then `rounds` of `seconds` beside Redis.
pub(crate) fn measure(count: usize, rounds: usize, seconds: u64) -> Result<String> {
    let chaos = chaos::measure(count)?;
    eprintln!("bench: events, beside Redis");
    let rates = rates::measure(rounds, seconds)?;
    Ok(format!("{chaos}\n{rates}"))
}
