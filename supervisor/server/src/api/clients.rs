//! `/client`: all clients, for administrators.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use outboard_core::identity::client::{Client, ClientDraft};

use super::Parts;
use super::body::{Json, Query};
use super::caller::Admin;
use super::reply::{Answer, Refused, done, found};
use super::users::{absent, from_source, list_query, of_a_new_one};

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/client", get(list).post(add))
        .route("/client/{client_id}", get(show).put(change).delete(remove))
}

async fn list(State(parts): State<Parts>, _: Admin, query: Query) -> Answer {
    let window = query.window();
    let clients = parts.identity.clients().list(&list_query(&query, &window)).await?;
    Ok(found(&clients.iter().map(Client::to_json).collect()))
}

async fn show(
    State(parts): State<Parts>,
    _: Admin,
    Path(client_id): Path<String>,
    query: Query,
) -> Answer {
    let client = parts.identity.clients().get(&client_id).await.map_err(absent)?;
    from_source(&query, &client.source)?;
    Ok(found(&client.to_json()))
}

async fn add(State(parts): State<Parts>, _: Admin, Json(body): Json) -> Answer {
    let draft = ClientDraft::from_json(&body).map_err(Refused::Invalid)?;
    let clients = parts.identity.clients();
    clients.validate(None, &draft).await.map_err(of_a_new_one)?;
    clients.add(&draft).await.map_err(of_a_new_one)?;
    Ok(done())
}

async fn change(
    State(parts): State<Parts>,
    _: Admin,
    Path(client_id): Path<String>,
    query: Query,
    Json(body): Json,
) -> Answer {
    let clients = parts.identity.clients();
    let client = clients.get(&client_id).await.map_err(absent)?;
    from_source(&query, &client.source)?;
    let draft = ClientDraft::from_json(&body).map_err(Refused::Invalid)?;
    clients.validate(Some(&client_id), &draft).await?;
    clients.set(&client_id, &draft).await?;
    Ok(done())
}

async fn remove(
    State(parts): State<Parts>,
    _: Admin,
    Path(client_id): Path<String>,
    query: Query,
) -> Answer {
    let clients = parts.identity.clients();
    let client = clients.get(&client_id).await.map_err(absent)?;
    from_source(&query, &client.source)?;
    clients.delete(&client_id).await?;
    Ok(done())
}
