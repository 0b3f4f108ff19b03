//! What a document says, whatever there is already.

use std::collections::BTreeSet;

use outboard_core::identity::client::{self, ClientDraft, ClientId};
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::name::UserName;
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::{self, Mode, UserDraft};
use serde_json::{Map, Value};

use crate::api::{Sent, read_instance};

/// The lists that a document may have.
const LISTS: [&str; 7] =
    ["user_backend", "client_backend", "scheme", "scope", "client", "user", "plugin"];
/// A key of users: passwords that are hashed already, in a form that Glewlwyd or Argon2 has.
const HASHES: &str = "password_hash";

/// What is to be there, each with where the document says so.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) instances: Vec<(String, Instance)>,
    pub(super) scopes: Vec<(String, Scope, Value)>,
    pub(super) clients: Vec<(String, ClientDraft)>,
    pub(super) users: Vec<(String, User)>,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) kind: InstanceKind,
    pub(super) sent: Sent,
    pub(super) enabled: bool,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) draft: UserDraft,
    /// Instead of a password. Only a new user gets them.
    pub(super) hashes: Vec<String>,
}

impl Plan {
    /// In the order in which they are needed: what is a scheme or keeps somebody first, what is none of that last.
    pub(super) fn instances(&self, is_first: bool) -> impl Iterator<Item = &(String, Instance)> {
        self.instances.iter().filter(move |(_, it)| (it.kind != InstanceKind::Plugin) == is_first)
    }
}

/// # Errors
/// All that is wrong, each beginning with its place.
pub(super) fn read(document: &Value) -> Result<Plan, Vec<String>> {
    let Value::Object(document) = document else {
        return Err(vec!["the document must be an object of lists".to_owned()]);
    };
    let mut errors: Vec<_> = document
        .keys()
        .filter(|key| !LISTS.contains(&key.as_str()))
        .map(|key| format!("{key}: is no list that can be loaded; there are: {}", LISTS.join(", ")))
        .collect();
    let mut plan = Plan::default();
    let kinds = [
        ("user_backend", InstanceKind::UserBackend),
        ("client_backend", InstanceKind::ClientBackend),
        ("scheme", InstanceKind::Scheme),
        ("plugin", InstanceKind::Plugin),
    ];
    for (list, kind) in kinds {
        for (place, value) in items(document, list, "name", &mut errors) {
            let read = told(&place, instance(value, kind), &mut errors);
            plan.instances.extend(read.map(|read| (place, read)));
        }
    }
    for (place, value) in items(document, "scope", "name", &mut errors) {
        let read = told(&place, Scope::from_json(value, None), &mut errors);
        plan.scopes.extend(read.map(|read| (place, read, value.clone())));
    }
    for (place, value) in items(document, "client", "client_id", &mut errors) {
        let read = told(&place, client(value), &mut errors);
        plan.clients.extend(read.map(|read| (place, read)));
    }
    for (place, value) in items(document, "user", "username", &mut errors) {
        let read = told(&place, user(value), &mut errors);
        plan.users.extend(read.map(|read| (place, read)));
    }
    twice(&plan, &mut errors);
    if errors.is_empty() { Ok(plan) } else { Err(errors) }
}

/// The items of a list, each with its place: which it is, and what it is called.
fn items<'a>(
    document: &'a Map<String, Value>,
    list: &str,
    key: &str,
    errors: &mut Vec<String>,
) -> Vec<(String, &'a Value)> {
    let items = match document.get(list) {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            errors.push(format!("{list}: must be a list"));
            return Vec::new();
        }
    };
    let place = |(index, item): (usize, &'a Value)| {
        let name = item.get(key).and_then(Value::as_str);
        let name: String = name.unwrap_or("?").escape_debug().take(128).collect();
        (format!("{list} {} ({name})", index + 1), item)
    };
    items.iter().enumerate().map(place).collect()
}

fn told<T>(place: &str, read: Result<T, Vec<String>>, errors: &mut Vec<String>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(more) => {
            errors.extend(more.into_iter().map(|error| format!("{place}: {error}")));
            None
        }
    }
}

fn instance(value: &Value, kind: InstanceKind) -> Result<Instance, Vec<String>> {
    let sent = read_instance(value, kind, None)?;
    let enabled = match value.get("enabled") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(enabled)) => *enabled,
        Some(_) => return Err(vec!["enabled: must be true or false".to_owned()]),
    };
    Ok(Instance { kind, sent, enabled })
}

fn client(value: &Value) -> Result<ClientDraft, Vec<String>> {
    let draft = ClientDraft::from_json(value)?;
    let faults = client::validate(&draft, Mode::Add);
    if faults.is_empty() { Ok(draft) } else { Err(faults) }
}

fn user(value: &Value) -> Result<User, Vec<String>> {
    let mut value = value.clone();
    let hashes = match value.as_object_mut().and_then(|object| object.remove(HASHES)) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(hash)) => Some(vec![hash]),
        Some(Value::Array(hashes)) => {
            hashes.iter().map(|hash| hash.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let hashes =
        hashes.ok_or_else(|| vec![format!("{HASHES}: must be a text, or a list of texts")])?;
    let draft = UserDraft::from_json(&value, Mode::Add)?;
    let mut faults = user::validate(&draft, Mode::Add);
    if !hashes.iter().all(|hash| crate::identity::is_hash(hash)) {
        faults.push(format!("{HASHES}: is not of a known form"));
    }
    if !hashes.is_empty() && draft.password.is_some() {
        faults.push(format!("{HASHES}: there is a password as well; leave one of them out"));
    }
    if faults.is_empty() { Ok(User { draft, hashes }) } else { Err(faults) }
}

/// One name twice: nobody can tell which of the two is meant.
fn twice(plan: &Plan, errors: &mut Vec<String>) {
    let instances = plan.instances.iter().map(|(place, it)| (place, it.sent.name.clone()));
    repeated(instances, errors);
    repeated(plan.scopes.iter().map(|(place, scope, _)| (place, scope.name.clone())), errors);
    let id = |draft: &ClientDraft| draft.client_id.as_deref().and_then(ClientId::new);
    let clients = plan.clients.iter();
    let clients =
        clients.filter_map(|(place, draft)| Some((place, id(draft)?.as_str().to_owned())));
    repeated(clients, errors);
    let key = |user: &User| UserName::new(user.draft.username.as_deref()?).ok();
    let users = plan.users.iter();
    repeated(users.filter_map(|(place, user)| Some((place, key(user)?.key().to_owned()))), errors);
}

fn repeated<'a>(names: impl Iterator<Item = (&'a String, String)>, errors: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (place, name) in names {
        if !seen.insert(name) {
            errors.push(format!("{place}: the name is in the document twice"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_mistakes_are_told_with_their_places() {
        let errors = read(&json!({
            "users": [],
            "user": [{ "username": "ada", "email": 1 }, { "username": "bea", "password_hash": "x" }],
            "client": [{ "name": "x" }],
            "scope": [{ "name": "a b", "display_name": "x" }],
            "scheme": [{ "module": "mock", "name": "m1" }],
            "plugin": "mock",
        }))
        .unwrap_err();
        for place in [
            "users: ",
            "user 1 (ada): email",
            "user 2 (bea): password_hash",
            "client 1 (?): client_id",
            "scope 1 (a b): name",
            "scheme 1 (m1): parameters",
            "plugin: ",
        ] {
            assert!(errors.iter().any(|error| error.starts_with(place)), "{place}: {errors:?}");
        }
        assert_eq!(read(&json!([])).unwrap_err().len(), 1);
    }

    #[test]
    fn nothing_is_there_twice() {
        let errors = read(&json!({
            "user": [{ "username": "ada" }, { "username": "ADA" }],
            "scheme": [{ "module": "mock", "name": "a", "parameters": {} }],
            "plugin": [{ "module": "mock", "name": "a", "parameters": {} }],
        }))
        .unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors.iter().all(|error| error.ends_with("twice")), "{errors:?}");
    }

    #[test]
    fn a_document_that_says_nothing_is_nothing_to_do() {
        let plan = read(&json!({})).unwrap();
        assert!(plan.instances.is_empty() && plan.users.is_empty() && plan.scopes.is_empty());
    }
}
