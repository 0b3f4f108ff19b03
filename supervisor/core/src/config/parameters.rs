//! Parameters of instances: TOML becomes JSON, and references to secrets become their values.
//!
//! A reference is a table with the one key `secret`, whose value names a secret of the operator's.
//! References stay in the parameters until an instance is initialised, so that nothing that shows
//! parameters can show a secret.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::written::{Key, Mistakes, Place, Table};

/// The longest parameters, as compact JSON, in bytes. `Init` takes no more.
const LONGEST: usize = 1 << 20;

/// Reads a table of parameters; none is an empty one.
pub(crate) fn read(
    table: &Table<'_>,
    key: &Key<()>,
    mistakes: &mut Mistakes,
) -> Map<String, Value> {
    let Some(written) = table.free(key, mistakes) else { return Map::new() };
    let parameters = object(table, key.about.path, written, mistakes);
    let length = serde_json::to_vec(&parameters).map_or(usize::MAX, |json| json.len());
    if length > LONGEST {
        let path = key.about.path;
        mistakes.add(
            table.place_of_key(key),
            format!("{path}: {length} bytes as JSON; keep it to {LONGEST}"),
        );
    }
    parameters
}

/// The secrets that parameters refer to, each with its place.
pub(crate) fn references(table: &Table<'_>, key: &Key<()>) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    if let Some(written) = table.free(key, &mut Mistakes::default()) {
        for (_, value) in written {
            collect(table, value, &mut found);
        }
    }
    found
}

/// The parameters with every reference replaced by what `secret` gives for its name.
///
/// # Errors
/// The name of the first secret that `secret` does not know.
pub fn resolve(
    parameters: &Map<String, Value>,
    secret: &impl Fn(&str) -> Option<String>,
) -> Result<Map<String, Value>, String> {
    parameters.iter().map(|(key, value)| Ok((key.clone(), resolve_value(value, secret)?))).collect()
}

/// The names that parameters refer to.
pub fn secret_names(parameters: &Map<String, Value>) -> Vec<&str> {
    parameters.values().flat_map(names_in).collect()
}

fn resolve_value(value: &Value, secret: &impl Fn(&str) -> Option<String>) -> Result<Value, String> {
    if let Some(name) = reference(value) {
        return secret(name).map(Value::String).ok_or_else(|| name.to_owned());
    }
    match value {
        Value::Object(object) => resolve(object, secret).map(Value::Object),
        Value::Array(items) => items.iter().map(|item| resolve_value(item, secret)).collect(),
        plain => Ok(plain.clone()),
    }
}

fn names_in(value: &Value) -> Vec<&str> {
    if let Some(name) = reference(value) {
        return vec![name];
    }
    match value {
        Value::Object(object) => secret_names(object),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

fn reference(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get("secret")?.as_str()
}

fn collect(table: &Table<'_>, value: &Spanned<DeValue<'_>>, found: &mut Vec<(String, Place)>) {
    match value.get_ref() {
        DeValue::Table(inner) => {
            let only = if inner.len() == 1 { inner.get("secret") } else { None };
            match only.and_then(|name| name.get_ref().as_str()) {
                Some(name) => found.push((name.to_owned(), table.place_of(value))),
                None => inner.iter().for_each(|(_, value)| collect(table, value, found)),
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| collect(table, item, found)),
        _ => {}
    }
}

fn object(
    table: &Table<'_>,
    path: &str,
    written: &DeTable<'_>,
    mistakes: &mut Mistakes,
) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in written {
        let path = format!("{path}.{}", key.get_ref());
        object.insert(key.get_ref().to_string(), json(table, &path, value, mistakes));
    }
    object
}

fn json(
    table: &Table<'_>,
    path: &str,
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Value {
    let number = match value.get_ref() {
        DeValue::String(text) => return Value::String(text.to_string()),
        DeValue::Boolean(value) => return Value::Bool(*value),
        // JSON has no times; their text is what plugins of any language can read.
        DeValue::Datetime(time) => return Value::String(time.to_string()),
        DeValue::Array(items) => {
            return items.iter().map(|item| json(table, path, item, mistakes)).collect();
        }
        DeValue::Table(inner) => return Value::Object(object(table, path, inner, mistakes)),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Number::from)
        }
        DeValue::Float(number) => number.as_str().parse().ok().and_then(Number::from_f64),
    };
    number.map_or_else(
        || {
            mistakes.add(
                table.place_of(value),
                format!(
                    "{path}: JSON has no such number; write one that fits 64 bits and is finite"
                ),
            );
            Value::Null
        },
        Value::Number,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(name: &str) -> Option<String> {
        (name == "token").then(|| "t0ken".to_owned())
    }

    fn check(parameters: &Value, expected: Result<Value, &str>) {
        let parameters = parameters.as_object().unwrap();
        let resolved = resolve(parameters, &secret).map(Value::Object);
        assert_eq!(resolved, expected.map_err(str::to_owned));
    }

    #[test]
    fn references_become_secrets_wherever_they_stand() {
        check(
            &json!({ "a": { "secret": "token" }, "b": [1, { "secret": "token" }], "c": { "d": { "secret": "token" } } }),
            Ok(json!({ "a": "t0ken", "b": [1, "t0ken"], "c": { "d": "t0ken" } })),
        );
    }

    #[test]
    fn a_table_that_says_more_than_secret_is_no_reference() {
        let plain = json!({ "a": { "secret": "token", "other": 1 }, "b": { "secret": 3 }, "secret": "token" });
        check(&plain, Ok(plain.clone()));
        assert!(secret_names(plain.as_object().unwrap()).is_empty());
    }

    #[test]
    fn a_secret_that_nobody_knows_is_named() {
        check(&json!({ "a": { "secret": "tokn" } }), Err("tokn"));
        assert_eq!(
            secret_names(json!({ "a": [{ "secret": "tokn" }] }).as_object().unwrap()),
            ["tokn"]
        );
    }
}
