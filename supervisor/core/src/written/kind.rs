//! The kinds of value that a key can have, each read from text and described in words.

use std::time::Duration;

use bytesize::ByteSize;

/// What may be written behind a key. The limits here are the ones that reading enforces and the
/// reference page prints.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text with a form of its own, described by these words.
    Text(&'static str),
    /// A path. Relative ones begin at the directory of the file they stand in, or else at the
    /// working directory.
    Path,
    /// True or false.
    Switch,
    /// A whole number.
    Count { min: u32, max: u32 },
    /// A time with its unit.
    Duration { min: Duration, max: Duration },
    /// A size with its unit.
    Size { min: ByteSize, max: ByteSize },
    /// One of a few words.
    Choice(fn() -> Vec<&'static str>),
    /// Several texts, described by these words. Commas part them in a variable or flag.
    List(&'static str),
    /// Several whole numbers.
    Counts { min: u32, max: u32 },
    /// Keys that the writer chooses, described by these words. Only in a file.
    Table(&'static str),
}

/// A type whose values are words of a configuration.
pub trait Choice: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// What TOML type a value has in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
    Boolean,
    Texts,
    Numbers,
    Table,
}

impl Kind {
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Text(_)
            | Self::Path
            | Self::Duration { .. }
            | Self::Size { .. }
            | Self::Choice(_) => Shape::Text,
            Self::Switch => Shape::Boolean,
            Self::Count { .. } => Shape::Number,
            Self::List(_) => Shape::Texts,
            Self::Counts { .. } => Shape::Numbers,
            Self::Table(_) => Shape::Table,
        }
    }

    /// Whether a variable or flag may carry it.
    pub fn is_only_in_files(&self) -> bool {
        self.shape() == Shape::Table
    }

    /// What may be written, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Text(words) | Self::List(words) | Self::Table(words) => (*words).to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Counts { min, max } => format!("a list of whole numbers from {min} to {max}"),
            Self::Duration { min, max } => {
                format!("a time from {} to {}", duration_text(*min), duration_text(*max))
            }
            Self::Size { min, max } => {
                format!("a size from {} to {}", size_text(*min), size_text(*max))
            }
            Self::Choice(words) => alternatives(&words()),
        }
    }
}

pub(super) fn duration(text: &str, kind: &Kind) -> Result<Duration, String> {
    let Kind::Duration { min, max } = *kind else { return Err(misdescribed()) };
    let value = humantime::parse_duration(text.trim()).map_err(|_| {
        "not a time; write a number and a unit (ms, s, m, h), such as \"30s\" or \"1m 30s\""
            .to_owned()
    })?;
    if (min..=max).contains(&value) { Ok(value) } else { Err(outside(kind)) }
}

pub(super) fn size(text: &str, kind: &Kind) -> Result<ByteSize, String> {
    let Kind::Size { min, max } = *kind else { return Err(misdescribed()) };
    let text = text.trim();
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let value: Option<ByteSize> = text.parse().ok().filter(|_| has_unit);
    let value = value.ok_or_else(|| {
        "not a size; write a number and a unit (B, KiB, MiB, GiB), such as \"64KiB\"".to_owned()
    })?;
    if (min..=max).contains(&value) { Ok(value) } else { Err(outside(kind)) }
}

pub(super) fn count(text: &str, kind: &Kind) -> Result<u32, String> {
    let (Kind::Count { min, max } | Kind::Counts { min, max }) = *kind else {
        return Err(misdescribed());
    };
    let value: Option<u32> = text.trim().parse().ok();
    value.filter(|value| (min..=max).contains(value)).ok_or_else(|| outside(kind))
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.trim().parse().map_err(|_| outside(&Kind::Switch))
}

pub(super) fn choice<C: Choice>(text: &str, kind: &Kind) -> Result<C, String> {
    let found = C::WORDS.iter().find(|(word, _)| *word == text.trim());
    found.map(|(_, value)| *value).ok_or_else(|| outside(kind))
}

pub(super) fn words_of<C: Choice>() -> Vec<&'static str> {
    C::WORDS.iter().map(|(word, _)| *word).collect()
}

fn outside(kind: &Kind) -> String {
    format!("write {}", kind.words())
}

/// Never met: a key's constructor pairs kind and reader.
fn misdescribed() -> String {
    "this key is described wrongly in Outboard itself; please report it".to_owned()
}

fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

/// A time as a person would write it.
pub(crate) fn duration_text(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = duration.as_secs();
    if duration.subsec_nanos() == 0 && seconds > DAY && seconds.is_multiple_of(DAY) {
        // Months are of 30.44 days each otherwise.
        return format!("{}days", seconds / DAY);
    }
    humantime::format_duration(duration).to_string()
}

fn size_text(size: ByteSize) -> String {
    size.display().iec().to_string().replace(".0 ", " ").replace(' ', "")
}

/// A value as it was written, for a message: quoted, and cut where it gets long.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MOST).collect();
    format!("{start:?}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Kind =
        Kind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(10) };
    const SIZE: Kind = Kind::Size { min: ByteSize::b(1), max: ByteSize::mib(4) };

    #[test]
    fn a_time_needs_a_unit_and_keeps_to_its_limits() {
        assert_eq!(duration("1m 30s", &TIME), Ok(Duration::from_secs(90)));
        assert!(duration("30", &TIME).unwrap_err().contains("unit"));
        assert_eq!(duration("1h", &TIME), Err("write a time from 100ms to 10m".to_owned()));
    }

    #[test]
    fn a_limit_of_whole_days_is_told_in_days() {
        assert_eq!(duration_text(Duration::from_hours(365 * 24)), "365days");
        assert_eq!(duration_text(Duration::from_hours(7 * 24)), "7days");
        assert_eq!(duration_text(Duration::from_hours(24)), "1day");
        assert_eq!(duration_text(Duration::from_mins(90)), "1h 30m");
    }

    #[test]
    fn a_size_needs_a_unit_and_keeps_to_its_limits() {
        assert_eq!(size("64KiB", &SIZE), Ok(ByteSize::kib(64)));
        assert!(size("65536", &SIZE).unwrap_err().contains("unit"));
        assert_eq!(size("5 MiB", &SIZE), Err("write a size from 1B to 4MiB".to_owned()));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(shown(&"é".repeat(100)), format!("\"{}\"...", "é".repeat(60)));
    }
}
