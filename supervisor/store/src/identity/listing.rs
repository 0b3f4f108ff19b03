//! Which part of a long list.

/// Which of them, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// A part of one of the names, without regard to ASCII case. Empty: all.
    pub pattern: &'a str,
    /// How many to leave out first.
    pub offset: u64,
    /// At most so many.
    pub limit: u32,
}

impl Listing<'_> {
    /// Everything.
    pub const ALL: Listing<'static> = Listing { pattern: "", offset: 0, limit: u32::MAX };

    /// The pattern for `LIKE … ESCAPE '\'`, for text in lower case.
    pub(super) fn like(&self) -> String {
        like(self.pattern)
    }

    pub(super) fn offset(&self) -> i64 {
        i64::try_from(self.offset).unwrap_or(i64::MAX)
    }

    pub(super) fn limit(&self) -> i64 {
        i64::from(self.limit)
    }
}

/// What `LIKE` takes for "has this in it", whatever is in it.
pub(super) fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 2);
    like.push('%');
    for character in pattern.chars() {
        if matches!(character, '%' | '_' | '\\') {
            like.push('\\');
        }
        // No text that is stored has one, and PostgreSQL would refuse to look.
        like.push(if character == '\0' { '\u{fffd}' } else { character.to_ascii_lowercase() });
    }
    like.push('%');
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_pattern_means_anything() {
        assert_eq!(like("A_b%c\\"), "%a\\_b\\%c\\\\%");
        assert_eq!(like(""), "%%");
        assert_eq!(like("É\0"), "%É\u{fffd}%");
    }
}
