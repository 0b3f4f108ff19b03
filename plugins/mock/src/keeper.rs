//! The mock as a backend, for instances of these kinds: users (`users`) and clients (`clients`) that are in its
//! parameters (`keep`), and those that were added, in memory. It lies and fails on demand.

mod clients;
mod lies;
mod users;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::trouble::Trouble;

pub(crate) use clients::Clients;
pub(crate) use lies::Lie;
pub(crate) use users::Users;

/// What the operator may configure.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    users: Vec<Entry>,
    clients: Vec<Entry>,
    /// Implement nothing that writes.
    read_only: bool,
    lie: Option<Lie>,
    trouble: Trouble,
}

/// A user or a client.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(alias = "username", alias = "client_id")]
    id: String,
    name: Option<String>,
    email: Option<String>,
    description: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    confidential: bool,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    password: Option<String>,
}

fn yes() -> bool {
    true
}

/// What both kinds do with parameters.
pub(crate) fn open(parameters: Parameters) -> (Users, Clients) {
    let Parameters { users, clients, read_only, lie, trouble } = parameters;
    let users = Users::new(users, read_only, lie, trouble.clone());
    (users, Clients::new(clients, read_only, lie, trouble))
}

/// Text, or none if it is empty: that is how a change takes it away.
fn changed(field: &mut Option<String>, change: Option<String>) {
    if let Some(text) = change {
        *field = Some(text).filter(|text| !text.is_empty());
    }
}

/// What is wrong with properties of a user or client.
fn refused(properties: &Map<String, Value>) -> Vec<String> {
    let refuse = properties.get("refuse").filter(|value| !value.is_null());
    refuse.map(|_| "refuse: is refused, as asked".to_owned()).into_iter().collect()
}
