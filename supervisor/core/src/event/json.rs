//! JSON read more strictly than usual: no key twice, no text that is not Unicode.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Fault;
use crate::written::shown;

/// The keys of an object, each once, with the text of their values.
pub(super) struct Fields<'j>(pub(super) Vec<(String, &'j RawValue)>);

/// The value of an attribute, as text. `None`: null, which is the same as not there.
pub(super) type Scalar = Option<String>;

/// The text of a message.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| {
        Fault::new("", format!("not UTF-8 at byte {}; send UTF-8", error.valid_up_to()))
    })
}

/// The object that a text is.
pub(super) fn fields(text: &str) -> Result<Fields<'_>, Fault> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let fields =
        reader.deserialize_map(FieldsVisitor).and_then(|fields| reader.end().map(|()| fields));
    fields.map_err(|error| Fault::new("", malformed(&error)))
}

/// The items of the list that a text is.
pub(super) fn items(text: &str) -> Result<Vec<&RawValue>, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::new("", malformed(&error)))
}

/// Refuses what is no JSON, or JSON that two readers may understand differently.
pub(super) fn check(attribute: &str, text: &str) -> Result<(), Fault> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Once.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| Fault::new(attribute, malformed(&error)))
}

/// The value of an attribute: text, or what has a text of its own.
pub(super) fn scalar(attribute: &str, value: &RawValue) -> Result<Scalar, Fault> {
    let written = value.get();
    match written.as_bytes().first() {
        Some(b'"') => string(attribute, value).map(Some),
        Some(b'n') => Ok(None),
        Some(b't' | b'f') => Ok(Some(written.to_owned())),
        Some(b'-' | b'0'..=b'9') if written.parse::<i32>().is_ok() => Ok(Some(written.to_owned())),
        _ => Err(Fault::new(attribute, format!("{}: write text, in quotes", shown(written)))),
    }
}

/// A value that must be text.
pub(super) fn string(attribute: &str, value: &RawValue) -> Result<String, Fault> {
    if !value.get().starts_with('"') {
        return Err(Fault::new(
            attribute,
            format!("{}: write text, in quotes", shown(value.get())),
        ));
    }
    serde_json::from_str(value.get()).map_err(|error| Fault::new(attribute, malformed(&error)))
}

/// Text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn malformed(error: &serde_json::Error) -> String {
    format!("{error}; send well-formed JSON")
}

struct FieldsVisitor;

impl<'j> Visitor<'j> for FieldsVisitor {
    type Value = Fields<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Fields<'j>, A::Error> {
        let mut fields: Vec<(String, &RawValue)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if !seen.insert(key.clone()) {
                return Err(twice(&key));
            }
            fields.push((key, value));
        }
        Ok(Fields(fields))
    }
}

/// Walks through any JSON and keeps nothing of it.
struct Once;

impl<'j> DeserializeSeed<'j> for Once {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'j>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Once {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Self)?;
            if seen.contains(&key) {
                return Err(twice(&key));
            }
            seen.insert(key);
        }
        Ok(())
    }
}

fn twice<E: Error>(key: &str) -> E {
    E::custom(format!("the key {} is there twice", shown(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_refused_at_any_depth() {
        for twice in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":1,"\u0061":1}}]"#] {
            let fault = check("data", twice).unwrap_err();
            assert!(fault.problem.contains("the key \"a\" is there twice"), "{fault}");
        }
        assert_eq!(check("data", r#"[{"a":1},{"a":[null,true,-1.5e3,"x",{}]}]"#), Ok(()));
        assert!(fields(r#"{"id":"1","id":"2"}"#).is_err());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for wrong in ["", "{", "[1,]", "1 2", "\"\\ud800\"", "NaN", "1e999", "\"\u{1}\"", &deep] {
            assert!(check("data", wrong).is_err(), "{wrong}");
        }
        assert_eq!(check("data", "123456789012345678901234567890"), Ok(()));
        let fault = text(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(fault.to_string(), "not UTF-8 at byte 6; send UTF-8");
    }

    #[test]
    fn an_attribute_is_text_or_has_one() {
        let value = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let read = |text: &str| scalar("a", &value(text));
        assert_eq!(read("\"x\\n\""), Ok(Some("x\n".to_owned())));
        assert_eq!(read("true"), Ok(Some("true".to_owned())));
        assert_eq!(read("-5"), Ok(Some("-5".to_owned())));
        assert_eq!(read("null"), Ok(None));
        for wrong in ["{}", "[1]", "1.5", "3000000000", "\"\\udc00\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
