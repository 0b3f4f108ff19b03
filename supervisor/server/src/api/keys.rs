//! `/key`: API keys, for administrators who are signed in. A key makes no other keys.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use serde_json::{Map, Value, json};

use super::Parts;
use super::body::Query;
use super::caller::AdminSession;
use super::reply::{Answer, Refused, done, found};
use crate::identity::Failure;

pub(super) fn routes() -> Router<Parts> {
    Router::new().route("/key", get(list).post(add)).route("/key/{hash}", delete(disable))
}

async fn list(State(parts): State<Parts>, _: AdminSession, query: Query) -> Answer {
    let window = query.window();
    let keys = parts.identity.keys().list(&window.pattern, window.offset, window.limit).await?;
    let shown = keys.iter().map(|key| {
        json!({
            "token_hash": key.hash,
            "counter": key.uses,
            "username": key.issued_by,
            "issued_at": key.created_ms / 1000,
            "issued_for": key.issued_for,
            "user_agent": key.user_agent,
            "enabled": key.enabled,
            "label": key.label,
            "scope": key.scopes,
        })
    });
    Ok(found(&shown.collect()))
}

/// Glewlwyd sends no body; a label and fewer scopes may be said.
async fn add(State(parts): State<Parts>, admin: AdminSession, body: Bytes) -> Answer {
    let body = match &body[..] {
        [] => Map::new(),
        text => serde_json::from_slice(text).map_err(|_| Refused::NoJson)?,
    };
    let (label, scopes) = wanted(&body, &parts.settings.admin_scope)?;
    let by = admin.user.user.username.shown();
    let keys = parts.identity.keys();
    let (key, _) = keys.create(&label, &scopes, by, &admin.asking.origin).await?;
    Ok(found(&json!({ "key": key })))
}

/// What these may be is judged where the key is made.
fn wanted(body: &Map<String, Value>, admin: &str) -> Result<(String, Vec<String>), Refused> {
    let label = match body.get("label") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(label)) => label.clone(),
        Some(_) => return Err(Refused::invalid("label: must be a text")),
    };
    let scopes = match body.get("scope") {
        None | Some(Value::Null) => Some(vec![admin.to_owned()]),
        Some(Value::Array(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let scopes = scopes.ok_or_else(|| Refused::invalid("scope: must be a list of names"))?;
    Ok((label, scopes))
}

/// One that is not there is disabled already.
async fn disable(State(parts): State<Parts>, _: AdminSession, Path(hash): Path<String>) -> Answer {
    match parts.identity.keys().disable(&hash).await {
        Ok(()) | Err(Failure::NotFound) => Ok(done()),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_administrators_unless_it_says_less() {
        let read = |body: Value| wanted(body.as_object().unwrap(), "g_admin");
        assert_eq!(read(json!({})).unwrap(), (String::new(), vec!["g_admin".to_owned()]));
        let (label, scopes) = read(json!({ "label": "ci", "scope": ["a", "b"] })).unwrap();
        assert_eq!((label.as_str(), scopes.len()), ("ci", 2));
        for body in [json!({ "label": 1 }), json!({ "scope": "g_admin" }), json!({ "scope": [1] })]
        {
            assert!(read(body.clone()).is_err(), "{body}");
        }
    }
}
