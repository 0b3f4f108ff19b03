//! What clients say of themselves, in which headers.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::Secret;

/// The longest e-mail and token, in bytes.
pub const LONGEST_EMAIL: usize = 320;
pub const LONGEST_TOKEN: usize = 8192;

/// The header whose value has a scheme in front.
const AUTHORIZATION: &str = "authorization";

/// Clients write it with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which header says what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// In lower case.
    email: String,
    token: String,
}

/// Who somebody claims to be, and what should prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    pub email: String,
    pub token: Secret,
}

/// Why there are no credentials. It is for operators: clients are only told that they are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    Missing(String),
    /// It is there more than once: which one counts would be a guess.
    Twice(String),
    Malformed(String),
    /// Two headers name different e-mails.
    Contradiction,
}

impl Headers {
    /// Names have no case.
    pub fn new(email: &str, token: &str) -> Self {
        Self { email: email.to_ascii_lowercase(), token: token.to_ascii_lowercase() }
    }

    /// What a request's headers say, of which each comes with its name in any case.
    pub fn read<'h>(
        &self,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Credentials, Unusable> {
        let (mut email, mut token) = (None, None);
        for (name, value) in headers {
            let (slot, name) = if name.eq_ignore_ascii_case(&self.email) {
                (&mut email, &self.email)
            } else if name.eq_ignore_ascii_case(&self.token) {
                (&mut token, &self.token)
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(Unusable::Twice(name.clone()));
            }
        }
        let email = email.map(|email| self.text(&self.email, email)).transpose()?;
        let token = self.text(&self.token, token.ok_or_else(|| self.missing_token())?)?;
        self.combine(email, token)
    }

    fn combine(&self, email: Option<&str>, token: &str) -> Result<Credentials, Unusable> {
        let malformed = || Unusable::Malformed(self.token.clone());
        let missing = || Unusable::Missing(self.email.clone());
        if self.token != AUTHORIZATION {
            return Credentials::checked(email.ok_or_else(missing)?, token).ok_or_else(malformed);
        }
        let (scheme, rest) = token.split_once(' ').ok_or_else(malformed)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Credentials::checked(email.ok_or_else(missing)?, rest).ok_or_else(malformed);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(malformed());
        }
        let decoded = BASE64.decode(rest).map_err(|_| malformed())?;
        let pair = String::from_utf8(decoded).map_err(|_| malformed())?;
        let (named, token) = pair.split_once(':').ok_or_else(malformed)?;
        if email.is_some_and(|email| !email.eq_ignore_ascii_case(named)) {
            return Err(Unusable::Contradiction);
        }
        Credentials::checked(named, token).ok_or_else(malformed)
    }

    fn text<'h>(&self, name: &str, value: &'h [u8]) -> Result<&'h str, Unusable> {
        let text =
            std::str::from_utf8(value).map_err(|_| Unusable::Malformed(name.to_owned()))?.trim();
        let is_email = name == self.email;
        match text {
            "" => Err(Unusable::Missing(name.to_owned())),
            text if is_email && check_email(text).is_err() => {
                Err(Unusable::Malformed(name.to_owned()))
            }
            text => Ok(text),
        }
    }

    fn missing_token(&self) -> Unusable {
        Unusable::Missing(self.token.clone())
    }
}

impl Credentials {
    /// Of an e-mail and a token that came in a body.
    ///
    /// # Errors
    /// What is wrong with which of them, in words for the caller, without the token.
    pub fn new(email: &str, token: &str) -> Result<Self, &'static str> {
        check_email(email)?;
        check_token(token)?;
        Ok(Self { email: email.to_owned(), token: Secret::new(token) })
    }

    fn checked(email: &str, token: &str) -> Option<Self> {
        Self::new(email, token).ok()
    }
}

/// Whether text can be an e-mail at all; who has it, the plugin knows.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    if email.is_empty() {
        Err("email: missing or empty")
    } else if email.len() > LONGEST_EMAIL {
        Err("email: longer than 320 bytes")
    } else if email.contains(|c: char| c.is_control() || c.is_whitespace()) {
        Err("email: has a blank or a control character")
    } else {
        Ok(())
    }
}

/// Whether text can be a token at all.
pub fn check_token(token: &str) -> Result<(), &'static str> {
    if token.is_empty() {
        Err("token: missing or empty")
    } else if token.len() > LONGEST_TOKEN {
        Err("token: longer than 8192 bytes")
    } else if token.contains(|c: char| c.is_control()) {
        Err("token: has a control character")
    } else {
        Ok(())
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the header {name} is missing or empty"),
            Self::Twice(name) => write!(f, "the header {name} is there twice"),
            Self::Malformed(name) => write!(f, "the header {name} is malformed"),
            Self::Contradiction => f.write_str("two headers name different e-mails"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// E-mail and token, or why there are none.
    fn read(token_header: &str, headers: &[(&str, &str)]) -> Result<(String, String), String> {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let read = Headers::new("Email-Id", token_header).read(headers);
        read.map(|it| (it.email, it.token.expose().to_owned()))
            .map_err(|unusable| unusable.to_string())
    }

    fn pair(email: &str, token: &str) -> (String, String) {
        (email.to_owned(), token.to_owned())
    }

    #[test]
    fn proctors_two_headers_are_read_in_any_case() {
        let headers = [("host", "x"), ("email-id", " a@x "), ("ACCESS-TOKEN", "t 1")];
        assert_eq!(read("Access-Token", &headers), Ok(pair("a@x", "t 1")));
    }

    #[test]
    fn without_either_header_the_plugin_is_not_asked() {
        let check = |headers: &[(&str, &str)], expected: &str| {
            assert_eq!(read("Access-Token", headers).unwrap_err(), expected);
        };
        check(&[("Email-Id", "a@x")], "the header access-token is missing or empty");
        check(&[("Access-Token", "t")], "the header email-id is missing or empty");
        check(
            &[("Email-Id", " "), ("Access-Token", "t")],
            "the header email-id is missing or empty",
        );
        check(
            &[("Email-Id", "a@x"), ("Access-Token", "")],
            "the header access-token is missing or empty",
        );
    }

    #[test]
    fn a_header_that_is_there_twice_is_not_guessed_at() {
        let twice = [("Email-Id", "a@x"), ("email-id", "b@x"), ("Access-Token", "t")];
        assert_eq!(read("Access-Token", &twice).unwrap_err(), "the header email-id is there twice");
        let twice = [("Email-Id", "a@x"), ("Access-Token", "t"), ("Access-Token", "t")];
        assert_eq!(
            read("Access-Token", &twice).unwrap_err(),
            "the header access-token is there twice"
        );
    }

    #[test]
    fn authorization_has_a_scheme() {
        let with =
            |value: &str| read("Authorization", &[("Email-Id", "a@x"), ("authorization", value)]);
        assert_eq!(with("Bearer t"), Ok(pair("a@x", "t")));
        assert_eq!(with("bearer  t"), Ok(pair("a@x", "t")));
        // a@x:t:1 and b@x:t
        assert_eq!(with("Basic YUB4OnQ6MQ=="), Ok(pair("a@x", "t:1")));
        assert_eq!(with("basic YUB4OnQ6MQ"), Ok(pair("a@x", "t:1")));
        assert_eq!(with("Basic YkB4OnQ=").unwrap_err(), "two headers name different e-mails");
        for wrong in ["t", "Digest t", "Bearer ", "Basic !", "Basic YUB4", "Basic /w=="] {
            let fault = with(wrong).unwrap_err();
            assert_eq!(fault, "the header authorization is malformed", "{wrong}");
        }
        assert_eq!(
            read("Authorization", &[("Authorization", "Basic YUB4OnQ6MQ==")]),
            Ok(pair("a@x", "t:1"))
        );
        assert!(
            read("Authorization", &[("Authorization", "Bearer t")])
                .unwrap_err()
                .contains("email-id is missing")
        );
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let long = "a".repeat(8193);
        for (email, token) in
            [("a@x", long.as_str()), (&long[..321], "t"), ("a b@x", "t"), ("a@x", "a\u{1}b")]
        {
            assert!(read("Access-Token", &[("Email-Id", email), ("Access-Token", token)]).is_err());
            assert!(Credentials::new(email, token).is_err());
        }
        assert!(Credentials::new(&long[..320], &long[..8192]).is_ok());
        let bytes = [("email-id", &b"\xff"[..]), ("access-token", b"t")];
        let unusable = Headers::new("Email-Id", "Access-Token").read(bytes).unwrap_err();
        assert_eq!(unusable, Unusable::Malformed("email-id".to_owned()));
    }

    #[test]
    fn a_token_is_never_shown() {
        let credentials = Credentials::new("a@x", "s3cret").unwrap();
        assert!(!format!("{credentials:?}").contains("s3cret"));
    }

    proptest! {
        #[test]
        fn no_headers_do_harm(email in any::<Vec<u8>>(), token in any::<Vec<u8>>(), bearer in "(Basic |Bearer )[ -~]{0,20}") {
            let headers = Headers::new("Email-Id", "Authorization");
            let _ = headers.read([("email-id", &*email), ("authorization", &*token)]);
            if let Ok(read) = headers.read([("authorization", bearer.as_bytes())]) {
                prop_assert!(check_email(&read.email).is_ok() && check_token(read.token.expose()).is_ok());
            }
        }
    }
}
