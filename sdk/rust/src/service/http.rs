//! The service itself: frames go to `serve.rs`; here is the plain path, one step of a chain for each call.

use std::sync::Arc;

use bytes::Bytes;
use outboard_proto::plugin::v1::http_server::Http;
use outboard_proto::plugin::v1::{self, Frames, HandleRequest, HandleResponse};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use super::serve::Replies;
use crate::outcome::{Outcome, Verdict};
use crate::plugin::Plugin;
use crate::request::{Head, Malformed};

/// Most that a body in pieces may come to; the host takes no larger message.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

pub(crate) struct HttpService<P: Plugin>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Plugin> Http for HttpService<P> {
    type ServeStream = Replies;

    async fn serve(
        &self,
        request: Request<Streaming<Frames>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        Ok(Response::new(Replies::start(Arc::clone(&self.0), request.into_inner())))
    }

    async fn handle(
        &self,
        request: Request<HandleRequest>,
    ) -> Result<Response<HandleResponse>, Status> {
        let timeout_ms = timeout_ms(request.metadata());
        let mut request = request.into_inner();
        let Some(activation) = self.0.activation(&request.activation) else {
            let id = request.activation;
            return Err(Status::not_found(format!("no activation {id:?} in this process")));
        };
        let head = Head::plain(&mut request, timeout_ms)?;
        let endpoint_id = head.endpoint_id(0)?;
        let so_far = match &request.response {
            Some(response) => Some(so_far(response, request.response_body)?),
            None => None,
        };
        let context = request.context;
        let step = crate::Request::new(Arc::new(head), 0, context.clone(), so_far);
        let Some(running) = activation.begin(endpoint_id, step) else {
            let message = format!("no endpoint {endpoint_id} in this activation");
            return Err(Status::not_found(message));
        };
        answer(running.await, context).await.map(Response::new)
    }
}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::invalid_argument("the message holds what HTTP has no place for")
    }
}

fn so_far(response: &v1::Response, body: Bytes) -> Result<crate::Response, Malformed> {
    crate::Response::from_proto(response, body).map_err(|_| Malformed)
}

/// A response in pieces has to be collected: this path has no other way. Its trailers are lost.
async fn answer(outcome: Outcome, context: Bytes) -> Result<HandleResponse, Status> {
    let mut answer = HandleResponse {
        outcome: outcome.verdict.into_proto().into(),
        context: outcome.context.unwrap_or(context),
        ..HandleResponse::default()
    };
    let Some(response) = outcome.response else { return Ok(answer) };
    let (head, body) = response.into_proto();
    match body.bytes_up_to(MAX_BODY_BYTES).await {
        Ok(body) => (answer.response, answer.body) = (Some(head), body),
        Err(error) => {
            tracing::error!(%error, "a response in pieces could not be collected for one message");
            answer.outcome = Verdict::Fail.into_proto().into();
        }
    }
    Ok(answer)
}

/// What the host sets for each call; 0 if it does not. (At most 8 digits and a unit, so it fits.)
fn timeout_ms(metadata: &MetadataMap) -> u64 {
    let timeout = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok());
    let Some((digits, unit)) = timeout.and_then(|it| it.split_at_checked(it.len().checked_sub(1)?))
    else {
        return 0;
    };
    let number: u64 = digits.parse::<u32>().unwrap_or_default().into();
    match unit {
        "H" => number * 3_600_000,
        "M" => number * 60_000,
        "S" => number * 1000,
        "m" => number,
        "u" => number.div_ceil(1000),
        "n" => number.div_ceil(1_000_000),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_grpc_writes_it() {
        for (text, ms) in [
            ("2H", 7_200_000),
            ("30S", 30_000),
            ("5m", 5),
            ("1u", 1),
            ("99999999n", 100),
            ("", 0),
            ("S", 0),
            ("5x", 0),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(timeout_ms(&metadata), ms, "{text}");
        }
        assert_eq!(timeout_ms(&MetadataMap::new()), 0);
    }
}
