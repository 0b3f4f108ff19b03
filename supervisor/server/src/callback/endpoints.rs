//! `outboard.host.v1.Endpoints`: what an activation serves.

use outboard_core::route::{EndpointSpec, EndpointsError, Requirement};
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::endpoints_server::Endpoints;
use tonic::{Request, Response, Status};

use super::Caller;
use super::room::{Refusal, activation, foreign};

#[tonic::async_trait]
impl Endpoints for Caller {
    async fn add(
        &self,
        request: Request<wire::AddRequest>,
    ) -> Result<Response<wire::AddResponse>, Status> {
        let activation = activation(&request)?;
        let specs = request.into_inner().endpoints.into_iter().map(spec).collect();
        self.0.add(&activation, specs).map_err(|refusal| status(&activation, refusal))?;
        Ok(Response::new(wire::AddResponse {}))
    }

    async fn remove(
        &self,
        request: Request<wire::RemoveRequest>,
    ) -> Result<Response<wire::RemoveResponse>, Status> {
        let activation = activation(&request)?;
        let ids = request.into_inner().endpoint_ids;
        self.0.remove(&activation, &ids).map_err(|refusal| status(&activation, refusal))?;
        Ok(Response::new(wire::RemoveResponse {}))
    }
}

fn spec(endpoint: wire::Endpoint) -> EndpointSpec {
    EndpointSpec {
        id: endpoint.id,
        method: endpoint.method,
        url: endpoint.url,
        priority: endpoint.priority,
        filter: endpoint.filter,
        max_body_bytes: endpoint.max_body_bytes,
        timeout_ms: endpoint.timeout_ms,
        first_byte_timeout_ms: endpoint.first_byte_timeout_ms,
        idle_timeout_ms: endpoint.idle_timeout_ms,
        max_concurrent_requests: endpoint.max_concurrent_requests,
        requires: endpoint.requires.map(requirement).unwrap_or_default(),
    }
}

fn requirement(wire: wire::Requirement) -> Requirement {
    Requirement { signed_in: wire.signed_in, scopes: wire.scopes, api_key: wire.api_key }
}

fn status(activation: &str, refusal: Refusal) -> Status {
    match refusal {
        Refusal::Foreign => foreign(activation),
        Refusal::Endpoints(error) => {
            let message = error.to_string();
            match error {
                EndpointsError::Zero { .. }
                | EndpointsError::Method { .. }
                | EndpointsError::Pattern { .. }
                | EndpointsError::Requirement { .. } => Status::invalid_argument(message),
                EndpointsError::Id { .. } | EndpointsError::Place { .. } => {
                    Status::already_exists(message)
                }
                EndpointsError::TooMany(_) | EndpointsError::TooManyInOneCall(_) => {
                    Status::resource_exhausted(message)
                }
                EndpointsError::Unknown(_) => Status::not_found(message),
            }
        }
    }
}
