//! What operators do about users and clients: one service of `outboard.admin.v1` per file.

mod clients;
mod users;

use outboard_proto::admin::v1::clients_server::ClientsServer;
use outboard_proto::admin::v1::users_server::UsersServer;
use serde_json::Value;
use tonic::Status;
use tonic::service::RoutesBuilder;

use crate::identity::{Failure, Identity, ListQuery};

/// Of a list: by default, and at most.
const SOME: u32 = 100;
const MOST: u32 = 1000;

/// Answers operators.
#[derive(Clone)]
struct People {
    identity: Identity,
}

/// Adds the services.
pub(super) fn add_to(routes: &mut RoutesBuilder, identity: &Identity) {
    let people = People { identity: identity.clone() };
    routes.add_service(UsersServer::new(people.clone())).add_service(ClientsServer::new(people));
}

fn page<'a>(pattern: &'a str, offset: u64, limit: u32, source: &'a str) -> ListQuery<'a> {
    let limit = if limit == 0 { SOME } else { limit.min(MOST) };
    ListQuery { pattern, offset, limit, source: Some(source).filter(|source| !source.is_empty()) }
}

fn object(json: &[u8]) -> Result<Value, Status> {
    let read = serde_json::from_slice(json);
    read.map_err(|error| Status::invalid_argument(format!("not JSON: {error}")))
}

fn bytes(object: &Value) -> bytes::Bytes {
    object.to_string().into()
}

/// `thing`: what was not found, if it was that.
fn status(failure: &Failure, thing: &str) -> Status {
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
