//! serde's errors as problems: with a pointer, without the value.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::problem::Problem;

/// Grows a pointer segment by segment on its way out.
#[derive(Debug)]
pub(super) struct Error(pub(super) Problem);

impl Error {
    pub(super) fn under(self, segment: &str) -> Self {
        Self(self.0.under(segment))
    }

    fn at(field: &str, message: String) -> Self {
        Self(Problem::new("", message)).under(field)
    }

    fn here(message: String) -> Self {
        Self(Problem::new("", message))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::here(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::here(format!("must be {expected}, not {}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::here(format!("must be {expected}; this {} is not allowed", kind(&unexpected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::here(format!("must be {expected}, and has {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::here(format!("must be one of {}", list(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::at(field, format!("is not known; remove it or use one of {}", list(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(field, "is missing".to_owned())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::at(field, "is there twice".to_owned())
    }
}

/// What a value is, without what it says.
fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::Bytes(_) => "array",
        Unexpected::Map => "object",
        _ => "value",
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    if quoted.is_empty() { "nothing: none is known".to_owned() } else { quoted.join(", ") }
}
