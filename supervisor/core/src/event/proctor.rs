//! Proctor's events: a type, whose doing it was, and texts by name.
//!
//! `{"type": "EXECUTION_EVENT", "user": {"email": "…"}, "content": {"ExecutionID": "7", …}}`. Such an event may
//! have an `id`, so that a repeat is known, and a `source`; Proctor itself knows neither.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::Draft;
use super::{Data, Event, Fault, Received, json};
use crate::written::shown;

/// Whose events they are, where nothing is said.
pub const SOURCE: &str = "/proctor";

/// The content that says what an event is about, and so keeps those of one execution in order.
const EXECUTION_ID: &str = "ExecutionID";

/// What Proctor's plugins were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Told {
    #[serde(default)]
    pub user: User,
    pub content: BTreeMap<String, String>,
}

/// Whose doing it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    #[serde(default)]
    pub email: String,
}

/// Reads one event of Proctor's shape.
pub fn read(bytes: &[u8], received: &mut Received<'_>) -> Result<Event, Fault> {
    let mut draft = Draft::default();
    let (mut user, mut content) = (None, None);
    for (name, value) in json::fields(json::text(bytes)?)?.0 {
        match name.as_str() {
            "type" => draft.kind = Some(json::string("type", value)?),
            "id" => draft.id = Some(json::string("id", value)?),
            "source" => draft.source = Some(json::string("source", value)?),
            "user" => user = Some(value),
            "content" => content = Some(value),
            _ => return Err(Fault::new(shown(&name), "not a key of Proctor's events; remove it")),
        }
    }
    let email = email(user.ok_or_else(|| missing("user"))?)?;
    let content = texts(content.ok_or_else(|| missing("content"))?)?;
    let id = content.iter().find(|(name, _)| name == EXECUTION_ID).map(|(_, value)| value.clone());
    draft.subject = id.filter(|id| !id.is_empty());
    draft.source.get_or_insert_with(|| SOURCE.to_owned());
    draft.data = Some(Data::Json(data(&email, &content)));
    draft.complete(received)
}

/// An event in Proctor's shape. `None`: its data is another.
pub fn write(event: &Event) -> Option<String> {
    let told = told(event)?;
    let content: Vec<(String, String)> = told.content.into_iter().collect();
    let data = data(&told.user.email, &content);
    Some(format!("{{\"type\":{},{}", json::quoted(&event.kind), &data[1..]))
}

/// What an event says in Proctor's terms, if its data is what [`read`] makes.
pub fn told(event: &Event) -> Option<Told> {
    match &event.data {
        Some(Data::Json(json)) => serde_json::from_str(json).ok(),
        Some(Data::Text(_) | Data::Binary(_)) | None => None,
    }
}

fn missing(attribute: &str) -> Fault {
    Fault::new(attribute, "missing; write it as Proctor does")
}

fn email(user: &RawValue) -> Result<String, Fault> {
    let mut email = None;
    for (name, value) in object("user", user)? {
        match name.as_str() {
            "email" => email = Some(json::string("user.email", value)?),
            _ => {
                return Err(Fault::new(
                    format!("user.{}", shown(&name)),
                    "not a key of Proctor's events; remove it",
                ));
            }
        }
    }
    email.ok_or_else(|| missing("user.email"))
}

fn texts(content: &RawValue) -> Result<Vec<(String, String)>, Fault> {
    let read = |(name, value): (String, &RawValue)| {
        let text = json::string(&format!("content.{}", shown(&name)), value)?;
        Ok((name, text))
    };
    object("content", content)?.into_iter().map(read).collect()
}

fn object<'j>(attribute: &str, value: &'j RawValue) -> Result<Vec<(String, &'j RawValue)>, Fault> {
    let fields = json::fields(value.get());
    fields.map(|fields| fields.0).map_err(|fault| Fault::new(attribute, fault.problem))
}

fn data(email: &str, content: &[(String, String)]) -> String {
    let content: Vec<String> = content
        .iter()
        .map(|(name, text)| format!("{}:{}", json::quoted(name), json::quoted(text)))
        .collect();
    format!(
        "{{\"user\":{{\"email\":{}}},\"content\":{{{}}}}}",
        json::quoted(email),
        content.join(",")
    )
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::event::Origin;

    /// As in Proctor's own test: id 7, a job, an image, arguments, and that it was created.
    const EXECUTION: &str = r#"{"type":"EXECUTION_EVENT","user":{"email":"u@example.org"},"content":{"ExecutionID":"7","JobName":"a-job","ImageTag":"test","Args":"{\"a\":\"\\u0026\"}","Status":"CREATED"}}"#;

    fn read_text(text: &str) -> Result<Event, String> {
        let mut new_id = || "made".to_owned();
        let now = SystemTime::UNIX_EPOCH;
        let mut received = Received { now, new_id: &mut new_id, origin: Origin::Service };
        read(text.as_bytes(), &mut received).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_execution_is_told_with_its_five_texts() {
        let event = read_text(EXECUTION).unwrap();
        assert_eq!((event.kind.as_str(), event.source.as_str()), ("EXECUTION_EVENT", "/proctor"));
        assert_eq!((event.id.as_str(), event.key()), ("made", Some("7")));
        let told = told(&event).unwrap();
        assert_eq!(told.user.email, "u@example.org");
        assert_eq!(told.content.len(), 5);
        assert_eq!(told.content["Args"], r#"{"a":"\u0026"}"#);
        assert_eq!(told.content["Status"], "CREATED");
        assert_eq!(Event::from_json(&event.to_json()).unwrap(), event);
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        let event = read_text(EXECUTION).unwrap();
        let written = write(&event).unwrap();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&written), value(EXECUTION));
        assert_eq!(told(&read_text(&written).unwrap()), told(&event));
    }

    #[test]
    fn an_event_may_say_who_it_is() {
        let event = read_text(
            r#"{"id":"1","source":"/other","type":"X","user":{"email":""},"content":{}}"#,
        )
        .unwrap();
        assert_eq!((event.id.as_str(), event.source.as_str(), event.key()), ("1", "/other", None));
    }

    #[test]
    fn data_of_another_shape_is_not_proctors() {
        let mut event = read_text(EXECUTION).unwrap();
        for data in [r#"{"content":{"a":1}}"#, "5", r#"{"user":{}}"#] {
            event.data = Some(Data::Json(data.to_owned()));
            assert_eq!(write(&event), None, "{data}");
        }
        event.data = None;
        assert_eq!(write(&event), None);
    }

    #[test]
    fn every_slip_is_named() {
        let check = |text: &str, expected: &str| {
            let fault = read_text(text).unwrap_err();
            assert!(fault.starts_with(expected), "{text}: {fault}");
        };
        check(r#"{"type":"","user":{"email":"u"},"content":{}}"#, "type: missing or empty");
        check(r#"{"type":5,"user":{"email":"u"},"content":{}}"#, "type: \"5\": write text");
        check(r#"{"user":{"email":"u"},"content":{}}"#, "type: missing");
        check(r#"{"type":"X","content":{}}"#, "user: missing");
        check(r#"{"type":"X","user":{},"content":{}}"#, "user.email: missing");
        check(r#"{"type":"X","user":{"email":"u"}}"#, "content: missing");
        check(
            r#"{"type":"X","user":{"email":"u"},"content":{"a":1}}"#,
            "content.\"a\": \"1\": write text",
        );
        check(
            r#"{"type":"X","user":{"email":"u"},"content":{"a":"1","a":"2"}}"#,
            "content: the key \"a\" is there twice",
        );
        check(r#"{"type":"X","user":{"email":"u"},"content":{},"x":1}"#, "\"x\": not a key");
        check(r#"{"type":"X","user":[],"content":{}}"#, "user: ");
    }
}
