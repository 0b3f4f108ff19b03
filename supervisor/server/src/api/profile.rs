//! `/profile` and `/profile_list`: what users see and do about themselves.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, put};
use http::header::SET_COOKIE;
use outboard_core::config::DeleteProfile;
use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{User, UserDraft, UserId};
use serde_json::{Map, Value};

use super::Parts;
use super::body::{Json, Object, Query, text};
use super::caller::{Chooser, Known, Owner, Visitor};
use super::own;
use super::reply::{Answer, Refused, done, found};
use super::schemes::InSession;
use crate::identity::{Failure, Forced};

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/profile_list", get(list))
        .route("/profile", get(show).put(change).delete(give_up))
        .route("/profile/password", put(set_password))
        .route("/profile/grant", get(grants))
        .route("/profile/plugin", get(plugins))
        .route("/profile/session", get(sessions).delete(end_sessions))
        .route("/profile/session/{session}", delete(end_session))
        .route("/profile/scheme", get(schemes))
        .route("/profile/scheme/register", put(registration).post(register))
}

/// Everybody who is signed in in this session, the current one first.
async fn list(State(parts): State<Parts>, visitor: Known) -> Answer {
    let current = visitor.user.user;
    let mut profiles = vec![current.to_profile()];
    for other in visitor.user.session.users().filter(|it| it.account != current.id.as_str()) {
        let id = UserId::stored(other.account.clone());
        match parts.identity.people().get_by_id(&id).await {
            Ok(user) if user.enabled => profiles.push(user.to_profile()),
            Ok(_) | Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(found(&Value::Array(profiles)))
}

async fn show(owner: Owner) -> Answer {
    Ok(found(&owner.user.user.to_profile()))
}

async fn change(State(parts): State<Parts>, owner: Owner, Json(body): Json) -> Answer {
    own::change(&parts, &owner.user.user, &body).await
}

async fn set_password(State(parts): State<Parts>, owner: Chooser, Object(body): Object) -> Answer {
    let user = &owner.user.user;
    if body.get("username").is_some_and(|name| !is_name_of(name, user)) {
        return Err(Refused::invalid("username: is not the user who is signed in"));
    }
    let (old, new) = (text(&body, "old_password")?, text(&body, "password")?);
    let people = parts.identity.people();
    let name = user.username.shown();
    match people.check_password(name, old, &owner.asking.origin).await {
        Ok(_) => {}
        Err(Failure::Unauthorized) => {
            return Err(Refused::invalid("old_password: is not the user's password"));
        }
        Err(failure) => return Err(failure.into()),
    }
    people.choose_password(user, new).await?;
    Ok(done())
}

/// Users may give their account up, unless the operator says otherwise.
async fn give_up(State(parts): State<Parts>, owner: Owner) -> Answer {
    let (people, name) = (parts.identity.people(), owner.user.user.username.shown());
    match parts.settings.delete_profile {
        DeleteProfile::Delete => people.delete(name, Forced::No).await?,
        DeleteProfile::Disable => {
            let draft = UserDraft { enabled: Some(false), ..UserDraft::default() };
            people.set(name, &draft).await?;
            parts.identity.sessions().end_all(&owner.user.user.id, None).await?;
        }
        DeleteProfile::No => {
            return Err(Refused::Forbidden("users can't give their account up here".to_owned()));
        }
    }
    let mut response = done();
    response.headers_mut().append(SET_COOKIE, parts.settings.cookie.clear());
    Ok(response)
}

async fn grants(State(parts): State<Parts>, owner: Owner) -> Answer {
    own::grants(&parts, &owner.user.user).await
}

/// What can be told about, such as by a page of the user's own tokens.
async fn plugins(State(parts): State<Parts>, _: Visitor) -> Answer {
    own::plugins(&parts).await
}

async fn sessions(State(parts): State<Parts>, owner: Owner, query: Query) -> Answer {
    own::sessions(&parts, &owner.user.user, &query).await
}

async fn end_sessions(State(parts): State<Parts>, owner: Owner) -> Answer {
    parts.identity.sessions().end_all(&owner.user.user.id, None).await?;
    Ok(done())
}

async fn end_session(
    State(parts): State<Parts>,
    owner: Owner,
    Path(session): Path<String>,
) -> Answer {
    parts.identity.sessions().end(&owner.user.user.id, &session).await?;
    Ok(done())
}

async fn schemes(State(parts): State<Parts>, owner: Owner) -> Answer {
    let session = InSession::of(owner.user.session);
    own::schemes(&parts, &owner.user.user, session.at(&owner.asking.origin)).await
}

async fn registration(State(parts): State<Parts>, owner: Owner, Object(body): Object) -> Answer {
    own_name(&body, &owner.user.user)?;
    let session = InSession::of(owner.user.session);
    own::registration(&parts, &owner.user.user, session.at(&owner.asking.origin), &body, false)
        .await
}

async fn register(State(parts): State<Parts>, owner: Owner, Object(body): Object) -> Answer {
    own_name(&body, &owner.user.user)?;
    let session = InSession::of(owner.user.session);
    own::register(&parts, &owner.user.user, session.at(&owner.asking.origin), &body, false).await
}

fn own_name(body: &Map<String, Value>, user: &User) -> Result<(), Refused> {
    let is_own = body.get("username").is_some_and(|name| is_name_of(name, user));
    if is_own {
        Ok(())
    } else {
        Err(Refused::invalid("username: must be the user who is signed in"))
    }
}

fn is_name_of(name: &Value, user: &User) -> bool {
    let name = name.as_str().and_then(|name| UserName::new(name).ok());
    name.is_some_and(|name| name.key() == user.username.key())
}
