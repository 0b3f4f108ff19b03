//! What a form says: `application/x-www-form-urlencoded`, bounded.

use axum::body::Body;
use form_urlencoded::parse;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value};

/// Larger ones are refused: what an authenticator says is the longest, with a few kilobytes.
const LARGEST: usize = 128 * 1024;
const MOST_FIELDS: usize = 200;

/// Fields are called so where their value is sent to a scheme as it is, or as the JSON that it holds.
const TEXT: &str = "field.";
const JSON: &str = "json.";
/// The members that a scheme wants back as they are.
const CONSTANT: &str = "data";

/// The fields of a form, in their order.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

/// Why a form can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Another type of content.
    Kind,
    /// Too large, or broken off.
    Body,
}

impl Unreadable {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Kind => 415,
            Self::Body => 413,
        }
    }
}

impl Form {
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Unreadable> {
        let kind =
            headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Unreadable::Kind);
        }
        let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Unreadable::Body)?;
        Self::of(&body.to_bytes())
    }

    fn of(bytes: &[u8]) -> Result<Self, Unreadable> {
        let fields: Vec<_> = parse(bytes).into_owned().take(MOST_FIELDS + 1).collect();
        if fields.len() > MOST_FIELDS { Err(Unreadable::Body) } else { Ok(Self(fields)) }
    }

    /// The first field of this name, or nothing.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What goes to a scheme: the constant members, and above them what was filled in.
    pub(super) fn for_scheme(&self) -> Value {
        let constant = serde_json::from_str(self.get(CONSTANT)).unwrap_or_default();
        let mut object = if let Value::Object(object) = constant { object } else { Map::new() };
        for (name, value) in &self.0 {
            if let Some(name) = name.strip_prefix(TEXT) {
                object.insert(name.to_owned(), Value::from(value.trim()));
            } else if let Some(name) = name.strip_prefix(JSON) {
                let value = serde_json::from_str(value).unwrap_or_default();
                object.insert(name.to_owned(), value);
            }
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_by_name_and_may_come_more_than_once() {
        let form = Form::of(b"a=1&b=x+y%26z&a=2&c").unwrap();
        assert_eq!(form.get("a"), "1");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.get("b"), "x y&z");
        assert_eq!((form.get("c"), form.get("d")), ("", ""));
    }

    #[test]
    fn a_scheme_gets_what_it_gave_and_what_was_filled_in() {
        let body = "csrf=x&data=%7B%22confirm%22%3Atrue%2C%22code%22%3A1%7D&field.code=+123%20456+&json.credential=%7B%22id%22%3A%22a%22%7D&json.bad=%7B";
        let value = Form::of(body.as_bytes()).unwrap().for_scheme();
        let expected = json!({
            "confirm": true, "code": "123 456", "credential": {"id": "a"}, "bad": null,
        });
        assert_eq!(value, expected);
        for body in ["", "data=", "data=%5B1%5D", "data=nonsense"] {
            assert_eq!(Form::of(body.as_bytes()).unwrap().for_scheme(), json!({}), "{body}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form_or_too_large_is_not_read() {
        let read = async |kind: &str, body: String| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            Form::read(&headers, Body::from(body)).await.err()
        };
        let form = "application/x-www-form-urlencoded";
        assert_eq!(read(form, "a=b".into()).await, None);
        assert_eq!(read(&format!("{form}; charset=utf-8"), "a=b".into()).await, None);
        assert_eq!(read("application/json", "{}".into()).await, Some(Unreadable::Kind));
        assert_eq!(read("", "a=b".into()).await, Some(Unreadable::Kind));
        assert_eq!(read(form, "a".repeat(LARGEST + 1)).await, Some(Unreadable::Body));
        assert_eq!(read(form, "a&".repeat(MOST_FIELDS + 1)).await, Some(Unreadable::Body));
    }
}
