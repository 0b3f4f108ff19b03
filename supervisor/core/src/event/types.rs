//! Types of events, as a manifest or an operator lists them.

use std::fmt;

/// The longest type, in bytes.
pub const LONGEST: usize = 255;

/// Patterns of types: each is a whole type, or the beginning of some with a `*` behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Whole(String),
    Beginning(String),
}

impl Types {
    /// Reads patterns such as `job.started`, `job.*` and `*`.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, String> {
        patterns
            .iter()
            .map(|pattern| Pattern::new(pattern.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Every type.
    pub fn all() -> Self {
        Self(vec![Pattern::Beginning(String::new())])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a type is among them.
    pub fn matches(&self, kind: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(kind))
    }

    /// The types that match both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both: Vec<Pattern> = Vec::new();
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |two| one.and(two)));
        for pattern in pairs.flatten() {
            if !both.contains(pattern) {
                both.push(pattern.clone());
            }
        }
        Self(both)
    }

    /// The types that match either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut either = self.clone();
        either.0.extend(other.without(self).0);
        either
    }

    /// The patterns of which not all is matched by one of `other`'s.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let is_left = |pattern: &&Pattern| !other.0.iter().any(|other| other.covers(pattern));
        Self(self.0.iter().filter(is_left).cloned().collect())
    }

    /// Each as it would be written.
    pub fn patterns(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Pattern::to_string)
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let (beginning, is_whole) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, false),
            None => (text, true),
        };
        if beginning.contains('*') {
            return Err(format!("{text:?}: a \"*\" stands at the end, as in \"job.*\""));
        }
        let is_type = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || !is_type {
            return Err(format!(
                "{text:?} is not a type of events; write 1 to {LONGEST} visible ASCII characters, as in \
                 \"job.started\", \"job.*\" or \"*\""
            ));
        }
        let beginning = beginning.to_owned();
        Ok(if is_whole { Self::Whole(beginning) } else { Self::Beginning(beginning) })
    }

    fn matches(&self, kind: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == kind,
            Self::Beginning(beginning) => kind.starts_with(beginning),
        }
    }

    /// The narrower of two, if what it matches is matched by the other too; else they share nothing.
    fn and<'p>(&'p self, other: &'p Self) -> Option<&'p Self> {
        if other.covers(self) { Some(self) } else { self.covers(other).then_some(other) }
    }

    fn covers(&self, narrower: &Self) -> bool {
        match (self, narrower) {
            (_, Self::Whole(whole)) => self.matches(whole),
            (Self::Beginning(beginning), Self::Beginning(longer)) => longer.starts_with(beginning),
            (Self::Whole(_), Self::Beginning(_)) => false,
        }
    }
}

/// As it would be written, with commas.
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pattern) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{pattern}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => f.write_str(whole),
            Self::Beginning(beginning) => write!(f, "{beginning}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn types(patterns: &[&str]) -> Types {
        Types::new(patterns).unwrap()
    }

    #[test]
    fn a_type_matches_itself_and_its_beginning() {
        let types = types(&["EXECUTION_EVENT", "job.*"]);
        assert!(
            types.matches("EXECUTION_EVENT")
                && types.matches("job.started")
                && types.matches("job.")
        );
        for other in ["EXECUTION_EVENTS", "execution_event", "job", "jobs.started", ""] {
            assert!(!types.matches(other), "{other}");
        }
    }

    #[test]
    fn a_star_is_everything_and_nothing_is_nothing() {
        assert!(types(&["*"]).matches("anything") && types(&["*"]) == Types::all());
        assert!(!Types::default().matches("anything") && Types::default().is_empty());
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for wrong in ["", "a b", "a*b", "**", "é", "a\n", &"a".repeat(256)] {
            assert!(Types::new(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_sides_must_name_a_type() {
        let check = |one: &[&str], two: &[&str], both: &str| {
            assert_eq!(types(one).and(&types(two)).to_string(), both);
            assert_eq!(types(two).and(&types(one)).to_string(), both);
        };
        check(&["*"], &["job.*"], "job.*");
        check(&["job.started"], &["job.*"], "job.started");
        check(&["job.started"], &["job.ended"], "");
        check(&["job.*"], &["mail.*"], "");
        check(&["*"], &[], "");
        check(&["a", "a*"], &["a"], "a");
    }

    proptest! {
        #[test]
        fn and_matches_exactly_what_both_match(
            one in prop::collection::vec("[ab]{0,2}\\*|[ab]{1,3}", 0..4),
            two in prop::collection::vec("[ab]{0,2}\\*|[ab]{1,3}", 0..4),
            kind in "[ab]{1,4}",
        ) {
            let (one, two) = (Types::new(&one).unwrap(), Types::new(&two).unwrap());
            prop_assert_eq!(one.and(&two).matches(&kind), one.matches(&kind) && two.matches(&kind));
            prop_assert_eq!(one.or(&two).matches(&kind), one.matches(&kind) || two.matches(&kind));
            if one.without(&two).is_empty() && one.matches(&kind) {
                prop_assert!(two.matches(&kind));
            }
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(text in any::<String>()) {
            if let Ok(types) = Types::new(&[&text]) {
                prop_assert_eq!(types.to_string(), text);
            }
        }
    }
}
