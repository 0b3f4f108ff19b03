//! What operators do about scopes, schemes, sessions and API keys: one service of `outboard.admin.v1` per file.

mod keys;
mod schemes;
mod scopes;
mod sessions;

use outboard_proto::admin::v1::api_keys_server::ApiKeysServer;
use outboard_proto::admin::v1::schemes_server::SchemesServer;
use outboard_proto::admin::v1::scopes_server::ScopesServer;
use outboard_proto::admin::v1::sessions_server::SessionsServer;
use tonic::Status;
use tonic::service::RoutesBuilder;

use crate::identity::{Failure, Identity};

/// Of a list: by default, and at most.
const MOST: u32 = 1000;

/// Answers operators.
#[derive(Clone)]
struct Access {
    identity: Identity,
}

/// Adds the services.
pub(super) fn add_to(routes: &mut RoutesBuilder, identity: &Identity) {
    let access = Access { identity: identity.clone() };
    routes
        .add_service(ScopesServer::new(access.clone()))
        .add_service(SchemesServer::new(access.clone()))
        .add_service(SessionsServer::new(access.clone()))
        .add_service(ApiKeysServer::new(access));
}

fn limit(wanted: u32) -> u32 {
    if wanted == 0 { MOST } else { wanted.min(MOST) }
}

/// `thing`: what was not found, if it was that.
fn status(failure: Failure, thing: &str) -> Status {
    match failure {
        Failure::NotFound => super::not_found(thing),
        Failure::Unauthorized => Status::permission_denied("refused"),
        Failure::Invalid(errors) => Status::invalid_argument(errors.join("\n")),
        Failure::ReadOnly(error) | Failure::Unavailable(error) => {
            Status::failed_precondition(error)
        }
        Failure::Conflict(error) => Status::already_exists(error),
        Failure::Limited { .. } => Status::resource_exhausted(failure.to_string()),
    }
}
