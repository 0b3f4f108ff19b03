//! Free properties: whatever else is known of a user or a client.

use serde_json::{Map, Value};

/// By name; each a text, or a list of texts. In a change, null removes one.
pub type Properties = Map<String, Value>;

/// All of them together, as JSON.
pub const MOST_BYTES: usize = 1 << 20;
/// Of one thing.
pub const MOST_PROPERTIES: usize = 1000;
/// Of a property's name, in characters.
pub const LONGEST_PROPERTY_NAME: usize = 128;

/// Reads properties from a message's JSON. Nothing at all is none.
///
/// # Errors
/// If it is too long, or no JSON object.
pub fn read(json: &[u8]) -> Result<Properties, String> {
    if json.is_empty() {
        return Ok(Properties::new());
    }
    if json.len() > MOST_BYTES {
        return Err(too_long(json.len()));
    }
    serde_json::from_slice(json)
        .map_err(|error| format!("properties: not a JSON object ({error}); send one"))
}

/// What is wrong with properties, each beginning with the name of one.
pub fn faults(properties: &Properties) -> Vec<String> {
    if properties.len() > MOST_PROPERTIES {
        let count = properties.len();
        return vec![format!("properties: there are {count}; at most {MOST_PROPERTIES} may be")];
    }
    let length = serde_json::to_vec(properties).map_or(usize::MAX, |json| json.len());
    if length > MOST_BYTES {
        return vec![too_long(length)];
    }
    properties.iter().filter_map(|(name, value)| fault(name, value)).collect()
}

/// Makes `changes` to `properties`.
pub fn change(properties: &mut Properties, changes: &Properties) {
    for (name, value) in changes {
        if value.is_null() {
            properties.remove(name);
        } else {
            properties.insert(name.clone(), value.clone());
        }
    }
}

fn too_long(length: usize) -> String {
    format!("properties: {length} bytes of JSON; at most {MOST_BYTES} may be")
}

fn fault(name: &str, value: &Value) -> Option<String> {
    let is_name = (1..=LONGEST_PROPERTY_NAME).contains(&name.chars().count())
        && !name.chars().any(char::is_control);
    if !is_name {
        let shown: String = name.chars().take(LONGEST_PROPERTY_NAME).collect();
        return Some(format!(
            "{shown:?}: no name of a property; use 1 to {LONGEST_PROPERTY_NAME} characters, none a control character"
        ));
    }
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.contains('\0'));
    let is_value = match value {
        Value::Null => true,
        Value::Array(values) => values.iter().all(is_text),
        value => is_text(value),
    };
    (!is_value).then(|| format!("{name}: must be a text without NUL, or a list of such texts"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn properties(value: Value) -> Properties {
        let Value::Object(properties) = value else { panic!("{value}") };
        properties
    }

    #[test]
    fn texts_and_lists_of_texts_are_properties() {
        let good = json!({"phone": "1", "redirect_uri": ["a", "b"], "none": [], "gone": null});
        assert_eq!(faults(&properties(good)), Vec::<String>::new());
        for value in
            [json!(1), json!(true), json!({}), json!(["a", 1]), json!([["a"]]), json!("\0")]
        {
            let found = faults(&properties(json!({"phone": value})));
            assert!(found.len() == 1 && found[0].starts_with("phone: "), "{found:?}");
        }
        for name in ["", "a\nb", &"n".repeat(129)] {
            assert_eq!(faults(&properties(json!({name: "x"}))).len(), 1, "{name}");
        }
    }

    #[test]
    fn they_are_bounded() {
        let long = faults(&properties(json!({"long": "x".repeat(MOST_BYTES)})));
        assert!(long[0].starts_with("properties: "), "{long:?}");
        let many = (0..=MOST_PROPERTIES).map(|at| (at.to_string(), json!("")));
        assert!(faults(&many.collect())[0].starts_with("properties: "));
        assert!(read(&vec![b' '; MOST_BYTES + 1]).is_err());
    }

    #[test]
    fn only_an_object_is_read() {
        assert_eq!(read(b""), Ok(Properties::new()));
        assert_eq!(read(br#"{"a":"b"}"#), Ok(properties(json!({"a": "b"}))));
        for json in ["[]", "1", "{", "\"a\"", "{} {}"] {
            assert!(read(json.as_bytes()).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(format!("{{\"a\":{deep}").as_bytes()).is_err());
    }

    #[test]
    fn a_change_replaces_and_removes_what_it_names() {
        let mut kept = properties(json!({"a": "1", "b": "2", "c": "3"}));
        change(&mut kept, &properties(json!({"a": "x", "b": null, "d": ["4"], "e": null})));
        assert_eq!(Value::Object(kept), json!({"a": "x", "c": "3", "d": ["4"]}));
    }
}
