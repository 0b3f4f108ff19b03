//! Reads an instance's parameters into the author's type.
//!
//! Its errors carry a JSON Pointer to the offending value and never the value itself, which may be a
//! secret; that is why it is not `serde_json::from_value`, whose errors do the opposite.

mod error;
mod value;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::Problem;

/// Reads a JSON object in UTF-8; nothing at all counts as `{}`.
pub(crate) fn read<P: DeserializeOwned>(json: &[u8]) -> Result<P, Problem> {
    let json = if json.is_empty() { b"{}" } else { json };
    let value: Value = serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::new("", format!("is not JSON (line {line}, column {column})"))
    })?;
    if !value.is_object() {
        return Err(Problem::new("", "must be a JSON object"));
    }
    P::deserialize(value::At(&value)).map_err(|error::Error(problem)| problem)
}

#[cfg(test)]
mod tests;
