//! What an administrator sends of an instance.

use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::scheme::SchemeSettings;
use outboard_core::name::{InstanceName, PluginName};
use serde_json::{Map, Value};

use crate::app::{View, Wanted};

/// Of the parameters as compact JSON, in bytes.
const MOST_PARAMETERS: usize = 16 << 10;
/// Of what people call an instance, in characters.
const LONGEST_DISPLAY_NAME: usize = 256;
const RANKS: std::ops::RangeInclusive<i64> = -1_000_000..=1_000_000;

/// An instance that is to be added, or changed.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) wanted: Wanted,
}

/// Reads what is sent of an instance of a kind; `now`: as it is, if it is to be changed. What a change does not say
/// stays, but for the parameters, which must be said.
///
/// # Errors
/// All that is wrong, each beginning with the name of the key.
pub(crate) fn read(
    body: &Value,
    kind: InstanceKind,
    now: Option<&View>,
) -> Result<Sent, Vec<String>> {
    let Value::Object(body) = body else {
        return Err(vec!["the body must be a JSON object".to_owned()]);
    };
    let mut errors = Vec::new();
    let (module, name) = match now {
        Some(now) => (now.module.clone(), now.name.clone()),
        None => names(body, &mut errors),
    };
    let display_name = display_name(body, now, &mut errors);
    let rank = rank(body, now, &mut errors);
    let readonly = match body.get("readonly") {
        None | Some(Value::Null) => now.is_some_and(|now| now.readonly),
        Some(Value::Bool(readonly)) => *readonly,
        Some(_) => {
            errors.push("readonly: must be true or false".to_owned());
            false
        }
    };
    let parameters = parameters(body, &mut errors);
    let scheme = match kind {
        InstanceKind::Scheme => settings(body, now, &mut errors),
        InstanceKind::Plugin | InstanceKind::UserBackend | InstanceKind::ClientBackend => None,
    };
    if errors.is_empty() {
        let wanted = Wanted { display_name, rank, readonly, parameters, scheme };
        Ok(Sent { module, name, wanted })
    } else {
        Err(errors)
    }
}

fn names(body: &Map<String, Value>, errors: &mut Vec<String>) -> (String, String) {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let (module, name) = (text("module"), text("name"));
    if let Err(error) = PluginName::new(module) {
        errors.push(format!("module: {error}"));
    }
    if let Err(error) = InstanceName::new(name) {
        errors.push(format!("name: {error}"));
    }
    (module.to_owned(), name.to_owned())
}

fn display_name(body: &Map<String, Value>, now: Option<&View>, errors: &mut Vec<String>) -> String {
    match body.get("display_name") {
        None | Some(Value::Null) => now.map(|now| now.display_name.clone()).unwrap_or_default(),
        Some(Value::String(text))
            if text.chars().count() <= LONGEST_DISPLAY_NAME
                && text.len() <= LONGEST_DISPLAY_NAME
                && !text.contains(char::is_control) =>
        {
            text.clone()
        }
        Some(_) => {
            errors.push(format!(
                "display_name: must be a text of at most {LONGEST_DISPLAY_NAME} bytes on one line"
            ));
            String::new()
        }
    }
}

fn rank(body: &Map<String, Value>, now: Option<&View>, errors: &mut Vec<String>) -> i64 {
    match body.get("order_rank") {
        None | Some(Value::Null) => now.map_or(0, |now| now.rank),
        Some(rank) => rank.as_i64().filter(|rank| RANKS.contains(rank)).unwrap_or_else(|| {
            errors.push("order_rank: must be a whole number, at most a million".to_owned());
            0
        }),
    }
}

fn parameters(body: &Map<String, Value>, errors: &mut Vec<String>) -> Map<String, Value> {
    let Some(Value::Object(parameters)) = body.get("parameters") else {
        errors.push("parameters: must be an object".to_owned());
        return Map::new();
    };
    let length = serde_json::to_string(parameters).map_or(usize::MAX, |text| text.len());
    if length > MOST_PARAMETERS {
        errors.push(format!("parameters: {length} bytes; keep them to {MOST_PARAMETERS}"));
    }
    parameters.clone()
}

fn settings(
    body: &Map<String, Value>,
    now: Option<&View>,
    errors: &mut Vec<String>,
) -> Option<SchemeSettings> {
    // What is not said stays as it is.
    let mut said = Map::new();
    if let Some(settings) = now.and_then(|now| now.scheme.as_ref()) {
        settings.add_to(&mut said);
    }
    said.extend(
        body.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())),
    );
    if body.get("expiration").is_some_and(|expiration| expiration.as_u64() == Some(0)) {
        errors.push(
            "expiration: must be more than 0; leave it out for as long as the session".into(),
        );
    }
    match SchemeSettings::from_json(&said) {
        Ok(settings) => Some(settings),
        Err(more) => {
            errors.extend(more);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "made for the call")]
    fn errors(body: Value, kind: InstanceKind) -> Vec<String> {
        read(&body, kind, None).unwrap_err()
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_key() {
        let body = json!({
            "module": 1, "name": "Not A Name", "display_name": [], "order_rank": 0.5, "readonly": 1,
            "parameters": "x", "max_use": -1,
        });
        let errors = errors(body, InstanceKind::Scheme);
        let keys: Vec<_> = errors.iter().map(|it| it.split([':', ' ']).next().unwrap()).collect();
        let expected =
            ["module", "name", "display_name", "order_rank", "readonly", "parameters", "max_use"];
        assert_eq!(keys, expected);
    }

    #[test]
    fn reserved_names_and_large_parameters_are_refused() {
        let body = |name: &str, parameters: Value| json!({ "module": "mock", "name": name, "parameters": parameters });
        assert!(errors(body("auth2", json!({})), InstanceKind::Plugin)[0].starts_with("name: "));
        let large = json!({ "a": "x".repeat(MOST_PARAMETERS) });
        assert!(errors(body("a", large), InstanceKind::Plugin)[0].starts_with("parameters: "));
        let fit = json!({ "a": "x".repeat(MOST_PARAMETERS - 8) });
        assert!(read(&body("a", fit), InstanceKind::Plugin, None).is_ok());
        assert_eq!(errors(json!([]), InstanceKind::Plugin).len(), 1);
    }

    #[test]
    fn what_a_change_does_not_say_stays() {
        let now = View {
            module: "mock".into(),
            name: "a".into(),
            display_name: "A".into(),
            kind: InstanceKind::Scheme,
            rank: 3,
            readonly: true,
            parameters: json!({ "x": 1 }),
            scheme: Some(SchemeSettings {
                expiration_s: 60,
                max_use: 2,
                ..SchemeSettings::default()
            }),
            enabled: true,
            is_fixed: false,
        };
        let body = json!({ "parameters": {}, "max_use": 5, "enabled": false, "module": "other" });
        let sent = read(&body, InstanceKind::Scheme, Some(&now)).unwrap();
        let scheme = sent.wanted.scheme.unwrap();
        assert_eq!((sent.module.as_str(), sent.name.as_str()), ("mock", "a"));
        assert_eq!((scheme.expiration_s, scheme.max_use), (60, 5));
        assert_eq!((sent.wanted.rank, sent.wanted.readonly), (3, true));
        assert_eq!(sent.wanted.display_name, "A");
        assert!(read(&json!({ "display_name": "B" }), InstanceKind::Plugin, Some(&now)).is_err());
    }
}
