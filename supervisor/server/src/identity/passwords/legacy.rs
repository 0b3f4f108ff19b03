//! Older forms of passwords, as directories keep them: a name in braces, then base64 or what crypt(3) made.
//!
//! They are only ever checked. Whoever comes with the right password gets a new form.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;

const PBKDF2_ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(150_000).unwrap();
const PBKDF2_BYTES: usize = 32;

/// How the data in front of the salt was made.
#[derive(Clone, Copy)]
enum Form {
    Md5,
    Sha(&'static digest::Algorithm),
    Pbkdf2,
    Crypt,
}

/// A form of an old password, and what follows its name.
struct Legacy<'a> {
    form: Form,
    is_salted: bool,
    rest: &'a str,
}

/// Whether a text is of one of these forms.
pub(super) fn is_legacy(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether it is the form of that password.
pub(super) fn is_of(password: &[u8], text: &str) -> bool {
    let Some(Legacy { form, is_salted, rest }) = parse(text) else { return false };
    if let Form::Crypt = form {
        return pw_hash::unix::verify(password, rest);
    }
    let Ok(data) = STANDARD.decode(rest) else { return false };
    if let Form::Pbkdf2 = form {
        return is_pbkdf2(password, &data);
    }
    let Some((expected, salt)) = data.split_at_checked(form.length()) else { return false };
    if salt.is_empty() == is_salted {
        return false;
    }
    verify_slices_are_equal(&form.digest(password, salt), expected).is_ok()
}

fn parse(text: &str) -> Option<Legacy<'_>> {
    let (name, rest) = text.strip_prefix('{')?.split_once('}')?;
    let (form, is_salted) = match name {
        "MD5" => (Form::Md5, false),
        "SMD5" => (Form::Md5, true),
        "SHA" => (Form::Sha(&digest::SHA1_FOR_LEGACY_USE_ONLY), false),
        "SSHA" => (Form::Sha(&digest::SHA1_FOR_LEGACY_USE_ONLY), true),
        "SHA224" => (Form::Sha(&digest::SHA224), false),
        "SSHA224" => (Form::Sha(&digest::SHA224), true),
        "SHA256" => (Form::Sha(&digest::SHA256), false),
        "SSHA256" => (Form::Sha(&digest::SHA256), true),
        "SHA384" => (Form::Sha(&digest::SHA384), false),
        "SSHA384" => (Form::Sha(&digest::SHA384), true),
        "SHA512" => (Form::Sha(&digest::SHA512), false),
        "SSHA512" => (Form::Sha(&digest::SHA512), true),
        "PBKDF2" => (Form::Pbkdf2, true),
        "CRYPT" => (Form::Crypt, true),
        _ => return None,
    };
    Some(Legacy { form, is_salted, rest })
}

fn is_pbkdf2(password: &[u8], data: &[u8]) -> bool {
    let Some((expected, salt)) = data.split_at_checked(PBKDF2_BYTES) else { return false };
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::verify(algorithm, PBKDF2_ROUNDS, salt, password, expected).is_ok()
}

impl Form {
    fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha(algorithm) => algorithm.output_len(),
            Self::Pbkdf2 | Self::Crypt => 0,
        }
    }

    fn digest(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => {
                md5::Md5::new().chain_update(password).chain_update(salt).finalize().to_vec()
            }
            Self::Sha(algorithm) => {
                let mut context = digest::Context::new(algorithm);
                context.update(password);
                context.update(salt);
                context.finish().as_ref().to_vec()
            }
            Self::Pbkdf2 | Self::Crypt => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "secret", made by OpenSSL and crypt(3).
    const SECRETS: [&str; 16] = [
        "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SHA224}lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==",
        "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
        "{SHA384}WKd1ukESvjAFrkQHznV9iP2nHUBJe7gCbsrFTU4//HIyzo3jq1rLMK45dg/ufFPt",
        "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
        "{SMD5}ulQtGT55ykyOcogd74GGm2FiY2RlZmdoaWprbG1ub3A=",
        "{SSHA}gdZlkxnRKGeHQ1vHXtptGftDVXlhYmNkZWZnaGlqa2xtbm9w",
        "{SSHA256}4c1Mdluf8OEKR1D2RhJJnlII7DyG9bX7CHWeYtbcAMNhYmNkZWZnaGlqa2xtbm9w",
        "{SSHA512}yFpa9TmrQCVrd/RXzqDw8SZyC85lAXzykNhCKUJUc3e6AdHYN1dwHSSfVYlfEW+HA5FNgX3AMsX5XHqFoS6ke2FiY2RlZmdoaWprbG1ub3A=",
        "{PBKDF2}QKTF5AlpwIZAwkPALX6r8jwRXlGAKPwIqznKmvhAXydhYmNkZWZnaGlqa2xtbm9w",
        "{CRYPT}abNANd1rDfiNc",
        "{CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
        "{CRYPT}$5$abcdefghijklmnop$i7zHaTeYqXlesRXJ8dXj6o.MEFQdzfIJpJpcWAtszs6",
        "{CRYPT}$6$abcdefghijklmnop$J/AWykHqo2Tx5UtavGnFc3ytI33la50JpzLTarSWVhkIXK6wOjNwwZjsrIw2UgmrER2EKrSHCeQyAINEEXAk1/",
        "{CRYPT}$6$rounds=5000$abcdefghijklmnop$J/AWykHqo2Tx5UtavGnFc3ytI33la50JpzLTarSWVhkIXK6wOjNwwZjsrIw2UgmrER2EKrSHCeQyAINEEXAk1/",
    ];

    fn salted(name: &str, form: Form) -> String {
        let salt = b"0123456789abcdef";
        let mut data = form.digest(b"secret", salt);
        data.extend_from_slice(salt);
        format!("{{{name}}}{}", STANDARD.encode(data))
    }

    #[test]
    fn every_form_is_checked() {
        for text in SECRETS {
            assert!(is_legacy(text) && is_of(b"secret", text), "{text}");
            assert!(!is_of(b"Secret", text) && !is_of(b"", text), "{text}");
        }
    }

    #[test]
    fn salted_digests_are_checked_with_their_salt() {
        for (name, form) in [
            ("SMD5", Form::Md5),
            ("SSHA", Form::Sha(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            ("SSHA224", Form::Sha(&digest::SHA224)),
            ("SSHA256", Form::Sha(&digest::SHA256)),
            ("SSHA384", Form::Sha(&digest::SHA384)),
            ("SSHA512", Form::Sha(&digest::SHA512)),
        ] {
            let text = salted(name, form);
            assert!(is_of(b"secret", &text), "{text}");
            assert!(!is_of(b"secre", &text), "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_nobodys() {
        let whole = salted("SSHA256", Form::Sha(&digest::SHA256));
        let unsalted = whole.replace("{SSHA256}", "{SHA256}");
        for text in [
            "{SHA}",
            "{SHA}!!",
            "{SSHA}AAAA",
            "{PBKDF2}AAAA",
            "{PBKDF2}",
            "{CRYPT}",
            "{CRYPT}$6$",
            "{CRYPT}!!",
            "{CRYPT}*",
            "{MD5}5en6",
            "{",
            "{}",
            "{SHA",
            &unsalted,
        ] {
            for password in ["secret", ""] {
                assert!(!is_of(password.as_bytes(), text), "{text} {password:?}");
            }
        }
        assert!(!is_legacy("{NOPE}abc") && !is_legacy("secret"));
    }
}
