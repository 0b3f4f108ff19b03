//! The method an endpoint was added for.

use std::fmt;

/// Longest method that an endpoint may name, in characters.
const LONGEST: usize = 32;

/// A method of an endpoint: one name, or all. Compared case-sensitively, as RFC 9110 section 9.1 has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// Written `*`.
    Any,
    /// An RFC 9110 token without lower-case letters.
    Named(Box<str>),
}

impl Method {
    /// Reads what a plugin wrote; empty is GET.
    pub fn parse(method: &str) -> Result<Self, MethodError> {
        let is_upper = || !method.bytes().any(|byte| byte.is_ascii_lowercase());
        match method {
            "" => Ok(Self::Named("GET".into())),
            "*" => Ok(Self::Any),
            "OPTIONS" => Err(MethodError::Options),
            "HEAD" => Err(MethodError::Head),
            _ if method.len() > LONGEST => Err(MethodError::Long),
            _ if !is_token(method.as_bytes()) => Err(MethodError::Token(method.into())),
            _ if !is_upper() => Err(MethodError::Case(method.into())),
            _ => Ok(Self::Named(method.into())),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Why a method is refused when an endpoint is added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    #[error("method OPTIONS is answered by the host; leave this endpoint out")]
    Options,
    #[error("method HEAD runs the endpoints of GET; add the endpoint for GET")]
    Head,
    #[error("the method is longer than {LONGEST} characters; shorten it")]
    Long,
    #[error(
        "method {0:?} is not a token of RFC 9110; use letters, digits and !#$%&'*+-.^_`|~ only, or \"*\" for all"
    )]
    Token(Box<str>),
    #[error("method {0:?} has lower-case letters; write {upper:?}", upper = .0.to_ascii_uppercase())]
    Case(Box<str>),
}

/// Whether `bytes` are a token of RFC 9110 section 5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, expected: Result<&str, &str>) {
        let parsed =
            Method::parse(method).map(|m| m.to_string()).map_err(|error| error.to_string());
        match (&parsed, expected) {
            (Ok(have), Ok(want)) => assert_eq!(have, want),
            (Err(have), Err(want)) => assert!(have.contains(want), "{method}: {have}"),
            _ => panic!("{method}: {parsed:?}"),
        }
    }

    #[test]
    fn a_method_is_an_upper_case_token_or_all() {
        check("", Ok("GET"));
        check("*", Ok("*"));
        check("POST", Ok("POST"));
        check("M-SEARCH", Ok("M-SEARCH"));
        check("get", Err("write \"GET\""));
        check("GE T", Err("not a token"));
        check("GÉT", Err("not a token"));
        check(&"A".repeat(33), Err("longer than 32"));
    }

    #[test]
    fn what_the_host_answers_cannot_be_taken() {
        check("OPTIONS", Err("answered by the host"));
        check("HEAD", Err("add the endpoint for GET"));
    }
}
