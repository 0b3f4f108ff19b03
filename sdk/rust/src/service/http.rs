//! `Http.Handle`: one step of a chain for each call.

use std::sync::Arc;

use outboard_proto::plugin::v1::http_server::Http;
use outboard_proto::plugin::v1::{Frames, HandleRequest, HandleResponse};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use crate::outcome::Outcome;
use crate::plugin::Plugin;
use crate::request::{self, Malformed};

pub(crate) struct HttpService<P: Plugin>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Plugin> Http for HttpService<P> {
    type ServeStream = Empty<Result<Frames, Status>>;

    /// Not offered in `Load`, so no host calls it.
    async fn serve(
        &self,
        _: Request<Streaming<Frames>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        Err(Status::unimplemented("this plugin has no framed path; call Handle"))
    }

    async fn handle(
        &self,
        request: Request<HandleRequest>,
    ) -> Result<Response<HandleResponse>, Status> {
        let HandleRequest { activation, r#match, request, body, context, response, response_body } =
            request.into_inner();
        let Some(activation) = self.0.activation(&activation) else {
            return Err(Status::not_found(format!("no activation {activation:?} in this process")));
        };
        let endpoint = r#match.ok_or_else(|| Status::invalid_argument("match is missing"))?;
        let mut request = request::from_proto(request.unwrap_or_default(), body)?;
        request.variables = endpoint
            .variables
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect();
        request.context = context.clone();
        request.so_far = request::response_so_far(response, response_body)?;
        let outcome = activation.step(endpoint.endpoint_id, request).await.map_err(|_| {
            let id = endpoint.endpoint_id;
            Status::not_found(format!("no endpoint {id} in this activation"))
        })?;
        Ok(Response::new(into_proto(outcome, context)))
    }
}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::invalid_argument("the message holds what HTTP has no place for")
    }
}

fn into_proto(outcome: Outcome, context_before: bytes::Bytes) -> HandleResponse {
    let verdict = outcome.verdict.into_proto();
    let (response, body) = outcome.response.map(crate::Response::into_proto).unzip();
    HandleResponse {
        outcome: verdict.into(),
        response,
        body: body.unwrap_or_default(),
        context: outcome.context.unwrap_or(context_before),
    }
}
