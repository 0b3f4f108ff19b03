//! Callbacks: how many a second, and how long each takes, beside one that needs no database.

use std::fmt::Write as _;

use anyhow::Result;

use super::stage::Stage;
use crate::{
    figures::{ratio, span},
    golang::Calls,
};

const IN_FLIGHT: [usize; 3] = [1, 16, 64];
const QUESTIONS: [(&str, &str); 3] = [
    ("info", "`Host.Info`, which needs no database"),
    ("session", "`Sessions.IsScopeSatisfied`"),
    ("user", "`Users.Get`, any of them"),
];
const TABLE: &str =
    "| in flight | | calls/s | × `Info` | p50 µs | p99 µs |\n|--:|---|--:|--:|--:|--:|\n";

pub(super) fn measure(
    stage: &Stage,
    session: &str,
    users: usize,
    rounds: usize,
    seconds: u64,
) -> Result<String> {
    let mut text = TABLE.to_owned();
    for in_flight in IN_FLIGHT {
        let mut measured = QUESTIONS.map(|_| Vec::new());
        for _ in 0..rounds {
            for ((question, _), rounds) in QUESTIONS.iter().zip(&mut measured) {
                rounds.push(stage.ask(question, session, users, in_flight, seconds)?);
            }
        }
        let info = column(&measured[0], |calls| calls.per_second);
        for ((_, label), calls) in QUESTIONS.iter().zip(&measured) {
            let per_second = column(calls, |calls| calls.per_second);
            let (p50, p99) = (column(calls, |it| it.p50_us), column(calls, |it| it.p99_us));
            writeln!(
                text,
                "| {in_flight} | {label} | {} | {:.2} | {} | {} |",
                span(&per_second, 0),
                ratio(&per_second, &info),
                span(&p50, 0),
                span(&p99, 0)
            )?;
        }
    }
    Ok(text)
}

fn column(calls: &[Calls], of: impl Fn(&Calls) -> f64) -> Vec<f64> {
    calls.iter().map(of).collect()
}
