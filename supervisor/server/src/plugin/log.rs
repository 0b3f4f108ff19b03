//! What a plugin says: kept for `outboard plugin logs`, and passed on to the supervisor's own log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::broadcast;
use tracing::Level;
use tracing::field::display;

use super::rate::Bucket;
use crate::task;

/// Lines kept for `outboard plugin logs`, and their size in bytes.
const KEPT: usize = 1000;
const KEPT_BYTES: usize = 1 << 20;

/// Longest message and longest value of a field, in bytes; what is longer is cut.
const LONGEST: usize = 8192;
/// Longest name of a field, in bytes.
const LONGEST_NAME: usize = 256;
const MOST_FIELDS: usize = 64;

/// How long lines may be missing before somebody is told.
const REPORT: Duration = Duration::from_secs(1);

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

/// The newest lines of one plugin, over all its processes and all the ways in which it logs.
#[derive(Debug)]
pub struct PluginLog {
    plugin: String,
    state: Mutex<State>,
    new: broadcast::Sender<LogEntry>,
}

#[derive(Debug)]
struct State {
    kept: VecDeque<LogEntry>,
    kept_bytes: usize,
    bucket: Bucket,
    /// Lines that came too fast since the last one that did not.
    dropped: u64,
}

impl PluginLog {
    /// Takes `rate` lines a second in the long run, and as many at once.
    pub fn new(plugin: String, rate: u32) -> Arc<Self> {
        let (new, _) = broadcast::channel(BACKLOG);
        let state =
            State { kept: VecDeque::new(), kept_bytes: 0, bucket: Bucket::new(rate), dropped: 0 };
        Arc::new(Self { plugin, state: Mutex::new(state), new })
    }

    /// False: it came too fast and was dropped. How many were is said before the next line that is not,
    /// or after a while.
    pub fn write(self: &Arc<Self>, entry: LogEntry) -> bool {
        let is_taken = self.write_at(Instant::now(), entry);
        if !is_taken && self.state().dropped == 1 {
            let log = self.clone();
            task::spawn("missing log lines", async move {
                tokio::time::sleep(REPORT).await;
                log.report();
            })
            .detach();
        }
        is_taken
    }

    /// Says what has been dropped so far.
    fn report(&self) {
        let mut state = self.state();
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            self.keep(&mut state, gap(dropped));
        }
    }

    fn write_at(&self, now: Instant, entry: LogEntry) -> bool {
        let mut state = self.state();
        if !state.bucket.take(now) {
            state.dropped += 1;
            return false;
        }
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            self.keep(&mut state, gap(dropped));
        }
        self.keep(&mut state, entry);
        true
    }

    /// Lines that were dropped before they came here.
    pub fn lost(&self, count: u64) {
        self.keep(&mut self.state(), gap(count));
    }

    /// The newest `count` lines, and every line after them.
    pub fn tail(&self, count: usize) -> (Vec<LogEntry>, broadcast::Receiver<LogEntry>) {
        let state = self.state();
        let skipped = state.kept.len().saturating_sub(count);
        (state.kept.iter().skip(skipped).cloned().collect(), self.new.subscribe())
    }

    fn keep(&self, state: &mut State, entry: LogEntry) {
        let entry = entry.cut();
        self.pass_on(&entry);
        state.kept_bytes += entry.bytes();
        state.kept.push_back(entry.clone());
        while state.kept.len() > KEPT || state.kept_bytes > KEPT_BYTES {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.kept_bytes -= oldest.bytes();
        }
        // Under the lock, so that `tail` neither misses nor repeats a line. Nobody listening is fine.
        let _ = self.new.send(entry);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, entry: &LogEntry) {
        let plugin = self.plugin.as_str();
        let message = entry.message.as_str();
        let fields = (!entry.fields.is_empty()).then(|| display(Fields(&entry.fields)));
        match entry.level {
            Level::ERROR => tracing::error!(target: "plugin", plugin, fields, "{message}"),
            Level::WARN => tracing::warn!(target: "plugin", plugin, fields, "{message}"),
            Level::INFO => tracing::info!(target: "plugin", plugin, fields, "{message}"),
            Level::DEBUG => tracing::debug!(target: "plugin", plugin, fields, "{message}"),
            Level::TRACE => tracing::trace!(target: "plugin", plugin, fields, "{message}"),
        }
    }
}

impl LogEntry {
    fn cut(mut self) -> Self {
        cut(&mut self.message, LONGEST);
        self.fields.truncate(MOST_FIELDS);
        for (name, value) in &mut self.fields {
            cut(name, LONGEST_NAME);
            cut(value, LONGEST);
        }
        self
    }

    fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.len());
        self.message.len() + fields.sum::<usize>()
    }
}

/// Between characters.
fn cut(text: &mut String, longest: usize) {
    text.truncate(text.floor_char_boundary(longest));
}

fn gap(count: u64) -> LogEntry {
    LogEntry {
        time: SystemTime::now(),
        level: Level::WARN,
        message: format!("{count} lines are missing here: they came faster than log.plugin_rate"),
        fields: Vec::new(),
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

    fn messages(entries: Vec<LogEntry>) -> Vec<String> {
        entries.into_iter().map(|entry| entry.message).collect()
    }

    #[test]
    fn the_newest_lines_are_kept_and_later_ones_follow_without_a_gap() {
        let log = PluginLog::new("hello".to_owned(), 10_000);
        for n in 0..KEPT + 5 {
            log.write(entry(n.to_string()));
        }
        let (old, mut new) = log.tail(2);
        log.write(entry("later".to_owned()));
        assert_eq!(messages(old), ["1003", "1004"]);
        assert_eq!(new.try_recv().unwrap().message, "later");
        assert_eq!(log.tail(usize::MAX).0.len(), KEPT);
    }

    #[test]
    fn lines_that_come_too_fast_are_counted_where_they_are_missing() {
        let log = PluginLog::new("hello".to_owned(), 2);
        let now = Instant::now();
        let taken = (0..5).filter(|n| log.write_at(now, entry(n.to_string()))).count();
        assert_eq!(taken, 2);
        assert!(log.write_at(now + Duration::from_secs(1), entry("later".to_owned())));
        let kept = messages(log.tail(10).0);
        assert!(kept[2].starts_with("3 lines are missing"), "{kept:?}");
        assert_eq!(kept[3], "later");
    }

    #[test]
    fn long_lines_are_cut_between_characters_and_all_together_stay_small() {
        let log = PluginLog::new("hello".to_owned(), 10_000);
        for _ in 0..KEPT {
            log.write(entry("é".repeat(LONGEST)));
        }
        let kept = log.tail(KEPT).0;
        assert!(kept.iter().all(|entry| entry.message.len() == LONGEST));
        assert!(kept.iter().map(LogEntry::bytes).sum::<usize>() <= KEPT_BYTES);
    }
}
