//! Users, clients, scopes, sessions and what belongs to them, the same on both databases.

mod access;
mod clients;
mod deletion;
mod sessions;
mod users;

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{DATABASE, User, UserId};
use outboard_store::Store;
use outboard_store::identity::SignIn;
use serde_json::{Map, json};

/// A time in 2026.
const NOW: i64 = 1_780_000_000_000;
const HOUR: i64 = 3_600_000;

fn user(id: &str, username: &str) -> User {
    User {
        id: UserId::new(id).unwrap(),
        username: UserName::new(username).unwrap(),
        name: Some(format!("The {username}")),
        email: Some(format!("{username}@example.org")),
        enabled: true,
        scopes: vec!["g_profile".to_owned()],
        properties: Map::from_iter([("phone".to_owned(), json!(["1", "2"]))]),
        source: DATABASE.to_owned(),
        passwords: 0,
        last_login_ms: None,
        revision: 0,
    }
}

async fn add(store: &Store, id: &str, username: &str) -> User {
    store.users().insert(&user(id, username), &["hash".to_owned()]).await.unwrap()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// By password, for an hour, under a new cookie.
fn sign_in<'a>(hash: &'a str, account: &'a str) -> SignIn<'a> {
    SignIn {
        hash,
        previous: None,
        account,
        scheme: None,
        now_ms: NOW,
        session_expires_ms: NOW + HOUR,
        expires_ms: None,
        user_agent: "curl",
        issued_for: "192.0.2.1",
        alone: false,
    }
}
