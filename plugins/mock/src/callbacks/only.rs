//! Endpoints that are not for everybody: the host sees to that, and tells whose a request is.

use std::sync::Arc;

use outboard_sdk::{Identity, Outcome, Request, Response};
use serde_json::{Value, json};

use crate::Instance;

/// `* only/…`: who it is.
pub(super) async fn identity(_: Arc<Instance>, request: Request) -> Response {
    Response::json(&told(&request))
}

/// `* guarded/*`, a filter: has nothing to do, since the host has done it.
pub(super) async fn pass(_: Arc<Instance>, _: Request) -> Outcome {
    Outcome::proceed()
}

pub(super) fn told(request: &Request) -> Value {
    match request.identity() {
        Some(Identity::User { id, username, scopes }) => {
            json!({ "user_id": id, "username": username, "scopes": scopes })
        }
        Some(Identity::ApiKey { scopes }) => json!({ "api_key": true, "scopes": scopes }),
        Some(_) | None => Value::Null,
    }
}
