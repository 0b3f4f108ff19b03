//! The last lines of stderr, for the error message of a plugin that failed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::hclog::{LogLine, Reader};

const LINES: usize = 8;

/// In bytes: of what each line says only the beginning is kept.
const LINE: usize = 300;

/// Bounded, and shared between the task that reads stderr and whoever reports.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: Mutex<VecDeque<Box<str>>>,
}

impl Tail {
    /// A line as it was understood, whole, so that what is cut is the text and not its JSON.
    pub(crate) fn push(&self, line: &LogLine) {
        let text = plain(line).into();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }

    /// A line that came too fast to be parsed. One that is cut stays as it was written.
    pub(crate) fn push_unread(&self, line: &[u8]) {
        self.push(&Reader::default().line(&line[..line.len().min(LINE)]));
    }

    /// The lines as people read them: hclog's JSON as its message and pairs, control characters
    /// escaped.
    pub(crate) fn read(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(ToString::to_string).collect()
    }
}

fn plain(line: &LogLine) -> String {
    let mut text = begin(&line.message).to_owned();
    for (key, value) in line.fields.iter().filter(|(key, _)| !key.starts_with('@')) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.extend([" ", begin(key), "=", begin(&value)]);
    }
    let text: String = begin(&text).chars().flat_map(escaped).collect();
    begin(&text).to_owned()
}

/// As much of it as is kept.
fn begin(text: &str) -> &str {
    &text[..text.floor_char_boundary(LINE)]
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

    fn push(tail: &Tail, line: &[u8]) {
        tail.push(&Reader::default().line(line));
    }

    #[test]
    fn only_the_last_lines_are_kept_and_only_their_beginning() {
        let tail = Tail::default();
        (0..100).for_each(|number| push(&tail, format!("line {number} {:1000}", "").as_bytes()));
        let lines = tail.read();
        assert_eq!(lines.len(), LINES);
        assert!(lines[LINES - 1].starts_with("line 99") && lines[LINES - 1].len() <= LINE);
    }

    #[test]
    fn a_long_hclog_line_is_cut_as_text_and_still_says_what_it_says() {
        let tail = Tail::default();
        let stack = "\u{e4}".repeat(1000);
        let line = format!(r#"{{"stack":"{stack}","@level":"error","@message":"no database"}}"#);
        push(&tail, line.as_bytes());
        tail.push_unread(line.as_bytes());
        let lines = tail.read();
        assert!(lines[0].starts_with("no database stack=\u{e4}\u{e4}"), "{}", lines[0]);
        assert!(lines[1].starts_with("{\"stack\":"), "{}", lines[1]);
        assert!(lines.iter().all(|line| line.len() <= LINE), "{lines:?}");
    }

    #[test]
    fn hclog_lines_read_as_text_and_control_characters_are_escaped() {
        let tail = Tail::default();
        push(&tail, br#"{"@level":"error","@message":"plugin init error","error":"bind: \"x\""}"#);
        push(&tail, b"\x1b[31mred");
        assert_eq!(tail.read(), ["plugin init error error=bind: \"x\"", "\\u{1b}[31mred"]);
    }
}
