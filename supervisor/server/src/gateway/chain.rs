//! The steps of one request: each endpoint that matched, one plain call after the other.

use bytes::Bytes;
use outboard_core::route::{Endpoint, Matches, Segment, hygiene};
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Outcome;
use prost::Message;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::body::{Body, Room};
use super::complain::complain;
use super::observe::Reason;
use super::refusal::Refusal;
use super::respond::Reply;
use super::terms::Terms;
use crate::plugin::snapshot::Activation;

/// What a gRPC implementation takes in one message unless told otherwise.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Most that a step may leave for the next one.
const MAX_CONTEXT_BYTES: usize = 64 << 10;

/// One request on its way through an activation's endpoints.
pub(super) struct Chain<'a> {
    pub activation: &'a Activation,
    /// Whose connection to the process is used.
    pub worker: usize,
    pub request: wire::Request,
    pub body: &'a Bytes,
    pub deadline: Instant,
    pub prefix: &'a str,
    pub cookie: &'a str,
    /// For the body of the response.
    pub bodies: &'a Room,
}

const LATE: Refusal = Refusal::Late(Reason::FirstByteTimeout);

/// What the steps so far have made.
#[derive(Default)]
struct Made {
    context: Bytes,
    response: Option<wire::Response>,
    body: Bytes,
}

impl Chain<'_> {
    /// Runs the steps until one of them ends the request. Dropping the future cancels the call under way.
    pub(super) async fn run(
        self,
        steps: &Matches<'_>,
        segments: &[Segment<'_>],
    ) -> Result<Reply, Refusal> {
        let mut made = Made::default();
        for endpoint in steps.iter() {
            let answer = self.step(endpoint, segments, &made).await?;
            let outcome = Outcome::try_from(answer.outcome);
            made.take(answer);
            match outcome {
                Ok(Outcome::Continue) => {}
                Ok(Outcome::Complete | Outcome::Unspecified) => break,
                Ok(Outcome::Refuse) => {
                    made.response.get_or_insert_default().status = 401;
                    break;
                }
                Ok(Outcome::Fail) => return Err(Refusal::Failed),
                Err(_) => {
                    return Err(self.fault(endpoint, "the outcome is none of Outcome's values"));
                }
            }
            if made.context.len() > MAX_CONTEXT_BYTES {
                return Err(self.fault(endpoint, "the context is larger than 64 KiB"));
            }
        }
        self.reply(made)
    }

    fn reply(&self, made: Made) -> Result<Reply, Refusal> {
        let terms = Terms {
            prefix: self.prefix,
            cookie: self.cookie,
            instance: self.activation.instance(),
            is_same_origin: self.activation.grants().is_same_origin(),
            whole: Some(made.body.len()),
            is_framed: false,
            offered: "",
        };
        let head = terms.judge(made.response.unwrap_or_default()).map_err(|error| {
            self.log(&error.to_string());
            Refusal::BadGateway
        })?;
        let mut reply = head.reply;
        if !hygiene::has_no_body(reply.status().as_u16()) {
            *reply.body_mut() = Body::from(self.bodies.hold(made.body)?);
        }
        Ok(reply)
    }

    async fn step(
        &self,
        endpoint: &Endpoint,
        segments: &[Segment<'_>],
        made: &Made,
    ) -> Result<wire::HandleResponse, Refusal> {
        let message = self.message(endpoint, segments, made);
        if message.encoded_len() > MAX_MESSAGE_BYTES {
            return Err(self.oversized(endpoint, made));
        }
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.deadline.saturating_duration_since(Instant::now()));
        let called = async {
            let client = self.activation.backend().client(self.worker).await;
            let mut client = client.map_err(|error| self.fault(endpoint, &error.to_string()))?;
            client.handle(request).await.map_err(|status| self.failed(endpoint, &status))
        };
        let Ok(answered) = tokio::time::timeout_at(self.deadline, called).await else {
            self.fault(endpoint, "no answer within the time of the request");
            return Err(LATE);
        };
        answered.map(tonic::Response::into_inner)
    }

    fn message(
        &self,
        endpoint: &Endpoint,
        segments: &[Segment<'_>],
        made: &Made,
    ) -> wire::HandleRequest {
        let variables = endpoint.pattern.variables(segments).map(|(name, value)| wire::Variable {
            name: name.to_owned(),
            value: Bytes::copy_from_slice(value),
        });
        wire::HandleRequest {
            activation: self.activation.id().to_owned(),
            r#match: Some(wire::Match { endpoint_id: endpoint.id, variables: variables.collect() }),
            request: Some(self.request.clone()),
            body: self.body.clone(),
            context: made.context.clone(),
            response: made.response.clone(),
            response_body: made.body.clone(),
        }
    }

    /// A first step's message is the client's doing, a later one's also that of the steps before.
    fn oversized(&self, endpoint: &Endpoint, made: &Made) -> Refusal {
        if made.response.is_none() && made.context.is_empty() {
            let rest = self.request.encoded_len() + (1 << 10);
            return Refusal::BodyTooLarge { limit: MAX_MESSAGE_BYTES.saturating_sub(rest) as u64 };
        }
        self.fault(endpoint, "request, response and context together are larger than 4 MiB")
    }

    fn failed(&self, endpoint: &Endpoint, status: &Status) -> Refusal {
        let is_late = status.code() == Code::DeadlineExceeded || Instant::now() >= self.deadline;
        self.fault(endpoint, &format!("{:?}: {}", status.code(), status.message()));
        if is_late { LATE } else { Refusal::BadGateway }
    }

    fn fault(&self, endpoint: &Endpoint, problem: &str) -> Refusal {
        self.log(&format!("{endpoint}: {problem}"));
        Refusal::BadGateway
    }

    fn log(&self, problem: &str) {
        complain(self.activation, &self.request.request_id, problem);
    }
}

impl Made {
    fn take(&mut self, answer: wire::HandleResponse) {
        self.context = answer.context;
        if let Some(response) = answer.response {
            self.response = Some(response);
            self.body = answer.body;
        }
    }
}
