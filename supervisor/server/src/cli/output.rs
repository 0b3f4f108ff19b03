//! How commands write: tables for people, JSON for machines.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Writes a line. That nobody reads any more is an error like any other; see [`super::fail`].
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    // Somebody may follow through a pipe.
    out.flush()
}

/// Writes a value as JSON, on a line of its own.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    line(&serde_json::to_string(value)?)
}

/// An empty table with these headings.
pub(super) fn table<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    table
}

/// Writes a table without the blanks that would only fill it up.
pub(super) fn write_table(table: &Table) -> io::Result<()> {
    table
        .to_string()
        .lines()
        .try_for_each(|row| line(row.strip_prefix(' ').unwrap_or(row).trim_end()))
}

/// How long ago something was, to one unit: `3m`, `2h`.
pub(super) fn ago(time: SystemTime, now: SystemTime) -> String {
    let age = now.duration_since(time).unwrap_or(Duration::ZERO).as_secs();
    match age {
        0..60 => format!("{age}s"),
        60..3600 => format!("{}m", age / 60),
        3600..86400 => format!("{}h", age / 3600),
        _ => format!("{}d", age / 86400),
    }
}

/// A short time, to three digits: `812us`, `43.1ms`, `1.25s`.
pub(super) fn short(time: Duration) -> String {
    let us = time.as_micros();
    let seconds = time.as_secs_f64();
    match us {
        0..1000 => format!("{us}us"),
        1000..100_000 => format!("{:.1}ms", seconds * 1e3),
        100_000..1_000_000 => format!("{:.0}ms", seconds * 1e3),
        _ => format!("{seconds:.2}s"),
    }
}

/// Text of a plugin's making, harmless for a terminal.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_unit() {
        let then = SystemTime::UNIX_EPOCH;
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86400, "1d"), (864_000, "10d")]
        {
            assert_eq!(ago(then, then + Duration::from_secs(seconds)), text);
        }
        assert_eq!(ago(then + Duration::from_secs(1), then), "0s", "a clock that was set back");
        for (us, text) in
            [(812, "812us"), (43_100, "43.1ms"), (431_000, "431ms"), (1_250_000, "1.25s")]
        {
            assert_eq!(short(Duration::from_micros(us)), text);
        }
    }

    #[test]
    fn a_plugin_can_not_steer_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\r\n\tc"), "a\\u{1b}[2Jb\\r\\n\tc");
    }
}
