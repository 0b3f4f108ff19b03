//! What users and clients are given on a command line, and how they are shown.

use std::io;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use super::output::{self, plain};

/// Longest value of a property in a table; the rest is cut.
const LONGEST_SHOWN: usize = 200;

/// What any of them may be given.
#[derive(Args, Debug)]
pub(super) struct Fields {
    /// For people; empty: none
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A scope, by its name; may be repeated, and replaces all that were there
    #[arg(long = "scope", value_name = "NAME")]
    scopes: Vec<String>,
    /// Leave it without any scope
    #[arg(long, conflicts_with = "scopes")]
    no_scopes: bool,
    /// A property; may be repeated, of one name too, which makes it a list; without a value it is taken away
    #[arg(long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

impl Fields {
    /// Adds what was given to an object of the HTTP API.
    pub(super) fn add_to(&self, object: &mut Map<String, Value>) -> Result<()> {
        add_text(object, "name", self.name.as_deref());
        if self.no_scopes || !self.scopes.is_empty() {
            object.insert("scope".to_owned(), self.scopes.as_slice().into());
        }
        for property in &self.properties {
            let Some((name, value)) = property.split_once('=') else {
                object.insert(property.clone(), Value::Null);
                continue;
            };
            if name.is_empty() {
                bail!("--property {property:?} has no name; use NAME=VALUE");
            }
            add_value(object, name, value);
        }
        Ok(())
    }
}

/// An empty text takes it away.
pub(super) fn add_text(object: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    let value = if text.is_empty() { Value::Null } else { text.into() };
    object.insert(name.to_owned(), value);
}

/// A name that comes again makes a list.
fn add_value(object: &mut Map<String, Value>, name: &str, value: &str) {
    let value = Value::from(value);
    match object.get_mut(name) {
        Some(Value::Array(values)) => values.push(value),
        Some(first @ Value::String(_)) => {
            let values = vec![first.take(), value];
            *first = Value::Array(values);
        }
        _ => {
            object.insert(name.to_owned(), value);
        }
    }
}

/// Objects as they came.
pub(super) fn read_all(objects: &[impl AsRef<[u8]>]) -> Result<Vec<Value>> {
    objects.iter().map(|object| Ok(serde_json::from_slice(object.as_ref())?)).collect()
}

/// One object, as JSON or line by line.
pub(super) fn write(object: &[u8], as_json: bool) -> Result<()> {
    let object: Value = serde_json::from_slice(object)?;
    if as_json { Ok(output::json(&object)?) } else { Ok(write_lines(&object)?) }
}

fn write_lines(object: &Value) -> io::Result<()> {
    let mut table = output::table(["FIELD", "VALUE"]);
    for (name, value) in object.as_object().into_iter().flatten() {
        let mut value = cell(value);
        if value.chars().count() > LONGEST_SHOWN {
            value = value.chars().take(LONGEST_SHOWN).chain("…".chars()).collect();
        }
        table.add_row([plain(name), value]);
    }
    output::write_table(&table)
}

/// A value in a table.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plain(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_becomes_an_object_and_the_rest_stays() {
        let fields = Fields {
            name: Some("Ada".into()),
            scopes: vec!["a".into(), "b".into()],
            no_scopes: false,
            properties: ["phone=1", "uri=x", "uri=y=z", "uri=", "gone"].map(str::to_owned).into(),
        };
        let mut object = Map::new();
        fields.add_to(&mut object).unwrap();
        let expected = json!({
            "name": "Ada", "scope": ["a", "b"], "phone": "1", "uri": ["x", "y=z", ""], "gone": null,
        });
        assert_eq!(Value::Object(object), expected);
        let none = Fields { name: None, scopes: vec![], no_scopes: false, properties: vec![] };
        let mut object = Map::new();
        none.add_to(&mut object).unwrap();
        assert!(object.is_empty());
        let nameless = Fields { properties: vec!["=x".into()], ..none };
        assert!(nameless.add_to(&mut object).is_err());
    }

    #[test]
    fn values_are_harmless_in_a_table() {
        assert_eq!(cell(&json!(["a\u{1b}[2J", "b"])), "a\\u{1b}[2J, b");
        assert_eq!(cell(&json!([])), "-");
        assert_eq!(cell(&json!(false)), "no");
    }
}
