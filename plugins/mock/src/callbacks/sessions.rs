//! `sessions.*`

use outboard_sdk::identity::{SchemeGroup, SchemeState, ScopeState, Sessions, Signed};
use serde_json::{Value, json};

use super::{Args, Called, seconds, unknown, users};

pub(super) async fn call(sessions: &Sessions, method: &str, args: &Args) -> Called {
    let (handle, scopes) = (args.handle(), args.texts("scopes"));
    Ok(match method {
        "check" => sessions.check(handle, &scopes).await.map(|signed| signed_in(&signed)),
        "is_satisfied" => sessions.is_satisfied(handle, &scopes).await.map(Value::Bool),
        "count_use" => sessions.count_use(handle, &scopes).await.map(Value::Bool),
        "last_login" => sessions.last_login(handle, &scopes).await.map(|at| json!(seconds(at))),
        _ => return Err(unknown()),
    })
}

fn signed_in(signed: &Signed) -> Value {
    match signed {
        Signed::In(session) => {
            let scopes: Vec<_> = session.scopes.iter().map(scope).collect();
            json!({ "user": users::shown(&session.user), "scopes": scopes })
        }
        Signed::Nobody => json!("nobody"),
        _ => json!("ended"),
    }
}

fn scope(state: &ScopeState) -> Value {
    let groups: Vec<_> = state.groups.iter().map(group).collect();
    json!({
        "name": state.name,
        "display_name": state.display_name,
        "description": state.description,
        "available": state.available,
        "password_required": state.password_required,
        "password_authenticated": state.password_authenticated,
        "password_last_login": seconds(state.password_last_login),
        "groups": groups,
        "satisfied": state.satisfied,
    })
}

fn group(group: &SchemeGroup) -> Value {
    let schemes: Vec<_> = group.schemes.iter().map(scheme).collect();
    json!({ "name": group.name, "required": group.required, "schemes": schemes })
}

fn scheme(state: &SchemeState) -> Value {
    json!({
        "module": state.module,
        "name": state.name,
        "display_name": state.display_name,
        "registered": state.registered,
        "authenticated": state.authenticated,
        "last_login": seconds(state.last_login),
    })
}
