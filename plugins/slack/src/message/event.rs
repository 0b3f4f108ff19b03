//! What there is to say of an event.

use outboard_sdk::Event;
use serde_json::{Map, Value};

/// The one type that has a table.
const EXECUTION: &str = "EXECUTION_EVENT";

/// A headline, and the content by name, in the names' order; `None` for an event of another type, or one without
/// content.
pub(super) fn execution(event: &Event) -> Option<(String, Vec<(String, String)>)> {
    if event.kind != EXECUTION {
        return None;
    }
    let data = event.json_data()?;
    let content = data.get("content")?.as_object()?;
    let headline = format!("{} has run a job; the details:", user(&data).unwrap_or("Somebody"));
    let mut rows: Vec<(String, String)> =
        content.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    rows.sort();
    Some((headline, rows))
}

/// Two lines: who (or where), and what.
pub(super) fn plain(event: &Event) -> String {
    let data = event.json_data();
    let user = data.as_ref().and_then(user);
    let first = match user {
        Some(user) => format!("User: {user}"),
        None => format!("Source: {}", event.source),
    };
    let what = match event.subject.as_str() {
        "" => event.kind.clone(),
        subject => format!("{} ({subject})", event.kind),
    };
    match details(event, data.as_ref(), user.is_some()) {
        Some(details) => format!("{first}\n{what} {details}"),
        None => format!("{first}\n{what}"),
    }
}

/// Proctor's content if the data have its shape, else all data.
fn details(event: &Event, data: Option<&Value>, is_proctor: bool) -> Option<String> {
    let Some(data) = data else {
        return match event.data.len() {
            0 => None,
            _ => {
                Some(str::from_utf8(&event.data).map_or_else(
                    |_| format!("({} bytes of data)", event.data.len()),
                    str::to_owned,
                ))
            }
        };
    };
    let content = data.get("content").filter(|content| is_proctor && content.is_object());
    Some(match content {
        Some(Value::Object(content)) => sorted(content).to_string(),
        _ => data.to_string(),
    })
}

fn sorted(content: &Map<String, Value>) -> Value {
    let mut members: Vec<_> = content.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    members.sort_by(|one, other| one.0.cmp(&other.0));
    Value::Object(members.into_iter().collect())
}

/// Proctor's user, if the data have its shape.
fn user(data: &Value) -> Option<&str> {
    data.get("user")?.get("email")?.as_str().map(str::trim).filter(|email| !email.is_empty())
}

/// A text as it is; but JSON in a text, such as a job's arguments, without the escapes that are there for browsers, so
/// that it reads as it was typed.
fn shown(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_json = text.starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok();
    if is_json { without_escapes(text) } else { text.clone() }
}

/// Undoes `\u0026`, `\u003c` and `\u003e` and nothing else: numbers stay as long as they were.
fn without_escapes(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = rest.get(..6).unwrap_or_default().to_ascii_lowercase();
        // Of another escape its first two characters are enough: the second may be a backslash.
        let two = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
        let (c, length) = match escape.as_str() {
            "\\u0026" => ("&", 6),
            "\\u003c" => ("<", 6),
            "\\u003e" => (">", 6),
            _ => (&rest[..two], two),
        };
        shown.push_str(c);
        rest = &rest[length..];
    }
    shown + rest
}
