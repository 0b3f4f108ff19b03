//! One hclog line: which keys it has and how long it gets. Pure but for the clock.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::Level;
use tracing::field::{Field, Visit};

use crate::problem::chain;

/// go-plugin hosts cut lines at 64 KiB and then no longer parse them.
const LONGEST_LINE: usize = 60 * 1024;

/// The fields of an event or a span; `message` is the event's text.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: String,
    values: Map<String, Value>,
}

impl Fields {
    pub(super) fn with_message(message: String) -> Self {
        Self { message, values: Map::new() }
    }

    pub(super) fn extend(&mut self, outer: &Self) {
        let values = outer.values.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.values.extend(values);
    }

    /// Keys with "@" are hclog's own: another type under one of them crashes Go hosts.
    pub(super) fn insert(&mut self, name: &str, value: Value) {
        let name = name.trim_start_matches('@');
        self.values.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.insert(name, Value::String(format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.insert(name, Value::String(value.to_owned())),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field.name(), Value::String(chain(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinities.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        self.insert(field.name(), number.unwrap_or_else(|| Value::String(value.to_string())));
    }
}

/// The line with its newline.
pub(super) fn render(level: Level, module: &str, fields: Fields) -> String {
    let timestamp = timestamp(OffsetDateTime::now_utc());
    let mut line = Map::new();
    for (key, value) in [
        ("@level", level_name(level)),
        ("@message", &fields.message),
        ("@module", module),
        ("@timestamp", &timestamp),
    ] {
        line.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    line.extend(fields.values);
    fit(line)
}

/// Cuts all texts to an ever smaller length, until the line is short enough.
fn fit(mut line: Map<String, Value>) -> String {
    let mut text = json(&line);
    let mut most = LONGEST_LINE / 4;
    while text.len() > LONGEST_LINE {
        if most == 0 {
            line.retain(|key, _| key.starts_with('@'));
        }
        for value in line.values_mut() {
            if let Value::String(string) = value {
                cut(string, most.max(64));
            }
        }
        line.insert("truncated".to_owned(), Value::Bool(true));
        text = json(&line);
        most /= 2;
    }
    text
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

fn json(line: &Map<String, Value>) -> String {
    let mut text = serde_json::to_string(line).expect("a map with string keys is JSON");
    text.push('\n');
    text
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

/// RFC 3339 with exactly six fraction digits: Go hosts take a line with any other number for text.
fn timestamp(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(fields: Fields) -> Map<String, Value> {
        let line = render(Level::WARN, "mock::slow", fields);
        assert!(line.len() <= LONGEST_LINE, "{}", line.len());
        assert_eq!(line.find('\n'), Some(line.len() - 1), "one line, ended");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_line_has_hclogs_keys_as_strings_and_the_fields_flat() {
        let mut fields = Fields::with_message("two\nlines".to_owned());
        fields.insert("count", 7.into());
        fields.insert("@level", 5.into());
        let line = rendered(fields);
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "two\nlines");
        assert_eq!(line["@module"], "mock::slow");
        assert_eq!(line["count"], 7);
        assert_eq!(line["level"], 5, "a foreign @-key loses its @");
        assert!(line.iter().all(|(key, value)| !key.starts_with('@') || value.is_string()));
    }

    #[test]
    fn a_timestamp_always_has_six_fraction_digits() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_000_999).unwrap();
        assert_eq!(timestamp(at), "2023-11-14T22:13:20.000000Z");
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_120_000_000).unwrap();
        assert_eq!(timestamp(at), "2023-11-14T22:13:20.120000Z");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let mut fields = Fields::with_message("\u{1}".repeat(200_000));
        fields.insert("note", "ü".repeat(100_000).into());
        fields.insert("count", 7.into());
        let line = rendered(fields);
        assert_eq!(line["truncated"], true);
        assert_eq!(line["count"], 7);
    }

    #[test]
    fn many_fields_make_way_for_the_message() {
        let mut fields = Fields::with_message("kept".to_owned());
        for number in 0..5000 {
            fields.insert(&format!("field{number}"), "x".repeat(100).into());
        }
        let line = rendered(fields);
        assert_eq!(line["@message"], "kept");
        assert_eq!(line.len(), 5);
    }
}
