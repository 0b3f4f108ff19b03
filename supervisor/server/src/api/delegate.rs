//! `/delegate/:username`: an administrator sees and does for a user what the user sees and does.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, put};
use outboard_core::identity::user::User;

use super::body::{Json, Object, Query};
use super::caller::Admin;
use super::reply::{Answer, Refused, done};
use super::schemes::InSession;
use super::{Parts, auth, own};

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/delegate/{username}/profile", put(change))
        .route("/delegate/{username}/profile/session", get(sessions))
        .route("/delegate/{username}/profile/session/{session}", delete(end_session))
        .route("/delegate/{username}/profile/plugin", get(plugins))
        .route("/delegate/{username}/profile/grant", get(grants))
        .route("/delegate/{username}/profile/scheme", get(schemes))
        .route("/delegate/{username}/profile/scheme/register", put(registration).post(register))
        .route("/delegate/{username}/auth/grant/{client_id}", put(set_grant))
}

async fn user(parts: &Parts, username: &str) -> Result<User, Refused> {
    Ok(parts.identity.people().get(username).await?)
}

async fn change(
    State(parts): State<Parts>,
    _: Admin,
    Path(username): Path<String>,
    Json(body): Json,
) -> Answer {
    own::change(&parts, &user(&parts, &username).await?, &body).await
}

async fn sessions(
    State(parts): State<Parts>,
    _: Admin,
    Path(username): Path<String>,
    query: Query,
) -> Answer {
    own::sessions(&parts, &user(&parts, &username).await?, &query).await
}

async fn end_session(
    State(parts): State<Parts>,
    _: Admin,
    Path((username, session)): Path<(String, String)>,
) -> Answer {
    let user = user(&parts, &username).await?;
    parts.identity.sessions().end(&user.id, &session).await?;
    Ok(done())
}

async fn plugins(State(parts): State<Parts>, _: Admin, Path(username): Path<String>) -> Answer {
    user(&parts, &username).await?;
    own::plugins(&parts).await
}

async fn grants(State(parts): State<Parts>, _: Admin, Path(username): Path<String>) -> Answer {
    own::grants(&parts, &user(&parts, &username).await?).await
}

async fn schemes(State(parts): State<Parts>, admin: Admin, Path(username): Path<String>) -> Answer {
    let user = user(&parts, &username).await?;
    own::schemes(&parts, &user, InSession::none().at(&admin.asking.origin)).await
}

async fn registration(
    State(parts): State<Parts>,
    admin: Admin,
    Path(username): Path<String>,
    Object(body): Object,
) -> Answer {
    let user = user(&parts, &username).await?;
    let session = InSession::none();
    own::registration(&parts, &user, session.at(&admin.asking.origin), &body, true).await
}

async fn register(
    State(parts): State<Parts>,
    admin: Admin,
    Path(username): Path<String>,
    Object(body): Object,
) -> Answer {
    let user = user(&parts, &username).await?;
    let session = InSession::none();
    own::register(&parts, &user, session.at(&admin.asking.origin), &body, true).await
}

async fn set_grant(
    State(parts): State<Parts>,
    _: Admin,
    Path((username, client_id)): Path<(String, String)>,
    Object(body): Object,
) -> Answer {
    auth::give(&parts, &user(&parts, &username).await?, &client_id, &body).await
}
