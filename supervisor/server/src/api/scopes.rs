//! `/scope`: all scopes, for administrators.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;

use super::Parts;
use super::body::{Json, Query};
use super::caller::Admin;
use super::reply::{Answer, done, found};
use super::users::of_a_new_one;

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/scope", get(list).post(add))
        .route("/scope/{name}", get(show).put(change).delete(remove))
}

async fn list(State(parts): State<Parts>, _: Admin, query: Query) -> Answer {
    let (scopes, window) = (parts.identity.scopes(), query.window());
    let listed = scopes.list(&window.pattern, window.offset, window.limit).await?;
    Ok(found(&listed.iter().map(|scope| scopes.show(scope)).collect()))
}

async fn show(State(parts): State<Parts>, _: Admin, Path(name): Path<String>) -> Answer {
    let scopes = parts.identity.scopes();
    Ok(found(&scopes.show(&scopes.get(&name).await?)))
}

async fn add(State(parts): State<Parts>, _: Admin, Json(body): Json) -> Answer {
    parts.identity.scopes().add(&body).await.map_err(of_a_new_one)?;
    Ok(done())
}

async fn change(
    State(parts): State<Parts>,
    _: Admin,
    Path(name): Path<String>,
    Json(body): Json,
) -> Answer {
    let scopes = parts.identity.scopes();
    // Whether it is there counts before what is wrong with the body.
    scopes.get(&name).await?;
    scopes.set(&name, &body).await?;
    Ok(done())
}

async fn remove(State(parts): State<Parts>, _: Admin, Path(name): Path<String>) -> Answer {
    parts.identity.scopes().delete(&name).await?;
    Ok(done())
}
