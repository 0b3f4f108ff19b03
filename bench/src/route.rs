//! P5: finding the endpoints of a path among few and among many.

use std::{
    fmt::Write as _,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use outboard_core::route::{EndpointSpec, Endpoints, Path, Table};

use crate::{
    figures::{median, ratio, span, verdict},
    http::Chance,
    program::Cores,
};

const SIZES: [usize; 5] = [10, 100, 1000, 10_000, 100_000];
/// One activation has no more, and one call adds no more: a table of more is put together from several.
const MOST_OF_ONE: usize = 10_000;
const MOST_IN_ONE_CALL: usize = 1000;
/// Lookups of a round.
const LOOKUPS: u32 = 200_000;

pub(crate) fn measure(rounds: usize) -> Result<String> {
    Cores::One(0).run(|| {
        let mut chance = Chance::new();
        let sites = SIZES.map(|size| Site::new(size, &mut chance));
        let sites = sites.into_iter().collect::<Result<Vec<_>>>()?;
        let mut warm = vec![Vec::new(); sites.len()];
        let mut random = vec![Vec::new(); sites.len()];
        for _ in 0..rounds {
            for index in chance.order(sites.len()) {
                let site = &sites[index];
                warm[index].push(site.look_up(std::iter::repeat(site.middle))?);
                random[index].push(site.look_up((0..SIZES[index]).cycle())?);
            }
        }
        report(&warm, &random)
    })
}

/// A table, and a path for each of its endpoints.
struct Site {
    table: Table,
    /// All paths in one piece and in an order of chance, so that walking along them costs nothing but what the
    /// lookups cost: a path of a real request has just been read and is at hand.
    paths: Vec<u8>,
    ends: Vec<usize>,
    /// Where the path of an endpoint out of the middle is, of the form with one variable.
    middle: usize,
}

impl Site {
    fn new(size: usize, chance: &mut Chance) -> Result<Self> {
        let mut endpoints = Vec::new();
        for numbers in (0..size).collect::<Vec<_>>().chunks(MOST_OF_ONE) {
            let mut of_one = Endpoints::default();
            for numbers in numbers.chunks(MOST_IN_ONE_CALL) {
                of_one.add(numbers.iter().map(|&number| spec(number)).collect())?;
            }
            endpoints.extend(of_one.iter().cloned().map(Arc::new));
        }
        let (mut paths, mut ends, mut middle) = (Vec::new(), Vec::new(), 0);
        for number in chance.order(size) {
            if number == size / 8 * 4 + 1 {
                middle = ends.len();
            }
            paths.extend(path(number).bytes());
            ends.push(paths.len());
        }
        Ok(Self { table: Table::new(endpoints), paths, ends, middle })
    }

    /// Nanoseconds of a lookup, from the path as a client sent it.
    fn look_up(&self, which: impl Iterator<Item = usize>) -> Result<f64> {
        let mut found = 0;
        let begun = Instant::now();
        for index in which.take(LOOKUPS as usize) {
            let begin = if index == 0 { 0 } else { self.ends[index - 1] };
            let path = Path::parse(black_box(&self.paths[begin..self.ends[index]]))?;
            let segments = path.strip(&["api", "site"]).context("another prefix")?;
            found += black_box(self.table.matches("GET", segments)).len();
        }
        let took: Duration = begun.elapsed();
        ensure!(found == LOOKUPS as usize, "{found} of {LOOKUPS} paths have an endpoint");
        Ok(took.as_secs_f64() * 1e9 / f64::from(LOOKUPS))
    }
}

/// A hundred to an area, of four forms.
fn spec(number: usize) -> EndpointSpec {
    let form = ["", "/:id", "/settings", "/parts/:part/*"][number % 4];
    EndpointSpec {
        id: u32::try_from(number + 1).unwrap_or(u32::MAX),
        url: format!("area-{}/thing-{number}{form}", number / 100),
        ..EndpointSpec::default()
    }
}

fn path(number: usize) -> String {
    let form = ["", "/4711", "/settings", "/parts/left/over"][number % 4];
    format!("/api/site/area-{}/thing-{number}{form}", number / 100)
}

fn report(warm: &[Vec<f64>], random: &[Vec<f64>]) -> Result<String> {
    let mut text = String::from(
        "From the path of a request to its endpoint: cut, decoded, found. Patterns of 2 to 5 segments, half of them \
         with variables. *The same*: one path over and over; *all*: every endpoint's, in an order of chance, so that \
         the processor's caches don't have the place.\n\n\
         | endpoints | the same, ns | all, ns |\n|--:|--:|--:|\n",
    );
    for ((size, warm), random) in SIZES.iter().zip(warm).zip(random) {
        writeln!(text, "| {size} | {} | {} |", span(warm, 0), span(random, 0))?;
    }
    let ([few, .., many], [few_random, .., many_random]) = (warm, random) else {
        return Ok(text);
    };
    let slowest = median(many).max(median(many_random));
    let flat = ratio(many, few);
    writeln!(
        text,
        "\n* 100,000 endpoints: {slowest:.0} ns (promised ≤ 1000): {}",
        verdict(slowest <= 1000.0)
    )?;
    writeln!(
        text,
        "* 100,000 against 10: {flat:.2} × the time for the same path (promised: flat; here ≤ 1.5): {}; {:.2} × for \
         all of them, which is the processor's caches",
        verdict(flat <= 1.5),
        ratio(many_random, few_random)
    )?;
    Ok(text)
}
