//! `Scheme`: users who prove who they are, to an author's plugin.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use outboard_proto::plugin::v1::scheme_server::Scheme as Service;
use outboard_proto::plugin::v1::{
    self, CanUseRequest, CanUseResponse, DeregisterRequest, DeregisterResponse,
    GetRegistrationRequest, GetRegistrationResponse, RegisterRequest, RegisterResponse,
    SchemeResult, TriggerRequest, TriggerResponse, ValidateRequest, ValidateResponse,
};
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::scheme::{Scheme, SchemeError, Subject};

/// What the host takes of a response.
const MOST_RESPONSE_BYTES: usize = 64 * 1024;
/// What the host takes of errors.
const MOST_ERRORS: usize = 100;

pub(crate) struct SchemeService<P: Scheme>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Scheme> Service for SchemeService<P> {
    async fn can_use(
        &self,
        request: Request<CanUseRequest>,
    ) -> Result<Response<CanUseResponse>, Status> {
        let CanUseRequest { activation, subject } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = guarded(self.0.plugin.can_use(instance, subject)).await?;
        let availability = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(CanUseResponse { availability: availability.into_proto().into() }))
    }

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let RegisterRequest { activation, subject, data } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = match json(&data) {
            Ok(data) => guarded(self.0.plugin.register(instance, subject, data)).await?,
            Err(error) => Err(error),
        };
        let Answer { result, response, errors } = Answer::of("register", answer);
        Ok(Response::new(RegisterResponse { result: result.into(), response, errors }))
    }

    async fn get_registration(
        &self,
        request: Request<GetRegistrationRequest>,
    ) -> Result<Response<GetRegistrationResponse>, Status> {
        let GetRegistrationRequest { activation, subject } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = guarded(self.0.plugin.registration(instance, subject)).await?;
        let Answer { result, response, .. } = Answer::of("registration", answer);
        Ok(Response::new(GetRegistrationResponse { result: result.into(), response }))
    }

    async fn deregister(
        &self,
        request: Request<DeregisterRequest>,
    ) -> Result<Response<DeregisterResponse>, Status> {
        let DeregisterRequest { activation, subject } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = guarded(self.0.plugin.deregister(instance, subject)).await?;
        let Answer { result, .. } = Answer::of("deregister", answer.map(|()| None));
        Ok(Response::new(DeregisterResponse { result: result.into() }))
    }

    async fn trigger(
        &self,
        request: Request<TriggerRequest>,
    ) -> Result<Response<TriggerResponse>, Status> {
        let TriggerRequest { activation, subject, data } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = match json(&data) {
            Ok(data) => guarded(self.0.plugin.trigger(instance, subject, data)).await?,
            Err(error) => Err(error),
        };
        let Answer { result, response, errors } = Answer::of("trigger", answer);
        Ok(Response::new(TriggerResponse { result: result.into(), response, errors }))
    }

    async fn validate(
        &self,
        request: Request<ValidateRequest>,
    ) -> Result<Response<ValidateResponse>, Status> {
        let ValidateRequest { activation, subject, value } = request.into_inner();
        let (instance, subject) = (self.0.instance(&activation)?, read(subject)?);
        let answer = match json(&value) {
            Ok(value) => guarded(self.0.plugin.validate(instance, subject, value)).await?,
            Err(error) => Err(error),
        };
        let Answer { result, errors, .. } = Answer::of("validate", answer.map(|()| None));
        Ok(Response::new(ValidateResponse { result: result.into(), errors }))
    }
}

fn read(subject: Option<v1::Subject>) -> Result<Subject, Status> {
    let subject = subject.ok_or_else(|| Status::invalid_argument("there is no subject in it"))?;
    Subject::from_proto(subject).map_err(Status::invalid_argument)
}

/// Nothing at all counts as null.
fn json(bytes: &[u8]) -> Result<Value, SchemeError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|_| SchemeError::invalid("what was sent is no JSON"))
}

/// What the host is told.
struct Answer {
    result: SchemeResult,
    response: Bytes,
    errors: Vec<String>,
}

impl Answer {
    fn of(call: &str, answer: Result<Option<Value>, SchemeError>) -> Self {
        match answer {
            Ok(response) => {
                let response = response.map(|value| value.to_string()).unwrap_or_default();
                Self::ok(call, response)
            }
            Err(SchemeError::Unauthorized) => Self::bare(SchemeResult::Unauthorized),
            Err(SchemeError::NotFound) => Self::bare(SchemeResult::NotFound),
            Err(SchemeError::Invalid(mut errors)) => {
                errors.truncate(MOST_ERRORS);
                Self { errors, ..Self::bare(SchemeResult::Invalid) }
            }
            Err(SchemeError::Failed(message)) => Self::failed(call, &message),
        }
    }

    fn ok(call: &str, response: String) -> Self {
        if response.len() > MOST_RESPONSE_BYTES {
            return Self::failed(call, &"the response has more than 64 KiB");
        }
        Self { response: response.into(), ..Self::bare(SchemeResult::Ok) }
    }

    /// Why is for the log: the host tells nobody.
    fn failed(call: &str, error: &dyn Display) -> Self {
        tracing::error!(call, %error, "the scheme failed");
        Self::bare(SchemeResult::Error)
    }

    fn bare(result: SchemeResult) -> Self {
        Self { result, response: Bytes::new(), errors: Vec::new() }
    }
}
