//! Events: what happened, told to notifiers, and announced by plugins.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use outboard_proto::event::v1;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const JSON: &str = "application/json";

/// Something that a service, a plugin or the host announces, with the attributes of `CloudEvents` 1.0. A text
/// that is empty is not there.
///
/// ```
/// use outboard_sdk::Event;
///
/// let event = Event::new("com.example.job.started").about("job-7").json(&serde_json::json!({"by": "ann"}));
/// assert_eq!(event.key(), Some("job-7"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Unique within the source. Left empty in what a plugin emits, the host makes one. Limit: 255 bytes.
    pub id: String,
    /// What announces it, a URI reference. The host writes it into what a plugin emits.
    pub source: String,
    /// What happened, such as `EXECUTION_EVENT` (`type` in `CloudEvents`). Limit: 255 bytes, visible ASCII.
    pub kind: String,
    /// What it is about, within the source. Limit: 255 bytes.
    pub subject: String,
    /// When it happened. The host writes it into what a plugin emits.
    pub time: Option<SystemTime>,
    /// Media type of `data`.
    pub data_content_type: String,
    /// Schema of `data`, a URI.
    pub data_schema: String,
    /// What happened, in detail: JSON where the media type says so, else anything.
    pub data: Bytes,
    /// Extension attributes: names of 1 to 20 characters of `a-z` and `0-9`. Limits: 32, 1024 bytes a value.
    pub extensions: BTreeMap<String, String>,
}

/// Under which id an emitted event is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// As given, or made by the host.
    pub event_id: String,
    /// It was there already, and this one was left out.
    pub repeated: bool,
}

impl Event {
    /// An event without data.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// The same about something. Events about the same thing reach each notifier in order.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// The same with these data. Whatever can't be JSON, such as a map whose keys are no texts, becomes `null`.
    #[must_use]
    pub fn json(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::to_vec(data).map_or(Bytes::from_static(b"null"), Bytes::from);
        JSON.clone_into(&mut self.data_content_type);
        self
    }

    /// What puts events in order: the extension `partitionkey`, else the subject.
    pub fn key(&self) -> Option<&str> {
        let key = self.extensions.get("partitionkey").filter(|key| !key.is_empty());
        key.or(Some(&self.subject).filter(|subject| !subject.is_empty())).map(String::as_str)
    }

    /// The data, if they are JSON.
    pub fn json_data(&self) -> Option<Value> {
        let is_json = self.is_json() && !self.data.is_empty();
        is_json.then(|| serde_json::from_slice(&self.data).ok()).flatten()
    }

    /// The event as `CloudEvents` 1.0 writes it in JSON. Data that are neither JSON nor text become
    /// `data_base64`.
    ///
    /// A number in the data that is larger than a `Value` holds loses its last digits;
    /// [`to_cloud_event_text`](Self::to_cloud_event_text) keeps them.
    pub fn to_cloud_event(&self) -> Value {
        let mut object = self.cloud_attributes();
        if let Some((name, data)) = self.cloud_data() {
            object.insert(name.to_owned(), data);
        }
        Value::Object(object)
    }

    /// The same as a text, with JSON data byte for byte as they came.
    pub fn to_cloud_event_text(&self) -> String {
        let is_json = self.is_json() && serde_json::from_slice::<IgnoredAny>(&self.data).is_ok();
        let data = str::from_utf8(&self.data).ok().filter(|_| is_json);
        let Some(data) = data else { return self.to_cloud_event().to_string() };
        let mut text = Value::Object(self.cloud_attributes()).to_string();
        // It is an object with at least its version in it.
        text.pop();
        text + ",\"data\":" + data + "}"
    }

    fn cloud_attributes(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("specversion".to_owned(), "1.0".into());
        let texts = [
            ("id", self.id.clone()),
            ("source", self.source.clone()),
            ("type", self.kind.clone()),
            ("subject", self.subject.clone()),
            ("time", self.time.and_then(rfc3339).unwrap_or_default()),
            ("datacontenttype", self.data_content_type.clone()),
            ("dataschema", self.data_schema.clone()),
        ];
        let extensions = self.extensions.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, text) in texts.into_iter().chain(extensions).filter(|(_, it)| !it.is_empty()) {
            object.insert(name.to_owned(), text.into());
        }
        object
    }

    fn cloud_data(&self) -> Option<(&'static str, Value)> {
        if self.data.is_empty() {
            return None;
        }
        if let Some(data) = self.json_data() {
            return Some(("data", data));
        }
        let text = self.media_type().starts_with("text/").then(|| str::from_utf8(&self.data).ok());
        Some(match text.flatten() {
            Some(text) => ("data", text.into()),
            None => ("data_base64", STANDARD.encode(&self.data).into()),
        })
    }

    fn is_json(&self) -> bool {
        let media_type = self.media_type();
        media_type.is_empty() || media_type.ends_with("/json") || media_type.ends_with("+json")
    }

    /// Without its parameters, in lower case.
    fn media_type(&self) -> String {
        let media_type = self.data_content_type.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }

    pub(crate) fn from_proto(event: v1::Event) -> Self {
        Self {
            id: event.id,
            source: event.source,
            kind: event.r#type,
            subject: event.subject,
            time: event.time.and_then(|time| SystemTime::try_from(time).ok()),
            data_content_type: event.data_content_type,
            data_schema: event.data_schema,
            data: event.data,
            extensions: event.extensions.into_iter().collect(),
        }
    }

    pub(crate) fn into_proto(self) -> v1::Event {
        v1::Event {
            id: self.id,
            source: self.source,
            r#type: self.kind,
            subject: self.subject,
            time: self.time.map(Into::into),
            data_content_type: self.data_content_type,
            data_schema: self.data_schema,
            data: self.data,
            extensions: self.extensions.into_iter().collect(),
        }
    }
}

/// `None` for what lies before the year 0 or after 9999.
fn rfc3339(time: SystemTime) -> Option<String> {
    OffsetDateTime::from(time).format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn with(data_content_type: &str, data: &'static [u8]) -> Event {
        let data_content_type = data_content_type.to_owned();
        Event { data_content_type, data: Bytes::from_static(data), ..Event::new("t") }
    }

    #[test]
    fn attributes_are_written_as_cloudevents_writes_them_and_empty_ones_are_not() {
        let mut event = Event::new("t").about("s").json(&json!({"a": [1]}));
        (event.id, event.source) = ("7".to_owned(), "/x".to_owned());
        event.time = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        event.extensions.insert("partitionkey".to_owned(), "k".to_owned());
        let expected = json!({
            "specversion": "1.0", "id": "7", "source": "/x", "type": "t", "subject": "s",
            "time": "1970-01-01T00:00:01.5Z", "datacontenttype": "application/json",
            "partitionkey": "k", "data": {"a": [1]},
        });
        assert_eq!(event.to_cloud_event(), expected);
        assert_eq!(Event::new("t").to_cloud_event(), json!({"specversion": "1.0", "type": "t"}));
    }

    #[test]
    fn data_are_a_value_a_text_or_base64_by_their_media_type() {
        for (media_type, data, expected) in [
            ("", &b"[1]"[..], ("data", json!([1]))),
            ("application/vnd.x+JSON; charset=utf-8", b"{}", ("data", json!({}))),
            ("text/plain", b"[1]", ("data", json!("[1]"))),
            ("text/plain", b"\xff", ("data_base64", json!("/w=="))),
            ("application/json", b"[1", ("data_base64", json!("WzE="))),
            ("application/octet-stream", b"[1]", ("data_base64", json!("WzFd"))),
        ] {
            assert_eq!(with(media_type, data).cloud_data(), Some(expected), "{media_type}");
        }
        assert_eq!(with("text/plain", b"").cloud_data(), None);
    }

    #[test]
    fn as_a_text_json_data_stay_as_they_came_and_others_are_as_in_a_value() {
        let long = b"{ \"n\": 123456789012345678901234567890, \"n\": 1.10 }";
        let text = with("application/json", long).to_cloud_event_text();
        let data = str::from_utf8(long).unwrap();
        assert!(text.ends_with(&format!(",\"data\":{data}}}")), "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        for event in [with("", b"[1]"), with("text/plain", b"x"), with("", b"{"), with("", b"")] {
            let text: Value = serde_json::from_str(&event.to_cloud_event_text()).unwrap();
            assert_eq!(text, event.to_cloud_event());
        }
    }

    #[test]
    fn the_partition_key_goes_before_the_subject() {
        assert_eq!(Event::new("t").key(), None);
        let mut event = Event::new("t").about("s");
        assert_eq!(event.key(), Some("s"));
        event.extensions.insert("partitionkey".to_owned(), "k".to_owned());
        assert_eq!(event.key(), Some("k"));
    }
}
