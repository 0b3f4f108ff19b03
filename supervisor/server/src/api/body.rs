//! What is sent: JSON, of a bounded size, where the client says that it is; and queries.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::Parts;
use super::reply::Refused;

/// Bytes of a body. What a single user or client may have is bounded elsewhere, below this.
const MOST_BYTES: usize = 1 << 20;
/// Items of one list.
const MOST_LISTED: u32 = 200;
/// Items of one list where the client does not say.
const LISTED: u32 = 100;
/// Of what is looked for, in characters.
const LONGEST_PATTERN: usize = 128;

/// The body as JSON.
pub(super) struct Json(pub(super) Value);

/// The body as a JSON object.
pub(super) struct Object(pub(super) Map<String, Value>);

/// The query as `key=value`, decoded; a key that comes twice counts where it comes first.
pub(super) struct Query(Vec<(String, String)>);

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) pattern: String,
    pub(super) offset: u64,
    pub(super) limit: u32,
}

impl FromRequest<Parts> for Json {
    type Rejection = Refused;

    async fn from_request(request: Request, parts: &Parts) -> Result<Self, Refused> {
        if !is_json(request.headers()) {
            return Err(Refused::NoJson);
        }
        let body = Bytes::from_request(request, parts).await.map_err(|_| Refused::NoJson)?;
        if body.len() > MOST_BYTES {
            return Err(Refused::TooLarge(format!("the body is larger than {MOST_BYTES} bytes")));
        }
        serde_json::from_slice(&body).map(Self).map_err(|_| Refused::NoJson)
    }
}

impl FromRequest<Parts> for Object {
    type Rejection = Refused;

    async fn from_request(request: Request, parts: &Parts) -> Result<Self, Refused> {
        match Json::from_request(request, parts).await?.0 {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(Refused::invalid("the body must be a JSON object")),
        }
    }
}

impl FromRequestParts<Parts> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Head, _: &Parts) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(head.uri.query().unwrap_or_default()))
    }
}

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// What a number can't be read from is as if it were not there.
    pub(super) fn window(&self) -> Window {
        let limit = self.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(LISTED);
        Window {
            pattern: self
                .get("pattern")
                .unwrap_or_default()
                .chars()
                .take(LONGEST_PATTERN)
                .collect(),
            offset: self.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0),
            limit: limit.min(MOST_LISTED),
        }
    }
}

impl Window {
    /// The part of a list that is all there already; `holds` tells whether an item is looked for.
    pub(super) fn of<T>(&self, all: Vec<T>, holds: impl Fn(&T, &str) -> bool) -> Vec<T> {
        let found =
            all.into_iter().filter(|it| self.pattern.is_empty() || holds(it, &self.pattern));
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        found.skip(offset).take(self.limit as usize).collect()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// A text of an object; what is missing or something else is told by its name.
pub(super) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refused> {
    let text = object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Refused::invalid(format!("{key}: must be a text, and not empty")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> Window {
        Query::parse(query).window()
    }

    #[test]
    fn a_window_is_never_larger_than_it_may_be() {
        let all = Window { pattern: String::new(), offset: 0, limit: LISTED };
        assert_eq!(window(""), all);
        assert_eq!(window("limit=-1&offset=x&pattern="), all);
        assert_eq!(window("limit=99999999999999"), all);
        assert_eq!(window("limit=1000").limit, MOST_LISTED);
        assert_eq!(window("limit=0").limit, 0);
        let some = Window { pattern: "a b%".to_owned(), offset: 7, limit: 3 };
        assert_eq!(window("offset=7&limit=3&pattern=a+b%25&limit=9"), some);
        assert_eq!(window(&format!("pattern={}", "é".repeat(999))).pattern.chars().count(), 128);
    }

    #[test]
    fn a_list_is_cut_after_it_is_searched() {
        let cut = |query: &str| {
            window(query).of(vec!["ab", "bc", "cd", "be"], |it, pattern| it.contains(pattern))
        };
        assert_eq!(cut(""), ["ab", "bc", "cd", "be"]);
        assert_eq!(cut("pattern=b"), ["ab", "bc", "be"]);
        assert_eq!(cut("pattern=b&offset=1&limit=1"), ["bc"]);
        assert!(cut("offset=18446744073709551615").is_empty());
    }

    #[test]
    fn only_json_is_json() {
        let check = |kind: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind).unwrap());
            assert_eq!(is_json(&headers), expected, "{kind}");
        };
        check("application/json", true);
        check("Application/JSON ; charset=utf-8", true);
        check("text/plain", false);
        check("application/x-www-form-urlencoded", false);
        check("application/jsonx", false);
        assert!(!is_json(&HeaderMap::new()));
    }
}
