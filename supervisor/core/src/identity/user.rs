//! Users: what is known of one, and what may be changed.

use std::fmt;

use serde_json::{Value, json};

use super::fields::{Fields, password_faults, scope_faults, text_fault};
use super::name::UserName;
use super::property::{self, Properties};

/// What the host's own database is called as a source.
pub const DATABASE: &str = "database";
/// A property of users: "yes" where the next sign-in has to be followed by a new password.
pub const MUST_CHANGE_PASSWORD: &str = "must_change_password";

const LONGEST_FULL_NAME: usize = 256;
const LONGEST_EMAIL: usize = 512;
const LONGEST_ID: usize = 64;

/// What has a meaning of its own, and so is no property.
const FIELDS: [&str; 9] =
    ["id", "username", "name", "email", "enabled", "scope", "source", "password", "last_login"];

/// Who a user is, for good: it is never given to another one, unlike the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// `None` if the text can't be one.
    pub fn new(text: &str) -> Option<Self> {
        let is_id = (1..=LONGEST_ID).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
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

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub id: UserId,
    pub username: UserName,
    pub name: Option<String>,
    pub email: Option<String>,
    pub enabled: bool,
    /// Names, whether there are such scopes or not.
    pub scopes: Vec<String>,
    pub properties: Properties,
    /// [`DATABASE`], or the instance of a plugin.
    pub source: String,
    /// How many there are.
    pub passwords: u32,
    pub last_login_ms: Option<i64>,
    /// Counts changes.
    pub revision: i64,
}

impl User {
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// Whether the password is good for one sign-in, to choose another.
    pub fn must_change_password(&self) -> bool {
        self.properties.get(MUST_CHANGE_PASSWORD).and_then(Value::as_str) == Some("yes")
    }

    /// As Glewlwyd's API shows users.
    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "username": self.username.shown(),
            "name": self.name,
            "email": self.email,
            "enabled": self.enabled,
            "scope": self.scopes,
            "source": self.source,
            "last_login": self.last_login_ms.map(|ms| ms / 1000),
        });
        if self.passwords > 1 {
            object["password"] = self.passwords.into();
        }
        with_properties(object, &self.properties)
    }

    /// The same, as users see themselves.
    pub fn to_profile(&self) -> Value {
        let mut object = self.to_json();
        if let Some(object) = object.as_object_mut() {
            object.shift_remove("source");
        }
        object
    }

    /// Makes a change, but for the passwords.
    pub fn change(&mut self, draft: &UserDraft) {
        if let Some(name) = &draft.name {
            self.name.clone_from(name);
        }
        if let Some(email) = &draft.email {
            self.email.clone_from(email);
        }
        if let Some(enabled) = draft.enabled {
            self.enabled = enabled;
        }
        if let Some(scopes) = &draft.scopes {
            self.scopes.clone_from(scopes);
        }
        property::change(&mut self.properties, &draft.properties);
    }
}

/// Adds properties to an object, but for those that would hide a field of it.
pub(super) fn with_properties(mut object: Value, properties: &Properties) -> Value {
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in properties {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    object
}

/// What is done with a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Add,
    Update,
    /// By the user himself.
    Profile,
}

/// A user to be, or a change of one: what it does not say stays as it is.
#[derive(Clone, Default, PartialEq)]
pub struct UserDraft {
    /// Only counts in a new user.
    pub username: Option<String>,
    pub name: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub scopes: Option<Vec<String>>,
    /// Null removes one.
    pub properties: Properties,
    /// All of them, from now on.
    pub password: Option<Vec<String>>,
}

impl fmt::Debug for UserDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDraft")
            .field("username", &self.username)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl UserDraft {
    /// Reads the object that a client of Glewlwyd's API sends. Users may change nothing of theirs but their name.
    ///
    /// # Errors
    /// What is of another type than it should be, each beginning with the name of the field.
    pub fn from_json(value: &Value, mode: Mode) -> Result<Self, Vec<String>> {
        let mut fields = Fields::of(value)?;
        let mut draft = Self { name: fields.text_or_none("name"), ..Self::default() };
        if mode != Mode::Profile {
            draft.username = fields.text("username");
            draft.email = fields.text_or_none("email");
            draft.enabled = fields.flag("enabled");
            draft.scopes = fields.texts("scope");
            draft.password = fields.passwords();
            draft.properties = fields.others(&FIELDS);
        }
        if fields.errors.is_empty() { Ok(draft) } else { Err(fields.errors) }
    }
}

/// What is wrong with a draft, each beginning with the name of the field. Whether the name is taken, and whether a password
/// is long enough, is for others to say.
pub fn validate(draft: &UserDraft, mode: Mode) -> Vec<String> {
    let mut faults = Vec::new();
    match &draft.username {
        Some(username) if mode == Mode::Add => {
            faults.extend(UserName::new(username).err().map(|error| format!("username: {error}")));
        }
        None if mode == Mode::Add => faults.push("username: is missing".to_owned()),
        _ => {}
    }
    let name = draft.name.as_ref().and_then(Option::as_deref);
    faults.extend(text_fault("name", name, LONGEST_FULL_NAME));
    let email = draft.email.as_ref().and_then(Option::as_deref);
    faults.extend(text_fault("email", email, LONGEST_EMAIL));
    faults.extend(scope_faults(draft.scopes.as_deref().unwrap_or_default()));
    faults.extend(property::faults(&draft.properties));
    faults.extend(hidden(&draft.properties, &FIELDS));
    faults.extend(password_faults(draft.password.as_deref().unwrap_or_default()));
    if mode == Mode::Profile {
        faults.extend(beyond_profile(draft));
    }
    faults
}

/// Properties that nobody could read, since a field has their name.
pub(super) fn hidden(properties: &Properties, fields: &[&str]) -> Vec<String> {
    let hidden = properties.keys().filter(|name| fields.contains(&name.as_str()));
    hidden.map(|name| format!("{name}: is not a property; send it as the field it is")).collect()
}

fn beyond_profile(draft: &UserDraft) -> Vec<String> {
    let fields = [
        ("email", draft.email.is_some()),
        ("enabled", draft.enabled.is_some()),
        ("scope", draft.scopes.is_some()),
        ("password", draft.password.is_some()),
        ("properties", !draft.properties.is_empty()),
    ];
    let own = fields.into_iter().filter(|(_, is_there)| *is_there);
    own.map(|(name, _)| format!("{name}: may not be changed by the user")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> User {
        User {
            id: UserId::new("0190-a").unwrap(),
            username: UserName::new("Ada").unwrap(),
            name: None,
            email: Some("ada@example.org".into()),
            enabled: true,
            scopes: vec!["g_profile".into()],
            properties: [("phone".to_owned(), json!("1")), ("source".to_owned(), json!("x"))]
                .into_iter()
                .collect(),
            source: DATABASE.into(),
            passwords: 1,
            last_login_ms: Some(1_700_000_000_999),
            revision: 1,
        }
    }

    #[test]
    fn a_user_is_shown_with_properties_beside_fields() {
        let expected = json!({
            "username": "Ada", "name": null, "email": "ada@example.org", "enabled": true,
            "scope": ["g_profile"], "source": "database", "last_login": 1_700_000_000, "phone": "1",
        });
        assert_eq!(ada().to_json(), expected);
        assert_eq!(ada().to_profile()["source"], Value::Null);
        assert_eq!(User { passwords: 2, ..ada() }.to_json()["password"], json!(2));
    }

    #[test]
    fn what_was_shown_can_be_sent_back() {
        let shown = User { passwords: 2, ..ada() }.to_json();
        let draft = UserDraft::from_json(&shown, Mode::Update).unwrap();
        assert_eq!(validate(&draft, Mode::Update), Vec::<String>::new());
        assert_eq!(draft.password, None);
        let mut changed = ada();
        changed.change(&draft);
        assert_eq!(changed, ada());
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let sent = json!({
            "username": 1, "name": 2, "email": [], "enabled": "yes", "scope": "g_admin", "password": {},
        });
        let errors = UserDraft::from_json(&sent, Mode::Add).unwrap_err();
        for field in ["username", "name", "email", "enabled", "scope", "password"] {
            let prefix = format!("{field}: ");
            assert!(errors.iter().any(|error| error.starts_with(&prefix)), "{field} {errors:?}");
        }
        for sent in [json!([]), json!(null), json!("x")] {
            assert_eq!(UserDraft::from_json(&sent, Mode::Add).unwrap_err().len(), 1);
        }
        let sent = json!({
            "username": "a b", "name": "n".repeat(257), "email": "e\r\nBcc: x", "scope": ["a b"],
            "phone": 1, "password": "p\0",
        });
        let draft = UserDraft::from_json(&sent, Mode::Add).unwrap();
        let errors = validate(&draft, Mode::Add);
        for field in ["username", "name", "email", "scope", "phone", "password"] {
            let prefix = format!("{field}: ");
            assert!(errors.iter().any(|error| error.starts_with(&prefix)), "{field} {errors:?}");
        }
    }

    #[test]
    fn only_a_new_user_needs_a_name() {
        let none = UserDraft::default();
        assert_eq!(validate(&none, Mode::Add), ["username: is missing"]);
        assert!(validate(&none, Mode::Update).is_empty());
    }

    #[test]
    fn users_change_nothing_of_theirs_but_their_name() {
        let sent = json!({"name": "Ada L", "email": "x@y", "enabled": true, "scope": ["g_admin"], "phone": 1});
        let draft = UserDraft::from_json(&sent, Mode::Profile).unwrap();
        let expected = UserDraft { name: Some(Some("Ada L".into())), ..UserDraft::default() };
        assert_eq!(draft, expected);
        let forged = UserDraft { scopes: Some(vec!["g_admin".into()]), ..UserDraft::default() };
        assert_eq!(validate(&forged, Mode::Profile), ["scope: may not be changed by the user"]);
    }

    #[test]
    fn passwords_are_one_or_many_and_never_shown() {
        let read = |value: Value| {
            UserDraft::from_json(&json!({"password": value}), Mode::Update).unwrap().password
        };
        assert_eq!(read(json!("one")), Some(vec!["one".to_owned()]));
        assert_eq!(read(json!(["one", "two"])).unwrap().len(), 2);
        assert_eq!(read(json!(null)), Some(Vec::new()));
        assert_eq!(read(json!("")), None);
        assert_eq!(read(json!(2)), None);
        let draft = UserDraft { password: Some(vec!["hunter2".into()]), ..UserDraft::default() };
        assert!(!format!("{draft:?}").contains("hunter2"));
    }

    #[test]
    fn a_property_can_not_hide_a_field() {
        let properties = [("enabled".to_owned(), json!("x"))].into_iter().collect();
        let draft = UserDraft { properties, ..UserDraft::default() };
        assert!(validate(&draft, Mode::Update)[0].starts_with("enabled: "));
    }

    #[test]
    fn an_id_has_few_kinds_of_characters() {
        assert!(UserId::new("01890a5d-ac96-774b-bcce-b302099a8057").is_some());
        for text in ["", "A", "a b", "a'", &"a".repeat(65)] {
            assert_eq!(UserId::new(text), None, "{text}");
        }
    }
}
