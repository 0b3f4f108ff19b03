//! That a session's user has proved who they are: by what, when, and for how long that counts.

/// The newest proof of one sort in one session.
///
/// A later one takes its place, so that a stolen and forgotten proof does not live on beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The instance of the scheme. `None`: the password.
    pub scheme: Option<String>,
    /// When, in milliseconds since 1970.
    pub last_login_ms: i64,
    /// Until when it counts. `None`: as long as the session.
    pub expires_ms: Option<i64>,
    /// How often it was used since.
    pub uses: u32,
}

impl Authentication {
    pub fn is_password(&self) -> bool {
        self.scheme.is_none()
    }

    /// Whether it is of this scheme.
    pub fn is_of(&self, scheme: &str) -> bool {
        self.scheme.as_deref() == Some(scheme)
    }

    /// Whether it still counts. A moment too late is too late.
    pub fn is_current(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|expires| now_ms < expires)
    }

    /// Whether it was used as often as a scheme allows. 0: any number of times.
    pub fn is_used_up(&self, max_use: u32) -> bool {
        max_use > 0 && self.uses >= max_use
    }
}

/// When somebody has authenticated last, as far as these count.
pub fn last_login_ms<'a>(counting: impl IntoIterator<Item = &'a Authentication>) -> Option<i64> {
    counting.into_iter().map(|it| it.last_login_ms).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(expires_ms: Option<i64>, uses: u32) -> Authentication {
        Authentication { scheme: None, last_login_ms: 1, expires_ms, uses }
    }

    #[test]
    fn it_counts_until_the_moment_it_ends() {
        assert!(password(Some(100), 0).is_current(99));
        assert!(!password(Some(100), 0).is_current(100));
        assert!(password(None, 0).is_current(i64::MAX));
    }

    #[test]
    fn it_may_be_used_as_often_as_the_scheme_says() {
        assert!(!password(None, u32::MAX).is_used_up(0));
        assert!(!password(None, 1).is_used_up(2));
        assert!(password(None, 2).is_used_up(2));
    }

    #[test]
    fn the_newest_counts() {
        let at = |last_login_ms| Authentication { last_login_ms, ..password(None, 0) };
        assert_eq!(last_login_ms(&[at(3), at(9), at(4)]), Some(9));
        assert_eq!(last_login_ms(&[]), None);
    }
}
