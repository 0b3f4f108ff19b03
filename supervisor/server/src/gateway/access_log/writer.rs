//! The thread that writes the access log.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Line, Message, PAUSE};

/// Written at once at most, in bytes, give or take a line.
const BATCH: usize = 256 << 10;
/// Shortest time between two complaints.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    path: PathBuf,
    file: File,
    inbox: Receiver<Message>,
    /// Lines that are missing, whoever dropped them.
    dropped: Arc<AtomicU64>,
    batch: Vec<u8>,
    lines: u64,
    /// The last batch was only written in part.
    is_torn: bool,
    told: u64,
    last_told: Option<Instant>,
}

/// What is to follow a batch.
enum Next {
    /// Nothing is left: lines may gather.
    Pause,
    Batch,
    End,
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        file: File,
        inbox: Receiver<Message>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self {
            path,
            file,
            inbox,
            dropped,
            batch: Vec::with_capacity(BATCH),
            lines: 0,
            is_torn: false,
            told: 0,
            last_told: None,
        }
    }

    /// Until it is told to end, or nobody is left who could log.
    pub(super) fn run(mut self) {
        loop {
            match self.inbox.recv_timeout(COMPLAIN_EVERY) {
                Ok(message) => match self.batch(message) {
                    Next::Pause => std::thread::sleep(PAUSE),
                    Next::Batch => {}
                    Next::End => break,
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.complain();
        }
        self.last_told = None;
        self.complain();
    }

    /// Takes what is there, and writes it.
    fn batch(&mut self, first: Message) -> Next {
        let mut message = first;
        loop {
            match message {
                Message::Line(line) => self.add(&line),
                Message::Reopen => self.reopen(),
                Message::Close(done) => {
                    self.write();
                    // Tells who waits that all is written.
                    drop(done);
                    return Next::End;
                }
            }
            if self.batch.len() >= BATCH {
                self.write();
                return Next::Batch;
            }
            message = match self.inbox.try_recv() {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        self.write();
        Next::Pause
    }

    fn add(&mut self, line: &Line) {
        let before = self.batch.len();
        match serde_json::to_writer(&mut self.batch, &Shown::from(line)) {
            Ok(()) => self.batch.push(b'\n'),
            // Never met: the line has only text and numbers, and memory takes them all.
            Err(_) => self.batch.truncate(before),
        }
        self.lines += 1;
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.is_torn {
            self.batch.insert(0, b'\n');
        }
        let written = self.file.write_all(&self.batch);
        if let Err(error) = &written {
            let lost = self.dropped.fetch_add(self.lines, Ordering::Relaxed) + self.lines;
            if self.may_complain() {
                self.told = lost;
                let path = self.path.display();
                tracing::error!(%path, %error, lines = self.lines, "the access log could not be written; see whether its disk is full");
            }
        }
        self.is_torn = written.is_err();
        self.batch.clear();
        self.lines = 0;
    }

    fn reopen(&mut self) {
        self.write();
        match super::open(&self.path) {
            Ok(file) => {
                self.file = file;
                self.is_torn = false;
            }
            Err(error) => {
                let advice = super::advice(&error);
                tracing::error!(path = %self.path.display(), %error, "the access log could not be opened anew, the old file stays; {advice}");
            }
        }
    }

    fn complain(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.told && self.may_complain() {
            let lines = dropped - self.told;
            self.told = dropped;
            tracing::warn!(
                lines,
                "lines are missing in the access log: they came faster than its disk takes them"
            );
        }
    }

    fn may_complain(&mut self) -> bool {
        let may = self.last_told.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY);
        if may {
            self.last_told = Some(Instant::now());
        }
        may
    }
}

/// A line as it is written.
#[derive(Serialize)]
struct Shown<'l> {
    time: String,
    client: String,
    method: &'l str,
    path: &'l str,
    protocol: &'static str,
    status: Option<u16>,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u64,
    request_id: &'l str,
    plugin: Option<&'l str>,
    instance: Option<&'l str>,
    outcome: &'static str,
}

impl<'l> From<&'l Line> for Shown<'l> {
    fn from(line: &'l Line) -> Self {
        let instance = line.instance.as_deref();
        let client = &line.client;
        Self {
            time: humantime::format_rfc3339_micros(line.began).to_string(),
            client: if client.is_empty() { line.peer.to_string() } else { client.clone() },
            method: line.method.as_str(),
            path: &line.path,
            protocol: line.protocol,
            status: (line.status != 0).then_some(line.status),
            bytes_in: line.received.load(Ordering::Relaxed),
            bytes_out: line.sent,
            duration_us: u64::try_from(line.took.as_micros()).unwrap_or(u64::MAX),
            request_id: &line.request_id,
            plugin: instance.map(|name| name.plugin.as_str()),
            instance: instance.map(|name| name.instance.as_str()),
            outcome: line.outcome,
        }
    }
}
