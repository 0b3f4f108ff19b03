//! Counters that plugins keep with their host: what they may be called, and how many there may be.

use std::collections::{BTreeMap, BTreeSet};

/// Series of one instance.
pub const MOST_SERIES: usize = 1000;
const MOST_LABELS: usize = 10;
const LONGEST_NAME: usize = 128;
const LONGEST_LABEL: usize = 64;
const LONGEST_VALUE: usize = 256;
const LONGEST_HELP: usize = 1024;

/// Whose names begin so is the host's.
const RESERVED: &str = "outboard_";

/// The label that the host sets.
pub const INSTANCE: &str = "instance";

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// What one instance has counted: by name and labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    series: BTreeMap<(String, Labels), u64>,
    helps: BTreeMap<String, String>,
}

/// Why a counter is none, or none more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    #[error(
        "{0:?} is no name of a counter; use 1 to 128 letters, digits, \"_\" and \":\", no digit first, without \"_total\" at \
         the end, which the host adds"
    )]
    Name(String),
    #[error("{0:?}: names that begin with \"outboard_\" are the host's; choose another")]
    Reserved(String),
    #[error(
        "{name}: {label:?} is no name of a label; use 1 to 64 letters, digits and \"_\", no digit and no two \"_\" first, \
         and not \"instance\", which the host sets"
    )]
    Label { name: String, label: String },
    #[error("{0}: more than 10 labels; leave some out")]
    Labels(String),
    #[error(
        "{name}: the value of {label} has more than 256 bytes; a label is for few values, not for texts"
    )]
    Value { name: String, label: String },
    #[error("{0}: the help has more than 1024 bytes; say it shorter")]
    Help(String),
    #[error(
        "more than {MOST_SERIES} series of one instance; a label is for few values, not for users or addresses"
    )]
    Full,
}

impl MetricError {
    /// Whether there are too many, and nothing is wrong with this one.
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

impl Counters {
    /// Says what counters count. The first to say it is believed.
    pub fn describe(&mut self, helps: Vec<(String, String)>) -> Result<(), MetricError> {
        for (name, help) in &helps {
            check_name(name)?;
            if help.len() > LONGEST_HELP {
                return Err(MetricError::Help(name.clone()));
            }
        }
        let new = helps.iter().filter(|(name, _)| !self.helps.contains_key(name)).count();
        if self.helps.len() + new > MOST_SERIES {
            return Err(MetricError::Full);
        }
        for (name, help) in helps {
            self.helps.entry(name).or_insert(help);
        }
        Ok(())
    }

    /// Raises counters, all or none. Each stops at the largest number that there is.
    pub fn raise(&mut self, raises: Vec<(String, Labels, u64)>) -> Result<(), MetricError> {
        for (name, labels, _) in &raises {
            check_name(name)?;
            check_labels(name, labels)?;
        }
        let raises: Vec<_> =
            raises.into_iter().map(|(name, labels, by)| ((name, labels), by)).collect();
        let new = raises.iter().map(|(key, _)| key).filter(|key| !self.series.contains_key(key));
        let new: BTreeSet<_> = new.collect();
        if self.series.len() + new.len() > MOST_SERIES {
            return Err(MetricError::Full);
        }
        for (key, by) in raises {
            let count = self.series.entry(key).or_default();
            *count = count.saturating_add(by);
        }
        Ok(())
    }

    /// All series.
    pub fn series(&self) -> impl Iterator<Item = (&str, &Labels, u64)> {
        self.series.iter().map(|((name, labels), count)| (name.as_str(), labels, *count))
    }

    /// What a counter counts. Empty: nobody has said so.
    pub fn help(&self, name: &str) -> &str {
        self.helps.get(name).map_or("", String::as_str)
    }
}

fn check_name(name: &str) -> Result<(), MetricError> {
    if name.to_ascii_lowercase().starts_with(RESERVED) {
        return Err(MetricError::Reserved(name.to_owned()));
    }
    if is_word(name, LONGEST_NAME, b"_:") && !name.ends_with("_total") {
        return Ok(());
    }
    Err(MetricError::Name(name.chars().take(LONGEST_NAME).collect()))
}

fn check_labels(name: &str, labels: &Labels) -> Result<(), MetricError> {
    if labels.len() > MOST_LABELS {
        return Err(MetricError::Labels(name.to_owned()));
    }
    for (label, value) in labels {
        if !is_word(label, LONGEST_LABEL, b"_") || label.starts_with("__") || label == INSTANCE {
            let label = label.chars().take(LONGEST_LABEL).collect();
            return Err(MetricError::Label { name: name.to_owned(), label });
        }
        if value.len() > LONGEST_VALUE {
            return Err(MetricError::Value { name: name.to_owned(), label: label.clone() });
        }
    }
    Ok(())
}

fn is_word(text: &str, longest: usize, others: &[u8]) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn raise(
        counters: &mut Counters,
        name: &str,
        pairs: &[(&str, &str)],
        by: u64,
    ) -> Result<(), MetricError> {
        counters.raise(vec![(name.to_owned(), labels(pairs), by)])
    }

    #[test]
    fn a_series_is_a_name_and_its_labels() {
        let mut counters = Counters::default();
        raise(&mut counters, "codes", &[("type", "a")], 2).unwrap();
        raise(&mut counters, "codes", &[("type", "a")], 3).unwrap();
        raise(&mut counters, "codes", &[], 0).unwrap();
        let series: Vec<_> =
            counters.series().map(|(name, labels, count)| (name, labels.len(), count)).collect();
        assert_eq!(series, [("codes", 0, 0), ("codes", 1, 5)]);
        raise(&mut counters, "codes", &[], u64::MAX).unwrap();
        raise(&mut counters, "codes", &[], 1).unwrap();
    }

    #[test]
    fn what_would_break_the_page_or_look_like_the_hosts_is_refused() {
        let mut counters = Counters::default();
        for name in [
            "",
            "1a",
            "a b",
            "a\n",
            "é",
            "a{b}",
            "outboard_x",
            "Outboard_x",
            "a_total",
            &"a".repeat(129),
        ] {
            assert!(raise(&mut counters, name, &[], 1).is_err(), "{name:?}");
            assert!(counters.describe(vec![(name.to_owned(), String::new())]).is_err(), "{name:?}");
        }
        for label in ["", "1a", "a-b", "__name__", "instance", "a:b"] {
            assert!(raise(&mut counters, "a", &[(label, "")], 1).is_err(), "{label:?}");
        }
        assert!(raise(&mut counters, "a", &[("b", &"x".repeat(257))], 1).is_err());
        assert!(counters.describe(vec![("a".to_owned(), "x".repeat(1025))]).is_err());
        assert_eq!(counters, Counters::default());
    }

    #[test]
    fn all_are_raised_or_none() {
        let mut counters = Counters::default();
        let raises = vec![("a".to_owned(), Labels::new(), 1), ("b c".to_owned(), Labels::new(), 1)];
        assert!(counters.raise(raises).is_err());
        assert_eq!(counters.series().count(), 0);
    }

    #[test]
    fn there_are_so_many_series_and_no_more() {
        let mut counters = Counters::default();
        let many = |count: usize| {
            (0..count).map(|at| (format!("a{at}"), Labels::new(), 1)).collect::<Vec<_>>()
        };
        assert!(counters.raise(many(MOST_SERIES + 1)).unwrap_err().is_full());
        counters.raise(many(MOST_SERIES)).unwrap();
        counters.raise(many(MOST_SERIES)).unwrap();
        assert!(raise(&mut counters, "one_more", &[], 0).unwrap_err().is_full());
    }

    #[test]
    fn the_first_to_say_what_is_counted_is_believed() {
        let mut counters = Counters::default();
        counters.describe(vec![("a".to_owned(), "First.".to_owned())]).unwrap();
        counters.describe(vec![("a".to_owned(), "Second.".to_owned())]).unwrap();
        assert_eq!((counters.help("a"), counters.help("b")), ("First.", ""));
    }
}
