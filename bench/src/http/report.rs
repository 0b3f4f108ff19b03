//! How a contest is written down.

use std::fmt::Write as _;

use anyhow::Result;

use super::contest::{Entrant, Sample, Standing};
use crate::figures::{median, ratio, span};

/// A row for each number of connections and each entrant; the last one is what the others are compared with.
pub(crate) fn table(entrants: &[Entrant<'_>], standings: &[Standing]) -> Result<String> {
    let peer = entrants.last().map_or("", |entrant| entrant.server.name);
    let mut text = format!(
        "| connections | | requests/s | × {peer} | p50 µs | p99 µs | processor µs a request: front + plugin |\n\
         |--:|---|--:|--:|--:|--:|--:|\n"
    );
    for standing in standings {
        for (index, entrant) in entrants.iter().enumerate() {
            let of = |figure: fn(&Sample) -> f64| standing.figures(index, figure);
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.1} + {:.1} |",
                standing.connections,
                entrant.server.name,
                span(&of(|sample| sample.per_second), 0),
                span(&standing.ratios(index, |sample| sample.per_second), 2),
                span(&of(|sample| sample.p50), 0),
                span(&of(|sample| sample.p99), 0),
                median(&of(|sample| sample.front)),
                median(&of(|sample| sample.behind)),
            )?;
        }
    }
    Ok(text)
}

impl Standing {
    pub(crate) fn figures(&self, index: usize, figure: fn(&Sample) -> f64) -> Vec<f64> {
        self.samples[index].iter().map(figure).collect()
    }

    /// Each round's own ratio to the last entrant.
    fn ratios(&self, index: usize, figure: fn(&Sample) -> f64) -> Vec<f64> {
        let peer = self.figures(self.samples.len() - 1, figure);
        self.figures(index, figure).iter().zip(&peer).map(|(ours, theirs)| ours / theirs).collect()
    }

    /// The median of the first entrant's ratios to the last.
    pub(crate) fn ratio(&self, figure: fn(&Sample) -> f64) -> f64 {
        ratio(&self.figures(0, figure), &self.figures(self.samples.len() - 1, figure))
    }
}

impl Sample {
    /// Of both processes.
    pub(crate) fn processor(&self) -> f64 {
        self.front + self.behind
    }
}
