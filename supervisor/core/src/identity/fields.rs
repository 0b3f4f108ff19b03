//! Reads the fields of what a client sends as JSON, and notes all that is wrong with them.

use serde_json::{Map, Value};

use super::property::Properties;

/// The most entries in a list of names.
const MOST_NAMES: usize = 1000;
const LONGEST_NAME: usize = 128;

/// An object, and what was wrong with it so far.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    pub(super) errors: Vec<String>,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// If it is no object.
    pub(super) fn of(value: &'a Value) -> Result<Self, Vec<String>> {
        let object = value.as_object();
        let object = object.ok_or_else(|| vec!["the body must be a JSON object".to_owned()])?;
        Ok(Self { object, errors: Vec::new() })
    }

    /// A text that has to be one where it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.object.get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => self.fault(name, "must be a text"),
        }
    }

    /// A text, or null for none.
    #[expect(clippy::option_option, reason = "not said, none, and a text are three things")]
    pub(super) fn text_or_none(&mut self, name: &str) -> Option<Option<String>> {
        match self.object.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => self.fault(name, "must be a text, or null"),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.object.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => self.fault(name, "must be true or false"),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = self.object.get(name)?.as_array().and_then(|values| {
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        });
        if texts.is_none() {
            self.errors.push(format!("{name}: must be a list of texts"));
        }
        texts
    }

    /// A password or a list of them. Null is none; an empty text and a number (which is how many there are, as
    /// told) change nothing.
    pub(super) fn passwords(&mut self) -> Option<Vec<String>> {
        match self.object.get("password")? {
            Value::Null => Some(Vec::new()),
            Value::Number(_) => None,
            Value::String(text) => (!text.is_empty()).then(|| vec![text.clone()]),
            Value::Array(_) => self.texts("password"),
            _ => self.fault("password", "must be a text, or a list of texts"),
        }
    }

    /// All fields but those.
    pub(super) fn others(&self, known: &[&str]) -> Properties {
        let others = self.object.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        others.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn fault<T>(&mut self, name: &str, what: &str) -> Option<T> {
        self.errors.push(format!("{name}: {what}"));
        None
    }
}

/// What is wrong with the names of scopes.
pub(super) fn scope_faults(scopes: &[String]) -> Vec<String> {
    if scopes.len() > MOST_NAMES {
        return vec![format!("scope: {} names; at most {MOST_NAMES} may be", scopes.len())];
    }
    let is_bad = |scope: &String| {
        !(1..=LONGEST_NAME).contains(&scope.chars().count())
            || scope.chars().any(|c| c.is_whitespace() || c.is_control())
    };
    let bad = scopes.iter().any(is_bad);
    let fault = format!(
        "scope: a name has 1 to {LONGEST_NAME} characters, none a blank or a control character"
    );
    bad.then_some(fault).into_iter().collect()
}

/// What is wrong with a text for people.
pub(super) fn text_fault(name: &str, text: Option<&str>, most: usize) -> Option<String> {
    let text = text?;
    let length = text.chars().count();
    if length > most {
        return Some(format!("{name}: {length} characters; at most {most} may be"));
    }
    let fault = || format!("{name}: has a control character; leave it out");
    text.chars().any(char::is_control).then(fault)
}

/// What is wrong with new passwords, whatever their least length.
pub(super) fn password_faults(passwords: &[String]) -> Vec<String> {
    use super::password::{MOST_PASSWORDS, fault};
    if passwords.len() > MOST_PASSWORDS {
        return vec![format!(
            "password: {} of them; at most {MOST_PASSWORDS} may be",
            passwords.len()
        )];
    }
    passwords.iter().filter_map(|password| fault(password, 1)).collect()
}
