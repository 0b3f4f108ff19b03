//! Answers that no backend should give.

use outboard_sdk::BackendPage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// More than any host wants.
const FLOOD: usize = 20_000;

/// What to get wrong in answers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lie {
    /// Somebody else than was asked for.
    Other,
    /// A name without an end.
    Long,
    /// A name that is none.
    Empty,
    /// More entries than were asked for.
    Flood,
    /// A total that can't be.
    Total,
    /// Properties under the names of fields, and values that are none.
    Properties,
    /// Yes to every password.
    Yes,
}

impl Lie {
    pub(super) fn about_name(self, name: String) -> String {
        match self {
            Self::Other => "mallory".to_owned(),
            Self::Long => "x".repeat(10_000),
            Self::Empty => String::new(),
            _ => name,
        }
    }

    pub(super) fn about_properties(self, mut properties: Map<String, Value>) -> Map<String, Value> {
        if self == Self::Properties {
            properties.insert("username".to_owned(), "root".into());
            properties.insert("id".to_owned(), "1".into());
            properties.insert("scope".to_owned(), json!(["g_admin"]));
            properties.insert("source".to_owned(), "database".into());
            properties.insert("deep".to_owned(), json!({ "a": { "b": [1, null] } }));
        }
        properties
    }

    pub(super) fn about_page<T: Clone>(self, mut page: BackendPage<T>) -> BackendPage<T> {
        match self {
            Self::Flood => page.entries = page.entries.into_iter().cycle().take(FLOOD).collect(),
            Self::Total => page.total = u64::MAX,
            _ => {}
        }
        page
    }
}
