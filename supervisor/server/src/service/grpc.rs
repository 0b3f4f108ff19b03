//! `outboard.service.v1` over gRPC: the same as over HTTP.

use outboard_core::auth::GroupMatch;
use outboard_core::event::wire::from_protos;
use outboard_proto::service::v1 as wire;
use outboard_proto::service::v1::{auth_server, events_server};
use tonic::{Request, Response, Status};

use super::events::receive;
use super::{Parts, identity};
use crate::auth::{Decision, Failure, Identity, Requirement};
use crate::events::{PublishError, Receipt};

/// Answers calls.
#[derive(Clone)]
pub(super) struct Grpc(pub Parts);

#[tonic::async_trait]
impl auth_server::Auth for Grpc {
    async fn authenticate(
        &self,
        request: Request<wire::AuthenticateRequest>,
    ) -> Result<Response<wire::AuthenticateResponse>, Status> {
        let wire::AuthenticateRequest { email, token } = request.into_inner();
        let who = self.0.auth.authenticate(&email, &token).await.map_err(status)?;
        Ok(Response::new(wire::AuthenticateResponse { user: user(who) }))
    }

    async fn authorize(
        &self,
        request: Request<wire::AuthorizeRequest>,
    ) -> Result<Response<wire::AuthorizeResponse>, Status> {
        let wire::AuthorizeRequest { email, token, required_groups: groups, r#match } =
            request.into_inner();
        let required = Requirement { groups, rule: rule(r#match)? };
        identity::check(&required).map_err(Status::invalid_argument)?;
        let decision = self.0.auth.authorize(&email, &token, &required).await;
        let Decision { is_allowed, who } = decision.map_err(status)?;
        Ok(Response::new(wire::AuthorizeResponse { allowed: is_allowed, user: user(who) }))
    }
}

#[tonic::async_trait]
impl events_server::Events for Grpc {
    async fn publish(
        &self,
        request: Request<wire::PublishRequest>,
    ) -> Result<Response<wire::PublishResponse>, Status> {
        let events = receive(|received| from_protos(request.into_inner().events, received));
        let events = events.map_err(|fault| Status::invalid_argument(fault.to_string()))?;
        let receipts = self.0.events.publish(events).await.map_err(|error| unpublished(&error))?;
        let receipts = receipts.into_iter();
        let receipts = receipts.map(|Receipt { id, repeated }| wire::Receipt { id, repeated });
        Ok(Response::new(wire::PublishResponse { receipts: receipts.collect() }))
    }
}

fn unpublished(error: &PublishError) -> Status {
    let message = error.to_string();
    match error {
        PublishError::TooMany(_) => Status::invalid_argument(message),
        PublishError::TooLarge { .. } => Status::out_of_range(message),
        PublishError::Full => Status::resource_exhausted(message),
        PublishError::Unavailable(_) => Status::unavailable(message),
    }
}

/// A number that means nothing here must not become the milder rule, or any.
fn rule(number: i32) -> Result<Option<GroupMatch>, Status> {
    match wire::GroupMatch::try_from(number) {
        Ok(wire::GroupMatch::Unspecified) => Ok(None),
        Ok(wire::GroupMatch::All) => Ok(Some(GroupMatch::All)),
        Ok(wire::GroupMatch::Any) => Ok(Some(GroupMatch::Any)),
        Err(_) => Err(Status::invalid_argument("match: it must be all (1) or any (2)")),
    }
}

/// None where nobody was asked.
fn user(who: Identity) -> Option<wire::User> {
    let Identity::User(user) = who else { return None };
    let user = std::sync::Arc::unwrap_or_clone(user);
    Some(wire::User { name: user.name, email: user.email, groups: user.groups })
}

fn status(failure: Failure) -> Status {
    match failure {
        Failure::Refused(_) => Status::unauthenticated("this e-mail with this token is refused"),
        Failure::Unavailable(unavailable) => Status::unavailable(unavailable.to_string()),
    }
}
