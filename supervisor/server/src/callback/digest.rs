//! Hashes of what is looked up by its hash.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outboard_core::config::HashAlgorithm;

/// A prefix that names the algorithm, and the digest in Base64; of nothing, the prefix alone.
pub(super) fn hash(algorithm: HashAlgorithm, data: &[u8]) -> String {
    let (prefix, of) = match algorithm {
        HashAlgorithm::Sha1 => ("{SHA}", &digest::SHA1_FOR_LEGACY_USE_ONLY),
        HashAlgorithm::Sha256 => ("{SHA256}", &digest::SHA256),
        HashAlgorithm::Sha512 => ("{SHA512}", &digest::SHA512),
    };
    let mut hash = prefix.to_owned();
    if !data.is_empty() {
        STANDARD.encode_string(digest::digest(of, data), &mut hash);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as `printf abc | openssl dgst -ALGORITHM -binary | base64` has it.
    #[test]
    fn a_hash_names_its_algorithm() {
        assert_eq!(hash(HashAlgorithm::Sha1, b"abc"), "{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        assert_eq!(
            hash(HashAlgorithm::Sha256, b"abc"),
            "{SHA256}ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
        assert_eq!(
            hash(HashAlgorithm::Sha512, b"abc"),
            "{SHA512}3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="
        );
    }

    #[test]
    fn the_hash_of_nothing_is_its_prefix() {
        assert_eq!(hash(HashAlgorithm::Sha1, b""), "{SHA}");
        assert_eq!(hash(HashAlgorithm::Sha256, b""), "{SHA256}");
    }
}
