//! Where a process's output goes: its plugin's log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use outboard_host::{LogLine, Output};
use tracing::Level;

use super::log::{LogEntry, PluginLog};

/// A line of standard output that grows beyond this is cut in pieces.
const LONGEST_LINE: usize = 8192;

pub(super) struct LogOutput {
    log: Arc<PluginLog>,
    /// The beginning of a line of standard output.
    partial: Mutex<Vec<u8>>,
}

impl LogOutput {
    pub(super) fn new(log: Arc<PluginLog>) -> Self {
        Self { log, partial: Mutex::default() }
    }

    fn print(&self, line: &[u8]) {
        let message = String::from_utf8_lossy(line).trim_end().to_owned();
        if !message.is_empty() {
            let fields = vec![("stream".to_owned(), "stdout".to_owned())];
            let entry = LogEntry { time: SystemTime::now(), level: Level::INFO, message, fields };
            self.log.write(entry);
        }
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
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LONGEST_LINE {
                self.print(&partial);
                partial.clear();
            }
        }
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

impl Drop for LogOutput {
    fn drop(&mut self) {
        let partial =
            std::mem::take(self.partial.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.print(&partial);
    }
}
