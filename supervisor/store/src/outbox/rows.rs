//! Many rows in one statement.

use std::borrow::Cow;

/// Most rows in one statement. Times its columns this stays far below what a statement of either
/// database may bind.
const MOST: usize = 128;

/// The rows in slices whose lengths are powers of two: so each statement has a few texts only, and
/// both drivers prepare each of them once.
pub(crate) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let most = rows.len().min(MOST);
        let length = 1 << most.checked_ilog2()?;
        let (chunk, rest) = rows.split_at(length);
        rows = rest;
        Some(chunk)
    })
}

/// Text that PostgreSQL takes: it knows no NUL, and one bad event must not lose a whole group.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_come_once_and_in_order() {
        for count in [0, 1, 2, 3, 127, 128, 129, 1000] {
            let rows: Vec<usize> = (0..count).collect();
            let read: Vec<usize> = chunks(&rows).flatten().copied().collect();
            assert_eq!(read, rows);
            for chunk in chunks(&rows) {
                assert!(chunk.len().is_power_of_two() && chunk.len() <= MOST, "{}", chunk.len());
            }
        }
    }

    #[test]
    fn text_without_nul_stays_as_it_is() {
        assert!(matches!(text("a\u{1}"), Cow::Borrowed("a\u{1}")));
        assert_eq!(text("a\0b"), "a\u{fffd}b");
    }
}
