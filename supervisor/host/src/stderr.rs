//! A plugin's stderr: all of it to the raw sink, its lines parsed and at a bounded rate to the log.

mod hclog;
mod lines;
mod rate;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

pub use hclog::{Level, LogLine};
pub(crate) use tail::Tail;

use crate::launch::Output;
use crate::source::Source;
use hclog::Reader;
use lines::{Lines, Piece};
use rate::Bucket;

/// In the long run so many bytes of lines are parsed in a second, and so many at once.
const PER_SECOND: u32 = 1024 * 1024;
const BURST: u32 = 4 * 1024 * 1024;

/// What a line costs besides its bytes, so that empty lines are not free.
const PER_LINE: usize = 100;

/// How often a flood is reported.
const REPORT: Duration = Duration::from_secs(1);

/// A plugin that writes faster than its lines are taken waits so long for each 64 KiB: it may be
/// slowed, but must not keep a core of its host busy with reading.
const PAUSE: Duration = Duration::from_millis(5);

/// Reads stderr to its end.
pub(crate) async fn pump(mut source: Source, output: Arc<dyn Output>, tail: Arc<Tail>) {
    let began = Instant::now();
    let mut sorter = Sorter::new(&*output, &tail);
    let mut report_at = began;
    loop {
        let chunk = tokio::select! {
            chunk = source.next() => chunk,
            () = sleep_until(report_at), if sorter.dropped > 0 => {
                sorter.report();
                report_at = Instant::now() + REPORT;
                continue;
            }
        };
        if chunk.is_empty() {
            break;
        }
        if !sorter.push(&chunk, began.elapsed()) {
            sleep(PAUSE).await;
        }
    }
    sorter.end(began.elapsed());
}

/// Takes bytes, gives lines. Told the time, so that it needs none to pass.
struct Sorter<'a> {
    output: &'a dyn Output,
    tail: &'a Tail,
    lines: Lines,
    reader: Reader,
    bucket: Bucket,
    dropped: u64,
    ends_in_newline: bool,
}

impl<'a> Sorter<'a> {
    fn new(output: &'a dyn Output, tail: &'a Tail) -> Self {
        Self {
            output,
            tail,
            lines: Lines::default(),
            reader: Reader::default(),
            bucket: Bucket::new(PER_SECOND, BURST),
            dropped: 0,
            ends_in_newline: true,
        }
    }

    /// Whether everything could be let through.
    fn push(&mut self, bytes: &[u8], now: Duration) -> bool {
        self.output.stderr_raw(bytes);
        self.ends_in_newline = bytes.ends_with(b"\n");
        let dropped = self.dropped;
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(bytes, |piece| self.sort(&piece, now));
        self.lines = lines;
        self.dropped == dropped
    }

    fn end(&mut self, now: Duration) {
        if !self.ends_in_newline {
            self.output.stderr_raw(b"\n");
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.end(|piece| self.sort(&piece, now));
        self.report();
    }

    fn sort(&mut self, piece: &Piece<'_>, now: Duration) {
        let (Piece::Line(text) | Piece::Part(text)) = *piece;
        if text.is_empty() {
            return;
        }
        if !self.bucket.take(text.len() + PER_LINE, now) {
            self.tail.push_unread(text);
            self.dropped += 1;
            return;
        }
        let line = match piece {
            Piece::Line(line) => self.reader.line(line),
            Piece::Part(part) => hclog::part(part),
        };
        self.tail.push(&line);
        self.output.line(line);
    }

    fn report(&mut self) {
        if self.dropped > 0 {
            self.output.dropped(std::mem::take(&mut self.dropped));
        }
    }
}

#[cfg(test)]
mod tests;
