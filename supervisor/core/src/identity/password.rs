//! What may be a password. How one is kept is not decided here.

/// In bytes, so that hashing one takes a bounded time.
pub const LONGEST_PASSWORD: usize = 1024;
/// Of one user or client.
pub const MOST_PASSWORDS: usize = 16;

/// What is wrong with a new password of which at least `least` characters are asked. It never quotes it.
pub fn fault(password: &str, least: usize) -> Option<String> {
    if password.len() > LONGEST_PASSWORD {
        let length = password.len();
        return Some(format!("password: has {length} bytes; at most {LONGEST_PASSWORD} may be"));
    }
    if password.contains('\0') {
        return Some("password: has a NUL character; leave it out".to_owned());
    }
    let length = password.chars().count();
    let least = least.max(1);
    (length < least)
        .then(|| format!("password: has {length} characters; at least {least} are needed"))
}

/// Whether it could be the password of anybody, so that it is worth checking.
pub fn is_possible(password: &str) -> bool {
    (1..=LONGEST_PASSWORD).contains(&password.len()) && !password.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_ones_are_refused_without_being_quoted() {
        assert_eq!(fault("pässword", 8), None, "characters, not bytes");
        assert_eq!(fault(&"x".repeat(1024), 8), None);
        for password in ["", "secret7", "secret\0secret", &"secret".repeat(1000)] {
            let fault = fault(password, 8).expect(password);
            assert!(fault.starts_with("password: ") && !fault.contains("secret"), "{fault}");
        }
        assert!(fault("", 0).is_some(), "nothing is never a password");
    }

    #[test]
    fn the_impossible_is_not_checked() {
        assert!(is_possible("x") && is_possible(&"x".repeat(1024)));
        assert!(!is_possible("") && !is_possible("a\0b") && !is_possible(&"x".repeat(1025)));
    }
}
