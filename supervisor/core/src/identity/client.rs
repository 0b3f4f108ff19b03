//! Clients: the applications that act for users.

use std::fmt;

use serde_json::{Value, json};

use super::fields::{Fields, password_faults, scope_faults, text_fault};
use super::property::{self, Properties};
use super::user::{Mode, hidden, with_properties};

/// The property that is compared with what a client says is its secret.
pub const CLIENT_SECRET: &str = "client_secret";

const LONGEST_ID: usize = 128;
const LONGEST_NAME: usize = 256;
const LONGEST_DESCRIPTION: usize = 512;

const FIELDS: [&str; 9] = [
    "client_id",
    "name",
    "description",
    "enabled",
    "confidential",
    "scope",
    "source",
    "password",
    "last_login",
];

/// What a client calls itself: 1 to 128 visible ASCII characters, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// `None` if the text can't be one.
    pub fn new(text: &str) -> Option<Self> {
        let is_id =
            (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        is_id.then(|| Self(text.to_owned()))
    }

    /// One that was an id when it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A client.
#[derive(Clone, PartialEq)]
pub struct Client {
    pub id: ClientId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub enabled: bool,
    /// It can keep a secret.
    pub confidential: bool,
    pub scopes: Vec<String>,
    pub properties: Properties,
    /// [`super::user::DATABASE`], or the instance of a plugin.
    pub source: String,
    /// How many there are.
    pub passwords: u32,
    /// Counts changes.
    pub revision: i64,
}

/// Properties hold secrets.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .field("source", &self.source)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// What it is compared with instead of a password.
    pub fn secret(&self) -> Option<&str> {
        let secret = self.properties.get(CLIENT_SECRET).and_then(Value::as_str);
        secret.filter(|secret| !secret.is_empty())
    }

    /// The values of a property that may be one text or a list.
    pub fn texts(&self, property: &str) -> Vec<&str> {
        match self.properties.get(property) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// As Glewlwyd's API shows clients.
    pub fn to_json(&self) -> Value {
        let object = json!({
            "client_id": self.id.as_str(),
            "name": self.name,
            "description": self.description,
            "enabled": self.enabled,
            "confidential": self.confidential,
            "scope": self.scopes,
            "source": self.source,
        });
        with_properties(object, &self.properties)
    }

    /// Makes a change, but for the passwords.
    pub fn change(&mut self, draft: &ClientDraft) {
        if let Some(name) = &draft.name {
            self.name.clone_from(name);
        }
        if let Some(description) = &draft.description {
            self.description.clone_from(description);
        }
        if let Some(enabled) = draft.enabled {
            self.enabled = enabled;
        }
        if let Some(confidential) = draft.confidential {
            self.confidential = confidential;
        }
        if let Some(scopes) = &draft.scopes {
            self.scopes.clone_from(scopes);
        }
        property::change(&mut self.properties, &draft.properties);
    }
}

/// A client to be, or a change of one: what it does not say stays as it is.
#[derive(Clone, Default, PartialEq)]
pub struct ClientDraft {
    /// Only counts in a new client.
    pub client_id: Option<String>,
    pub name: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub confidential: Option<bool>,
    pub scopes: Option<Vec<String>>,
    /// Null removes one.
    pub properties: Properties,
    /// All of them, from now on.
    pub password: Option<Vec<String>>,
}

impl fmt::Debug for ClientDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientDraft")
            .field("client_id", &self.client_id)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl ClientDraft {
    /// Reads the object that a client of Glewlwyd's API sends.
    ///
    /// # Errors
    /// What is of another type than it should be, each beginning with the name of the field.
    pub fn from_json(value: &Value) -> Result<Self, Vec<String>> {
        let mut fields = Fields::of(value)?;
        let draft = Self {
            client_id: fields.text("client_id"),
            name: fields.text_or_none("name"),
            description: fields.text_or_none("description"),
            enabled: fields.flag("enabled"),
            confidential: fields.flag("confidential"),
            scopes: fields.texts("scope"),
            password: fields.passwords(),
            properties: fields.others(&FIELDS),
        };
        if fields.errors.is_empty() { Ok(draft) } else { Err(fields.errors) }
    }
}

/// What is wrong with a draft, each beginning with the name of the field.
pub fn validate(draft: &ClientDraft, mode: Mode) -> Vec<String> {
    let mut faults = Vec::new();
    match &draft.client_id {
        Some(id) if mode == Mode::Add && ClientId::new(id).is_none() => faults.push(format!(
            "client_id: must be 1 to {LONGEST_ID} visible ASCII characters, without blanks"
        )),
        None if mode == Mode::Add => faults.push("client_id: is missing".to_owned()),
        _ => {}
    }
    let name = draft.name.as_ref().and_then(Option::as_deref);
    faults.extend(text_fault("name", name, LONGEST_NAME));
    let description = draft.description.as_ref().and_then(Option::as_deref);
    faults.extend(text_fault("description", description, LONGEST_DESCRIPTION));
    faults.extend(scope_faults(draft.scopes.as_deref().unwrap_or_default()));
    faults.extend(property::faults(&draft.properties));
    faults.extend(hidden(&draft.properties, &FIELDS));
    faults.extend(password_faults(draft.password.as_deref().unwrap_or_default()));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Client {
        let Value::Object(properties) =
            json!({"client_secret": "hunter2", "redirect_uri": ["https://a/", "https://b/"]})
        else {
            unreachable!()
        };
        Client {
            id: ClientId::new("shop").unwrap(),
            name: Some("Shop".into()),
            description: None,
            enabled: true,
            confidential: true,
            scopes: vec!["orders".into()],
            properties,
            source: "database".into(),
            passwords: 0,
            revision: 1,
        }
    }

    #[test]
    fn what_was_shown_can_be_sent_back() {
        let draft = ClientDraft::from_json(&shop().to_json()).unwrap();
        assert_eq!(validate(&draft, Mode::Add), Vec::<String>::new());
        let mut changed = shop();
        changed.change(&draft);
        assert_eq!(changed, shop());
    }

    #[test]
    fn properties_are_read_as_lists_and_secrets() {
        assert_eq!(shop().secret(), Some("hunter2"));
        assert_eq!(shop().texts("redirect_uri"), ["https://a/", "https://b/"]);
        assert_eq!(shop().texts("client_secret"), ["hunter2"]);
        assert!(shop().texts("nothing").is_empty());
        let mut empty = shop();
        empty.properties.insert(CLIENT_SECRET.into(), json!(""));
        assert_eq!(empty.secret(), None);
        assert!(!format!("{:?}", shop()).contains("hunter2"));
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let sent = json!({
            "client_id": 1, "name": 2, "description": [], "enabled": "yes", "confidential": 1, "scope": "a",
        });
        let errors = ClientDraft::from_json(&sent).unwrap_err();
        for field in ["client_id", "name", "description", "enabled", "confidential", "scope"] {
            let prefix = format!("{field}: ");
            assert!(errors.iter().any(|error| error.starts_with(&prefix)), "{field} {errors:?}");
        }
        for id in ["", "a b", "gr\u{fc}n", "a\n", &"x".repeat(129)] {
            let draft = ClientDraft { client_id: Some(id.to_owned()), ..ClientDraft::default() };
            assert!(validate(&draft, Mode::Add)[0].starts_with("client_id: "), "{id:?}");
        }
        assert_eq!(validate(&ClientDraft::default(), Mode::Add), ["client_id: is missing"]);
    }
}
