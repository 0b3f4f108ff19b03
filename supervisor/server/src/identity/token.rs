//! What is only known to those who hold it: cookies of sessions and API keys. Here they are made and recognised;
//! the database has nothing but their digest.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use rand::RngExt as _;
use rand::distr::Alphanumeric;

/// Characters of a session's cookie.
pub(super) const COOKIE: usize = 128;
/// Of an API key: 190 bits.
pub(super) const KEY: usize = 32;

/// So many letters and digits that nobody can guess.
pub(super) fn random(length: usize) -> String {
    // Seeded, and seeded anew, by the operating system.
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// Whether a text can be one of `length`. Anything else is not worth a question to the database.
pub(super) fn is_token(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(super) fn digest_of(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in digest.as_ref() {
        // Writing to a text does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_plain_and_never_the_same() {
        let tokens = [random(COOKIE), random(COOKIE)];
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens.iter().all(|token| is_token(token, COOKIE)));
        for wrong in ["", &"a".repeat(127), &"a".repeat(129), &"-".repeat(128), &"ä".repeat(64)] {
            assert!(!is_token(wrong, COOKIE), "{wrong}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_of("abc"), known);
    }
}
