//! `/user`: all users, for administrators.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use outboard_core::identity::user::{Mode, User, UserDraft};

use super::Parts;
use super::body::{Json, Query, Window};
use super::caller::Admin;
use super::reply::{Answer, Refused, done, found};
use crate::identity::{Failure, Forced, ListQuery};

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/user", get(list).post(add))
        .route("/user/{username}", get(show).put(change).delete(remove))
}

async fn list(State(parts): State<Parts>, _: Admin, query: Query) -> Answer {
    let window = query.window();
    let users = parts.identity.people().list(&list_query(&query, &window)).await?;
    Ok(found(&users.iter().map(User::to_json).collect()))
}

/// What of a list of users or clients is asked for.
pub(super) fn list_query<'a>(query: &'a Query, window: &'a Window) -> ListQuery<'a> {
    ListQuery {
        pattern: &window.pattern,
        offset: window.offset,
        limit: window.limit,
        source: query.get("source").filter(|it| !it.is_empty()),
    }
}

async fn show(
    State(parts): State<Parts>,
    _: Admin,
    Path(username): Path<String>,
    query: Query,
) -> Answer {
    let user = parts.identity.people().get(&username).await.map_err(absent)?;
    from_source(&query, &user.source)?;
    Ok(found(&user.to_json()))
}

async fn add(State(parts): State<Parts>, _: Admin, Json(body): Json) -> Answer {
    let draft = UserDraft::from_json(&body, Mode::Add).map_err(Refused::Invalid)?;
    let people = parts.identity.people();
    people.validate(None, &draft, Mode::Add).await.map_err(of_a_new_one)?;
    people.add(&draft).await.map_err(of_a_new_one)?;
    Ok(done())
}

async fn change(
    State(parts): State<Parts>,
    _: Admin,
    Path(username): Path<String>,
    query: Query,
    Json(body): Json,
) -> Answer {
    let people = parts.identity.people();
    let user = people.get(&username).await.map_err(absent)?;
    from_source(&query, &user.source)?;
    let draft = UserDraft::from_json(&body, Mode::Update).map_err(Refused::Invalid)?;
    people.validate(Some(&username), &draft, Mode::Update).await?;
    people.set(&username, &draft).await?;
    Ok(done())
}

async fn remove(
    State(parts): State<Parts>,
    _: Admin,
    Path(username): Path<String>,
    query: Query,
) -> Answer {
    let people = parts.identity.people();
    let user = people.get(&username).await.map_err(absent)?;
    from_source(&query, &user.source)?;
    people.delete(&username, Forced::No).await?;
    Ok(done())
}

/// A text that can be nobody's name is nobody's.
pub(super) fn absent(failure: Failure) -> Refused {
    match failure {
        Failure::Invalid(_) => Refused::NotFound,
        failure => failure.into(),
    }
}

pub(super) fn of_a_new_one(failure: Failure) -> Refused {
    Refused::from(failure).of_a_new_one()
}

/// Who asks one source does not mean another.
pub(super) fn from_source(query: &Query, source: &str) -> Result<(), Refused> {
    match query.get("source") {
        Some(asked) if !asked.is_empty() && asked != source => Err(Refused::NotFound),
        Some(_) | None => Ok(()),
    }
}
