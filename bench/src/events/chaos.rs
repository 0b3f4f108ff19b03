//! Everything is killed at random moments, and then nothing may be missing.

use std::{
    fmt::Write as _,
    sync::atomic::Ordering,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    journal::Journal,
    publish::{KEYS, Progress, publish},
    stage::{Notifier, Stage},
};
use crate::figures::verdict;

const SOURCES: usize = 8;
const NOTIFIERS: [&str; 2] = ["first", "second"];
/// At least so many; a long run has more.
const KILLS: usize = 10;
const MOST_PAUSE: Duration = Duration::from_secs(3);
/// As long as nothing is told, before that is a loss.
const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Kills {
    supervisor: usize,
    notifiers: usize,
}

pub(crate) fn measure(count: usize) -> Result<String> {
    let notifiers = NOTIFIERS.map(|name| Notifier { name, holds: false });
    let mut stage = Stage::open(&notifiers)?;
    let count = count - count % SOURCES;
    let progress = Progress::default();
    let begun = Instant::now();
    let kills = thread::scope(|scope| {
        let (socket, progress) = (stage.socket(), &progress);
        let sources: Vec<_> = (0..SOURCES)
            .map(|source| {
                let socket = socket.clone();
                scope.spawn(move || publish(&socket, source, count / SOURCES, progress))
            })
            .collect();
        let kills =
            kill_at_random(&mut stage, || sources.iter().all(ScopedJoinHandle::is_finished));
        for source in sources {
            source.join().map_err(|_| anyhow::anyhow!("a source panicked"))??;
        }
        kills
    })?;
    let published = begun.elapsed();
    let journals = drain(&stage, count)?;
    report(count, &progress, &kills, published, begun.elapsed(), &journals)
}

/// Until all is published, and some kills longer in a short run: there are events to be told then.
fn kill_at_random(stage: &mut Stage, is_published: impl Fn() -> bool) -> Result<Kills> {
    let mut kills = Kills::default();
    while !is_published() || kills.supervisor + kills.notifiers < KILLS {
        let most = if is_published() { MOST_PAUSE / 10 } else { MOST_PAUSE };
        thread::sleep(rand::random_range(Duration::ZERO..most));
        if let Some(name) = NOTIFIERS.get(rand::random_range(0..2 * NOTIFIERS.len())) {
            kills.notifiers += usize::from(stage.kill_notifier(name));
        } else {
            stage.kill_supervisor()?;
            kills.supervisor += 1;
        }
    }
    Ok(kills)
}

/// Waits until each notifier was told of everything, or of nothing new for long.
fn drain(stage: &Stage, count: usize) -> Result<Vec<Journal>> {
    let mut journals = Vec::new();
    for name in NOTIFIERS {
        let mut journal = Journal::open(&stage.journal(name), SOURCES)?;
        let (mut told, mut since) = (journal.read()?, Instant::now());
        while told < count && since.elapsed() < PATIENCE {
            thread::sleep(GLANCE);
            let now = journal.read()?;
            if now > told {
                (told, since) = (now, Instant::now());
            }
        }
        eprintln!("bench: {name} was told of {told} of {count}");
        journals.push(journal);
    }
    Ok(journals)
}

fn report(
    count: usize,
    progress: &Progress,
    kills: &Kills,
    published: Duration,
    told: Duration,
    journals: &[Journal],
) -> Result<String> {
    let accepted = progress.accepted.load(Ordering::Relaxed);
    ensure!(accepted == count, "{accepted} of {count} events were accepted");
    let sum = |figure: fn(&Journal) -> usize| journals.iter().map(figure).sum::<usize>();
    let different = sum(|journal| journal.lines - journal.repeats);
    let lost = count * NOTIFIERS.len() - different;
    let (disorder, other_ids) = (sum(|journal| journal.disorder), sum(|journal| journal.other_ids));
    let shared: usize = journals.iter().map(Journal::shared_ids).sum();
    let is_kept = lost + disorder + other_ids + shared == 0;
    let mut text = format!(
        "{count} events from {SOURCES} sources with {KEYS} keys each, told to {} notifiers, while the supervisor was \
         killed (-9) {} times and a notifier {} times. {} times a batch was sent in vain and sent again. All were accepted after \
         {:.1} s, and told after {:.1} s.\n\n",
        NOTIFIERS.len(),
        kills.supervisor,
        kills.notifiers,
        progress.again.load(Ordering::Relaxed),
        published.as_secs_f64(),
        told.as_secs_f64(),
    );
    writeln!(text, "* lost: {lost}; first told out of the order of their key: {disorder}")?;
    writeln!(
        text,
        "* told more than once: {}, of these with another delivery id: {other_ids}; events that share an id: {shared}",
        sum(|journal| journal.repeats)
    )?;
    writeln!(text, "* none lost, order kept, repeats under the same id: {}", verdict(is_kept))?;
    Ok(text)
}
