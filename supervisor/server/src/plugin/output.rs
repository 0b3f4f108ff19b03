//! Where a process's output goes: its plugin's log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use outboard_host::{LogLine, Output};
use tracing::Level;

use super::log::{LogEntry, PluginLog};

/// A line that grows beyond this is cut in pieces.
const LONGEST_LINE: usize = 8192;

pub(super) struct LogOutput {
    stdout: Stream,
    stderr: Stream,
    log: Arc<PluginLog>,
}

/// What a plugin prints as it likes, cut into lines.
struct Stream {
    name: &'static str,
    level: Level,
    log: Arc<PluginLog>,
    /// The beginning of a line.
    partial: Mutex<Vec<u8>>,
}

impl LogOutput {
    pub(super) fn new(log: Arc<PluginLog>) -> Self {
        let stream =
            |name, level| Stream { name, level, log: log.clone(), partial: Mutex::default() };
        Self { stdout: stream("stdout", Level::INFO), stderr: stream("stderr", Level::WARN), log }
    }
}

impl Stream {
    fn take(&self, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LONGEST_LINE {
                self.print(&partial);
                partial.clear();
            }
        }
    }

    fn print(&self, line: &[u8]) {
        let message = String::from_utf8_lossy(line).trim_end().to_owned();
        if !message.is_empty() {
            let fields = vec![("stream".to_owned(), self.name.to_owned())];
            let entry = LogEntry { time: SystemTime::now(), level: self.level, message, fields };
            self.log.write(entry);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let partial =
            std::mem::take(self.partial.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.print(&partial);
    }
}

impl Output for LogOutput {
    fn line(&self, line: LogLine) {
        let module = line.module.map(|module| ("module".to_owned(), module));
        let others = line.fields.into_iter().map(|(name, value)| (name, text(value)));
        let fields = module.into_iter().chain(others).collect();
        self.log.write(LogEntry {
            time: line.timestamp.map_or_else(SystemTime::now, Into::into),
            level: level(line.level),
            message: line.message,
            fields,
        });
    }

    fn dropped(&self, count: u64) {
        self.log.lost(count);
    }

    fn stdout(&self, bytes: &[u8]) {
        self.stdout.take(bytes);
    }

    fn stderr(&self, bytes: &[u8]) {
        self.stderr.take(bytes);
    }
}

fn level(level: outboard_host::Level) -> Level {
    match level {
        outboard_host::Level::Trace => Level::TRACE,
        outboard_host::Level::Debug => Level::DEBUG,
        outboard_host::Level::Info => Level::INFO,
        outboard_host::Level::Warn => Level::WARN,
        outboard_host::Level::Error => Level::ERROR,
    }
}

fn text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
