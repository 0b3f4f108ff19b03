//! A scope: a right that users have and clients ask for, and what must be proved before it is given.

mod read;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The longest name of a scope or of a group, in characters.
pub const LONGEST_NAME: usize = 128;
/// The longest of the texts for people, in characters.
pub const LONGEST_DISPLAY_NAME: usize = 256;
pub const LONGEST_DESCRIPTION: usize = 512;
/// The most groups of a scope, and schemes of a group.
pub const MOST_GROUPS: usize = 32;
pub const MOST_SCHEMES: usize = 32;
/// The most scopes that one question may name.
pub const MOST_ASKED: usize = 100;

/// A right, and what must be proved before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub name: String,
    /// For people, as the description.
    pub display_name: String,
    pub description: String,
    pub password_required: bool,
    /// How old the proof by password may be. 0: as old as any.
    pub password_max_age_s: u64,
    /// In the order of their names.
    pub groups: Vec<Group>,
}

/// Schemes of which some are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    /// How many.
    pub required: u32,
    /// Their instances.
    pub schemes: Vec<String>,
}

/// What is shown of a scheme beside its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The plugin.
    pub module: String,
    /// For people.
    pub display_name: String,
}

/// Whether a text can be the name of a scope: what OAuth 2.0 calls a scope-token, so that names can be listed with
/// blanks between them.
pub fn is_scope_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_token)
}

/// The names in a list with blanks between them: each once, in the order in which they come.
pub fn names(list: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.split_ascii_whitespace().filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

impl Scope {
    /// A scope that a password is enough for.
    pub fn by_password(name: &str, display_name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            description: description.to_owned(),
            password_required: true,
            password_max_age_s: 0,
            groups: Vec::new(),
        }
    }

    /// Of an object of the HTTP API. `name`: what is to be changed, whatever the object says; none: a new scope.
    ///
    /// # Errors
    /// All that is wrong, each beginning with the name of the key.
    pub fn from_json(value: &Value, name: Option<&str>) -> Result<Self, Vec<String>> {
        read::scope(value, name)
    }

    /// Names of the schemes in its groups, each once.
    pub fn schemes(&self) -> BTreeSet<&str> {
        self.groups.iter().flat_map(|group| &group.schemes).map(String::as_str).collect()
    }

    /// Whether a password alone can satisfy it.
    pub fn needs_no_scheme(&self) -> bool {
        self.groups.is_empty()
    }

    /// The object of the HTTP API. `label` tells about schemes; what it does not know is shown by its name.
    pub fn to_json(&self, label: impl Fn(&str) -> Option<Label>) -> Value {
        let groups = self.groups.iter().map(|group| {
            let schemes = group.schemes.iter().map(|scheme| {
                let label = label(scheme);
                json!({
                    "scheme_type": label.as_ref().map(|label| &label.module),
                    "scheme_name": scheme,
                    "scheme_display_name": label.as_ref().map(|label| &label.display_name),
                })
            });
            (group.name.clone(), schemes.collect())
        });
        let required =
            self.groups.iter().map(|group| (group.name.clone(), Value::from(group.required)));
        json!({
            "name": self.name,
            "display_name": self.display_name,
            "description": self.description,
            "password_required": self.password_required,
            "password_max_age": self.password_max_age_s,
            "scheme": groups.collect::<Map<_, Value>>(),
            "scheme_required": required.collect::<Map<_, _>>(),
        })
    }
}

#[cfg(test)]
mod tests;
