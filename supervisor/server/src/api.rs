//! The host's HTTP API, below the gateway's prefix: users, clients, scopes, sessions, schemes, plugin instances.

use axum::Router;

/// What its handlers work with.
#[derive(Debug, Clone)]
pub struct Parts {}

/// All of it, without the prefix.
pub fn router(_: Parts) -> Router {
    Router::new()
}
