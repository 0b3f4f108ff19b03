//! What a plugin says: kept for `outboard plugin logs`, and passed on to the supervisor's own log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;
use tracing::Level;

/// Lines kept for `outboard plugin logs`.
const KEPT: usize = 1000;

/// New lines that a slow reader may fall behind before it misses some.
const BACKLOG: usize = 256;

/// One line of a plugin's log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub time: SystemTime,
    pub level: Level,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// The newest lines of one plugin, over all its processes.
#[derive(Debug)]
pub struct PluginLog {
    plugin: String,
    kept: Mutex<VecDeque<LogEntry>>,
    new: broadcast::Sender<LogEntry>,
}

impl PluginLog {
    pub fn new(plugin: String) -> Arc<Self> {
        let (new, _) = broadcast::channel(BACKLOG);
        Arc::new(Self { plugin, kept: Mutex::default(), new })
    }

    pub fn write(&self, entry: LogEntry) {
        self.pass_on(&entry);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(entry.clone());
        // Under the lock, so that `tail` neither misses nor repeats a line. Nobody listening is fine.
        let _ = self.new.send(entry);
    }

    /// The newest `count` lines, and every line after them.
    pub fn tail(&self, count: usize) -> (Vec<LogEntry>, broadcast::Receiver<LogEntry>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = kept.len().saturating_sub(count);
        (kept.iter().skip(skipped).cloned().collect(), self.new.subscribe())
    }

    fn pass_on(&self, entry: &LogEntry) {
        let plugin = self.plugin.as_str();
        let message = entry.message.as_str();
        let fields = Fields(&entry.fields);
        match entry.level {
            Level::ERROR => tracing::error!(target: "plugin", plugin, %fields, "{message}"),
            Level::WARN => tracing::warn!(target: "plugin", plugin, %fields, "{message}"),
            Level::INFO => tracing::info!(target: "plugin", plugin, %fields, "{message}"),
            Level::DEBUG => tracing::debug!(target: "plugin", plugin, %fields, "{message}"),
            Level::TRACE => tracing::trace!(target: "plugin", plugin, %fields, "{message}"),
        }
    }
}

/// `key=value` pairs. Their names are the plugin's, so they can't be fields of the supervisor's own.
struct Fields<'a>(&'a [(String, String)]);

impl std::fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{key}={value:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: String) -> LogEntry {
        LogEntry { time: SystemTime::UNIX_EPOCH, level: Level::INFO, message, fields: Vec::new() }
    }

    #[test]
    fn the_newest_lines_are_kept_and_later_ones_follow_without_a_gap() {
        let log = PluginLog::new("hello".to_owned());
        for n in 0..KEPT + 5 {
            log.write(entry(n.to_string()));
        }
        let (old, mut new) = log.tail(2);
        log.write(entry("later".to_owned()));
        let old: Vec<_> = old.into_iter().map(|entry| entry.message).collect();
        assert_eq!(old, ["1003", "1004"]);
        assert_eq!(new.try_recv().unwrap().message, "later");
        assert_eq!(log.tail(usize::MAX).0.len(), KEPT);
    }
}
