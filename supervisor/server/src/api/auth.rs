//! `/auth`: signing in and out, what a session still has to prove, and what its user lets clients do.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use http::header::SET_COOKIE;
use outboard_core::identity::scope::{MOST_ASKED, names};
use outboard_core::identity::user::User;
use serde_json::{Map, Value, json};

use super::Parts;
use super::body::{Object, Query, text};
use super::caller::{Asking, Visitor};
use super::reply::{Answer, Refused, done, found};
use super::schemes::{Named, at, user_named};
use crate::identity::Failure;
use crate::identity::scopes::Checked;
use crate::identity::sessions::{Method, SignedIn};

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/auth", post(sign_in).delete(sign_out))
        .route("/auth/scheme", get(state))
        .route("/auth/scheme/trigger", post(trigger))
        .route("/auth/grant/{client_id}", put(set_grant))
        .route("/auth/grant/{client_id}/{scopes}", get(grant))
}

/// By password, by a scheme, or as another of those who are signed in already.
async fn sign_in(State(parts): State<Parts>, asking: Asking, Object(body): Object) -> Answer {
    let is_by_scheme = body.contains_key("scheme_type") || body.contains_key("scheme_name");
    let signed_in = if is_by_scheme {
        by_scheme(&parts, &asking, &body).await?
    } else if body.contains_key("password") {
        by_password(&parts, &asking, &body).await?
    } else {
        return select(&parts, &asking, text(&body, "username")?).await;
    };
    let mut response = done();
    if let Some(value) = &signed_in.cookie {
        let cookie = parts.settings.cookie.set(value, signed_in.expires);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn by_password(
    parts: &Parts,
    asking: &Asking,
    body: &Map<String, Value>,
) -> Result<SignedIn, Refused> {
    let username = text(body, "username")?;
    let password = body.get("password").and_then(Value::as_str);
    let password = password.ok_or_else(|| Refused::invalid("password: must be a text"))?;
    let people = parts.identity.people();
    let user = people.check_password(username, password, &asking.origin).await.map_err(hidden)?;
    let sessions = parts.identity.sessions();
    let cookie = asking.cookie.as_deref();
    Ok(sessions.sign_in(cookie, &user, Method::Password, &asking.origin).await.map_err(hidden)?)
}

async fn by_scheme(
    parts: &Parts,
    asking: &Asking,
    body: &Map<String, Value>,
) -> Result<SignedIn, Refused> {
    let named = Named::of(body)?;
    named.check(parts).await.map_err(refused)?;
    let value = named.value()?;
    let user = who(parts, asking, named.username).await.map_err(refused)?;
    let (schemes, cookie) = (parts.identity.schemes(), asking.cookie.as_deref());
    let signed_in = schemes.authenticate(cookie, &user, named.scheme, value, &asking.origin).await;
    signed_in.map_err(|failure| refused(failure.into()))
}

/// Whom a request is about that need not name anybody: the current user of its session.
async fn who(parts: &Parts, asking: &Asking, username: Option<&str>) -> Result<User, Refused> {
    match username {
        Some(username) => user_named(parts, username).await,
        None => Ok(asking.user(parts, &[]).await?.user),
    }
}

async fn select(parts: &Parts, asking: &Asking, username: &str) -> Answer {
    let cookie = asking.cookie.as_deref().ok_or(Refused::Unauthorized)?;
    parts.identity.sessions().select(cookie, username).await.map_err(hidden)?;
    Ok(done())
}

/// Nobody learns by signing in who exists.
fn hidden(failure: Failure) -> Failure {
    match failure {
        Failure::NotFound => Failure::Unauthorized,
        other => other,
    }
}

fn refused(refused: Refused) -> Refused {
    match refused {
        Refused::NotFound => Refused::Unauthorized,
        other => other,
    }
}

async fn sign_out(State(parts): State<Parts>, asking: Asking, query: Query) -> Answer {
    let username = query.get("username").filter(|name| !name.is_empty());
    let mut response = done();
    let is_over = match &asking.cookie {
        Some(cookie) => match parts.identity.sessions().sign_out(cookie, username).await {
            // It is over already.
            Err(Failure::Unauthorized) => true,
            ended => ended?,
        },
        None => false,
    };
    if is_over {
        response.headers_mut().append(SET_COOKIE, parts.settings.cookie.clear());
    }
    Ok(response)
}

/// How far the session has come with some scopes.
async fn state(State(parts): State<Parts>, asking: Asking, query: Query) -> Answer {
    let scopes = scopes(query.get("scope").unwrap_or_default())?;
    let check = parts.identity.scopes().check(asking.cookie.as_deref(), &scopes, &asking.origin);
    let object: Map<String, Value> = match check.await? {
        Checked::User(user) => {
            user.states.iter().map(|state| (state.name.clone(), state.to_json())).collect()
        }
        Checked::NoCookie | Checked::NoSession => {
            let known = parts.identity.scopes().get_many(&scopes).await?;
            known.into_iter().map(|scope| (scope.name, json!({}))).collect()
        }
    };
    if object.is_empty() { Err(Refused::NotFound) } else { Ok(found(&Value::Object(object))) }
}

async fn trigger(State(parts): State<Parts>, asking: Asking, Object(body): Object) -> Answer {
    let named = Named::of(&body)?;
    named.check(&parts).await?;
    let value = named.value()?;
    let user = who(&parts, &asking, named.username).await.map_err(refused)?;
    let schemes = parts.identity.schemes();
    if !user.enabled || !schemes.is_of_user(named.scheme, &user).await? {
        return Err(Refused::Unauthorized);
    }
    let session = at(&parts, asking.cookie.as_deref(), &user).await?;
    let answer = schemes.trigger(named.scheme, &user, session.at(&asking.origin), value).await;
    Ok(answered(answer.map_err(hidden)?))
}

/// What a scheme has to say, if anything.
pub(super) fn answered(value: Option<Value>) -> Response {
    value.map_or_else(done, |value| found(&value))
}

async fn grant(
    State(parts): State<Parts>,
    visitor: Visitor,
    Path((client_id, list)): Path<(String, String)>,
) -> Answer {
    let scopes = scopes(&list)?;
    let consents = parts.identity.consents();
    let grant = consents.grant(&client_id, &visitor.user.user, &scopes).await?;
    Ok(found(&grant.to_json()))
}

async fn set_grant(
    State(parts): State<Parts>,
    visitor: Visitor,
    Path(client_id): Path<String>,
    Object(body): Object,
) -> Answer {
    give(&parts, &visitor.user.user, &client_id, &body).await
}

/// Replaces what a user lets a client do.
pub(super) async fn give(
    parts: &Parts,
    user: &User,
    client_id: &str,
    body: &Map<String, Value>,
) -> Answer {
    let list = body.get("scope").and_then(Value::as_str);
    let list = list.ok_or_else(|| Refused::invalid("scope: must be a text, names with blanks"))?;
    parts.identity.consents().set(client_id, user, &bounded(list)?).await?;
    Ok(done())
}

fn scopes(list: &str) -> Result<Vec<String>, Refused> {
    let names = bounded(list)?;
    if names.is_empty() {
        return Err(Refused::invalid("scope: name at least one"));
    }
    Ok(names)
}

fn bounded(list: &str) -> Result<Vec<String>, Refused> {
    let names = names(list);
    if names.len() > MOST_ASKED {
        return Err(Refused::invalid(format!("scope: name at most {MOST_ASKED}")));
    }
    Ok(names)
}
