//! The host's pages: log in, profile, log out, and what they are made of.

use axum::Router;

/// What its handlers work with.
#[derive(Debug, Clone)]
pub struct Parts {}

/// All of them, from the root.
pub fn router(_: Parts) -> Router {
    Router::new()
}
