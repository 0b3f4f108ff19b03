//! The mock as a source of events, where its manifest and the operator grant it.

use std::sync::Arc;

use outboard_sdk::{Event, Failure, HostError, HostErrorKind, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::Instance;
use crate::handlers::{bad_request, number};

/// Most events in one call to the host.
const MOST_EMITTED: u64 = 1000;

/// `POST emit/:kind?count=&key=&id=`: announces events of that type with the body, JSON or nothing, as data. With an
/// id they are called `<id>-0`, `<id>-1` and so on.
pub(crate) async fn emit(instance: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let count = number(&request, "count", 1)?;
    if count > MOST_EMITTED {
        return Err(bad_request(format!("count must be at most {MOST_EMITTED}")));
    }
    let event = event(&request).await?;
    let id = request.query_value("id");
    let events = (0..count).map(|number| {
        let mut event = event.clone();
        event.id = id.as_ref().map(|id| format!("{id}-{number}")).unwrap_or_default();
        event
    });
    let receipts = instance.host.emit(events).await.map_err(|error| refused(&error))?;
    let receipts: Vec<Value> =
        receipts.iter().map(|it| json!({"id": it.event_id, "repeated": it.repeated})).collect();
    Ok(Response::json(&json!({ "receipts": receipts })))
}

async fn event(request: &Request) -> Result<Event, Failure> {
    let mut event = Event::new(request.variable("kind")?);
    let body = request.bytes().await?;
    if !body.is_empty() {
        let data: Value = serde_json::from_slice(&body)
            .map_err(|error| bad_request(format!("the body is no JSON: {error}")))?;
        event = event.json(&data);
    }
    if let Some(key) = request.query_value("key") {
        event.extensions.insert("partitionkey".to_owned(), key.into_owned());
    }
    Ok(event)
}

/// The host's own words, for whoever tries it.
fn refused(error: &HostError) -> Failure {
    let status = match error.kind() {
        HostErrorKind::Denied => StatusCode::FORBIDDEN,
        HostErrorKind::Invalid => StatusCode::BAD_REQUEST,
        HostErrorKind::Limit => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_GATEWAY,
    };
    Failure::new(status, error.message())
}
