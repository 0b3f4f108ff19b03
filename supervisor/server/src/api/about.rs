//! `/config`: what a page must know before it can ask for anything else.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use outboard_core::config::DeleteProfile;
use serde_json::json;

use super::Parts;
use super::reply::{Answer, found};

pub(super) fn routes() -> Router<Parts> {
    Router::new().route("/config", get(config))
}

async fn config(State(parts): State<Parts>) -> Answer {
    let settings = &parts.settings;
    let delete_profile = match settings.delete_profile {
        DeleteProfile::Delete | DeleteProfile::Disable => "yes",
        DeleteProfile::No => "no",
    };
    Ok(found(&json!({
        "api_prefix": settings.prefix,
        "admin_scope": settings.admin_scope,
        "profile_scope": settings.profile_scope,
        "delete_profile": delete_profile,
    })))
}
