//! The last lines of stderr, for the error message of a plugin that failed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::hclog::Reader;

const LINES: usize = 8;

/// In bytes: of each line only the beginning is kept.
const LINE: usize = 300;

/// Bounded, and shared between the task that reads stderr and whoever reports.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: Mutex<VecDeque<Box<[u8]>>>,
}

impl Tail {
    pub(crate) fn push(&self, line: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line[..line.len().min(LINE)].into());
    }

    /// The lines as people read them: hclog's JSON as its message and pairs, control characters
    /// escaped.
    pub(crate) fn read(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| plain(line)).collect()
    }
}

fn plain(line: &[u8]) -> String {
    let line = Reader::default().line(line);
    let mut text = line.message;
    for (key, value) in line.fields.iter().filter(|(key, _)| !key.starts_with('@')) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.extend([" ", key, "=", &value]);
    }
    text.chars().flat_map(escaped).collect()
}

/// Quotes stay as they are, what could move a terminal's cursor does not.
fn escaped(character: char) -> impl Iterator<Item = char> {
    let is_control = character.is_control();
    let escaped = is_control.then(|| character.escape_default());
    escaped.into_iter().flatten().chain((!is_control).then_some(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_and_only_their_beginning() {
        let tail = Tail::default();
        (0..100).for_each(|number| tail.push(format!("line {number} {:1000}", "").as_bytes()));
        let lines = tail.read();
        assert_eq!(lines.len(), LINES);
        assert!(lines[LINES - 1].starts_with("line 99") && lines[LINES - 1].len() <= LINE);
    }

    #[test]
    fn hclog_lines_read_as_text_and_control_characters_are_escaped() {
        let tail = Tail::default();
        tail.push(br#"{"@level":"error","@message":"plugin init error","error":"bind: \"x\""}"#);
        tail.push(b"\x1b[31mred");
        assert_eq!(tail.read(), ["plugin init error error=bind: \"x\"", "\\u{1b}[31mred"]);
    }
}
