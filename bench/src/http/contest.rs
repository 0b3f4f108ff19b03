//! Rounds in which servers take turns under the same load.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::{server::Server, wrk::Wrk};

/// A server, and what it is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Entrant<'a> {
    pub(crate) server: &'a Server,
    pub(crate) path: &'a str,
}

/// How it did, in one round or in all.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time of a request, in µs: of the process that clients talk to, and of that behind it.
    pub(crate) front: f64,
    pub(crate) behind: f64,
}

/// All valid rounds of all entrants with so many connections, in the order of the entrants.
pub(crate) struct Standing {
    pub(crate) connections: usize,
    pub(crate) samples: Vec<Vec<Sample>>,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// In each round every number of connections comes once and every entrant takes its turn, both in an order of chance,
/// so that nobody always follows the same one.
pub(crate) fn run(
    entrants: &[Entrant<'_>],
    connections: &[usize],
    wrk: &Wrk,
    effort: Effort,
    chance: &mut Chance,
) -> Result<Vec<Standing>> {
    let empty = |&connections| Standing { connections, samples: vec![vec![]; entrants.len()] };
    let mut standings: Vec<Standing> = connections.iter().map(empty).collect();
    for _ in 0..effort.rounds {
        for index in chance.order(connections.len()) {
            let standing = &mut standings[index];
            let turns = chance.order(entrants.len());
            standing.round(entrants, &turns, wrk, effort.seconds)?;
        }
    }
    for standing in &standings {
        let valid = standing.samples.first().map_or(0, Vec::len);
        let connections = standing.connections;
        ensure!(2 * valid > effort.rounds, "{connections} connections: {valid} valid rounds");
    }
    Ok(standings)
}

impl Standing {
    /// A round in which one of them failed requests counts for none.
    fn round(
        &mut self,
        entrants: &[Entrant<'_>],
        turns: &[usize],
        wrk: &Wrk,
        seconds: u64,
    ) -> Result<()> {
        let mut round = vec![None; entrants.len()];
        for &turn in turns {
            round[turn] = sample(entrants[turn], self.connections, wrk, seconds)?;
        }
        if let Some(round) = round.into_iter().collect::<Option<Vec<_>>>() {
            self.samples.iter_mut().zip(round).for_each(|(samples, sample)| samples.push(sample));
        }
        Ok(())
    }
}

/// One run. Nothing, and a line on stderr, if not every request succeeded.
pub(crate) fn sample(
    entrant: Entrant<'_>,
    connections: usize,
    wrk: &Wrk,
    seconds: u64,
) -> Result<Option<Sample>> {
    let Entrant { server, path } = entrant;
    let before = server.used()?;
    let load = wrk.run(server.address, path, connections, seconds)?;
    let after = server.used()?;
    if load.errors > 0 || load.requests < 1.0 {
        let (name, errors) = (server.name, load.errors);
        eprintln!("bench: {name}, {path}, {connections} connections: {errors} errors; left out");
        return Ok(None);
    }
    let each = |before: Duration, after: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / load.requests
    };
    Ok(Some(Sample {
        per_second: load.per_second(),
        p50: load.p50,
        p99: load.p99,
        front: each(before.front, after.front),
        behind: each(before.behind, after.behind),
    }))
}

/// Orders that nobody planned.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.as_secs() << 32 | u64::from(now.subsec_nanos()) | 1)
    }

    /// The numbers below `count`, shuffled.
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }

    /// A number below `bound`, by xorshift: far better than needed here.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).map_or(0, |number| number % bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_every_number_once_and_changes() {
        let mut chance = Chance(1);
        let orders: Vec<_> = (0..10).map(|_| chance.order(6)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
        }
        assert!(orders.iter().any(|order| *order != orders[0]));
    }
}
