//! What a line of stderr means: hclog's JSON, a `[LEVEL]` prefix, a panic, or just text.
//!
//! Pure. Anything that is not quite hclog is shown as it was written, at Debug: a log line must
//! never be lost, or harm its host, because a field has an odd type.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How serious a line says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// hclog's `trace`.
    Trace,
    /// hclog's `debug`, and every line that does not say.
    Debug,
    /// hclog's `info`.
    Info,
    /// hclog's `warn`.
    Warn,
    /// hclog's `error`, and a panic with what follows it.
    Error,
}

/// One line that a plugin wrote to its stderr.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogLine {
    /// How serious it is.
    pub level: Level,
    /// The text; the whole line, prefix included, if the line was not hclog's JSON.
    pub message: String,
    /// hclog's `@module`, the name of the plugin's own logger.
    pub module: Option<String>,
    /// When the plugin wrote it, if it says.
    pub timestamp: Option<OffsetDateTime>,
    /// Every other key of an hclog line, in the order written.
    pub fields: Vec<(String, Value)>,
}

impl LogLine {
    fn plain(level: Level, line: &[u8]) -> Self {
        let message = String::from_utf8_lossy(line).into_owned();
        Self { level, message, module: None, timestamp: None, fields: Vec::new() }
    }
}

/// A piece of a line that was too long to parse.
pub(crate) fn part(piece: &[u8]) -> LogLine {
    LogLine::plain(Level::Debug, piece)
}

/// Reads line after line; it remembers whether the plugin is in the middle of a panic.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    trouble: Trouble,
}

/// What raises untagged lines to Error.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    #[default]
    None,
    /// Go dies of a panic, so everything after it belongs to it.
    Go,
    /// A Rust thread can panic alone: its report ends with the `note:` line or the next tagged line.
    Rust,
    /// A Python traceback ends with its first line that is not indented.
    Python,
}

impl Reader {
    /// The meaning of one whole line.
    pub(crate) fn line(&mut self, line: &[u8]) -> LogLine {
        match json(line) {
            Some(Json::Entry(entry)) => {
                self.settle();
                entry
            }
            Some(Json::NoLevel) => LogLine::plain(Level::Debug, line),
            None => LogLine::plain(self.level(line), line),
        }
    }

    fn level(&mut self, line: &[u8]) -> Level {
        if let Some(level) = tag(line) {
            self.settle();
            return level;
        }
        if let Some(trouble) = trouble(line) {
            self.trouble = trouble;
            return Level::Error;
        }
        match self.trouble {
            Trouble::None => return Level::Debug,
            Trouble::Rust if line.starts_with(b"note: ") => self.settle(),
            Trouble::Python if !line.starts_with(b" ") => self.settle(),
            Trouble::Go | Trouble::Rust | Trouble::Python => {}
        }
        Level::Error
    }

    fn settle(&mut self) {
        if self.trouble != Trouble::Go {
            self.trouble = Trouble::None;
        }
    }
}

fn tag(line: &[u8]) -> Option<Level> {
    const TAGS: [(&[u8], Level); 5] = [
        (b"[TRACE]", Level::Trace),
        (b"[DEBUG]", Level::Debug),
        (b"[INFO]", Level::Info),
        (b"[WARN]", Level::Warn),
        (b"[ERROR]", Level::Error),
    ];
    TAGS.iter().find(|(tag, _)| line.starts_with(tag)).map(|(_, level)| *level)
}

fn trouble(line: &[u8]) -> Option<Trouble> {
    if line.starts_with(b"panic: ") || line.starts_with(b"fatal error: ") {
        Some(Trouble::Go)
    } else if line.starts_with(b"thread '") && contains(line, b" panicked at ") {
        Some(Trouble::Rust)
    } else if line.starts_with(b"Traceback (most recent call last)") {
        Some(Trouble::Python)
    } else {
        None
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

enum Json {
    Entry(LogLine),
    /// An hclog-like object whose level is none of the five: shown as it is.
    NoLevel,
}

/// `None`: not an object, or a key of hclog's with a value it never has.
fn json(line: &[u8]) -> Option<Json> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let mut object: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let message = text(&mut object, "@message").ok()?.unwrap_or_default();
    let level = text(&mut object, "@level").ok()?;
    let timestamp = match text(&mut object, "@timestamp").ok()? {
        Some(stamp) => Some(OffsetDateTime::parse(&stamp, &Rfc3339).ok()?),
        None => None,
    };
    let Some(level) = level.as_deref().and_then(named) else { return Some(Json::NoLevel) };
    let module = match object.get("@module") {
        Some(Value::String(module)) => Some(module.clone()),
        _ => None,
    };
    let is_other = |key: &str| !(key == "@module" && module.is_some());
    let fields = object.into_iter().filter(|(key, _)| is_other(key)).collect();
    Some(Json::Entry(LogLine { level, message, module, timestamp, fields }))
}

/// A key of hclog's has a value that hclog never writes.
struct NotText;

/// Takes `key` out.
fn text(object: &mut Map<String, Value>, key: &str) -> Result<Option<String>, NotText> {
    match object.shift_remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(NotText),
    }
}

fn named(level: &str) -> Option<Level> {
    Some(match level.trim().to_ascii_lowercase().as_str() {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Level::{Debug, Error, Info};
    use super::*;

    fn read(line: &str) -> LogLine {
        Reader::default().line(line.as_bytes())
    }

    fn levels(lines: &[&str]) -> Vec<Level> {
        let mut reader = Reader::default();
        lines.iter().map(|line| reader.line(line.as_bytes()).level).collect()
    }

    fn is_raw_debug(line: &str) -> bool {
        read(line) == LogLine::plain(Level::Debug, line.as_bytes())
    }

    #[test]
    fn s05_an_hclog_line_gives_level_message_pairs_and_module() {
        let line = read(
            r#"{"@level":"info","@message":"hi","@module":"kv","@timestamp":"2026-01-02T03:04:05.123456Z","n":7,"b":true}"#,
        );
        assert_eq!((line.level, line.message.as_str()), (Level::Info, "hi"));
        assert_eq!(line.module.as_deref(), Some("kv"));
        assert_eq!(line.timestamp.map(OffsetDateTime::microsecond), Some(123_456));
        assert_eq!(line.fields, [("n".to_owned(), 7.into()), ("b".to_owned(), true.into())]);
    }

    #[test]
    fn s06_levels_in_any_case_and_unknown_ones_as_raw_debug() {
        assert_eq!(read(r#"{"@level":" WARN ","@message":"x"}"#).level, Level::Warn);
        assert!(is_raw_debug(r#"{"@level":"all","@message":"x"}"#));
        assert!(is_raw_debug(r#"{"@message":"x"}"#));
    }

    #[test]
    fn s07_timestamps_with_any_number_of_fraction_digits_are_read() {
        for stamp in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.123456+02:00",
            "2026-01-02T03:04:05.123456789Z",
        ] {
            let line =
                read(&format!(r#"{{"@level":"info","@message":"x","@timestamp":"{stamp}"}}"#));
            assert_eq!((line.level, line.timestamp.is_some()), (Level::Info, true), "{stamp}");
        }
        assert!(is_raw_debug(r#"{"@level":"info","@message":"x","@timestamp":"yesterday"}"#));
    }

    #[test]
    fn s08_odd_types_are_shown_as_they_were_written() {
        for line in [
            r#"{"@message":5}"#,
            r#"{"@level":null}"#,
            r#"{"@level":"info","@timestamp":1}"#,
            "[1]",
            "null",
            "12",
            "{",
            "{}",
        ] {
            assert!(is_raw_debug(line), "{line}");
        }
        let odd = read(r#"{"@level":"info","@message":"x","@module":7}"#);
        assert_eq!((odd.module, odd.fields), (None, vec![("@module".to_owned(), 7.into())]));
    }

    #[test]
    fn s09_prefixes_give_the_level_and_stay_in_the_text() {
        assert_eq!(read("[ERROR] x"), LogLine::plain(Level::Error, b"[ERROR] x"));
        assert_eq!(
            levels(&["[ERR] x", "x", "[TRACE] x"]),
            [Level::Debug, Level::Debug, Level::Trace]
        );
    }

    #[test]
    fn s10_a_go_panic_raises_every_untagged_line_after_it() {
        let found = levels(&["fine", "panic: x", "goroutine 1", "[INFO] y", "main.go:3"]);
        assert_eq!(found, [Debug, Error, Error, Info, Error]);
        assert_eq!(levels(&["fatal error: all goroutines are asleep"]), [Error]);
    }

    #[test]
    fn s10_a_rust_panic_raises_its_own_lines_only() {
        let panic = "thread 'main' panicked at src/main.rs:2:5:";
        let found = levels(&[panic, "boom", "note: run with `RUST_BACKTRACE=1`", "later"]);
        assert_eq!(found, [Error, Error, Error, Debug]);
        assert_eq!(
            levels(&["thread 'a b' (7) panicked at x:1:1:", "boom", "[INFO] y", "z"]),
            [Error, Error, Info, Debug]
        );
    }

    #[test]
    fn a_python_traceback_is_an_error_down_to_its_last_line() {
        let found = levels(&[
            "Traceback (most recent call last):",
            "  File \"main.py\", line 1",
            "ValueError: no",
            "later",
        ]);
        assert_eq!(found, [Error, Error, Error, Debug]);
    }

    #[test]
    fn text_that_is_not_utf_8_is_kept_as_far_as_it_goes() {
        assert_eq!(Reader::default().line(b"a\xffb").message, "a\u{fffd}b");
    }
}
