//! Whether a change may be made: a decision, without IO.

use super::entry::{Condition, Tag};

/// A row as it is found, whether it has ended or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: i64,
    pub(super) expires_ms: Option<i64>,
    pub(super) is_taken: bool,
    /// What it takes of the space.
    pub(super) bytes: i64,
}

impl Found {
    pub(super) fn is_there(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|end| now_ms < end)
    }
}

/// What is there: `None` for what has ended.
pub(super) fn there(found: Option<&Found>, now_ms: i64) -> Option<&Found> {
    found.filter(|found| found.is_there(now_ms))
}

pub(super) fn holds(condition: Option<Condition>, there: Option<&Found>) -> bool {
    let untaken = there.filter(|found| !found.is_taken);
    match condition {
        None => true,
        Some(Condition::Absent) => there.is_none(),
        Some(Condition::Present) => untaken.is_some(),
        Some(Condition::Version(version)) => {
            untaken.is_some_and(|found| u64::try_from(found.version) == Ok(version))
        }
    }
}

/// The number that a value is, and what it becomes. `None`: it is no number, or there is no such sum.
pub(super) fn add(value: Option<&[u8]>, by: i64) -> Option<i64> {
    let number: i64 = match value {
        None => 0,
        Some(value) => std::str::from_utf8(value).ok()?.parse().ok()?,
    };
    number.checked_add(by)
}

/// What an entry takes of the space.
pub(super) fn bytes(key: &str, value: usize, tags: &[Tag]) -> i64 {
    let tags: usize = tags.iter().map(|tag| tag.name.len() + tag.value.len() + key.len()).sum();
    i64::try_from(key.len() + value + tags).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: i64, is_taken: bool) -> Found {
        Found { version, is_taken, expires_ms: Some(10), bytes: 1 }
    }

    #[test]
    fn each_condition_asks_for_what_it_says() {
        let (open, taken) = (found(7, false), found(7, true));
        for (condition, none, of_open, of_taken) in [
            (None, true, true, true),
            (Some(Condition::Absent), true, false, false),
            (Some(Condition::Present), false, true, false),
            (Some(Condition::Version(7)), false, true, false),
            (Some(Condition::Version(6)), false, false, false),
            (Some(Condition::Version(u64::MAX)), false, false, false),
        ] {
            assert_eq!(holds(condition, None), none, "{condition:?}");
            assert_eq!(holds(condition, Some(&open)), of_open, "{condition:?}");
            assert_eq!(holds(condition, Some(&taken)), of_taken, "{condition:?}");
        }
    }

    #[test]
    fn what_has_ended_is_not_there() {
        let found = found(7, false);
        assert_eq!(there(Some(&found), 9), Some(&found));
        assert_eq!(there(Some(&found), 10), None);
        let endless = Found { expires_ms: None, ..found };
        assert_eq!(there(Some(&endless), i64::MAX), Some(&endless));
    }

    #[test]
    fn only_numbers_are_added_to_and_only_as_far_as_they_go() {
        assert_eq!(add(None, -3), Some(-3));
        assert_eq!(add(Some(b"41"), 1), Some(42));
        assert_eq!(add(Some(b"9223372036854775807"), 1), None);
        assert_eq!(add(Some(b"-9223372036854775808"), -1), None);
        for value in [&b""[..], b"1.0", b" 1", b"x", b"\xff", b"9223372036854775808"] {
            assert_eq!(add(Some(value), 0), None, "{value:?}");
        }
    }
}
