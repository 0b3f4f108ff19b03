//! Envoy's external authorization over gRPC: as forward-auth, with what is needed in the route's
//! `context_extensions`.
//!
//! Every answer is an answer: a status of gRPC would leave it to Envoy whether the request passes.

use std::collections::HashMap;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue};
use outboard_proto::envoy::authorization_server::Authorization;
use outboard_proto::envoy::check_response::HttpResponse;
use outboard_proto::envoy::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue as EnvoyHeader,
    HeaderValueOption, HttpStatus, OkHttpResponse, RpcStatus,
};
use tonic::{Code, Request, Response, Status};

use super::forward::{challenge, decide};
use super::grpc::Grpc;
use super::identity::{self, Wanted};
use super::reply::seconds;
use crate::auth::{Decision, Failure, Identity, Refusal};

/// Takes the place of what the client sent.
const OVERWRITE: i32 = 2;

#[tonic::async_trait]
impl Authorization for Grpc {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let AttributeContext { request, context_extensions } =
            request.into_inner().attributes.unwrap_or_default();
        let sent = request.and_then(|request| request.http).unwrap_or_default().headers;
        Ok(Response::new(self.decision(&sent, &context_extensions).await))
    }
}

impl Grpc {
    async fn decision(
        &self,
        sent: &HashMap<String, String>,
        extensions: &HashMap<String, String>,
    ) -> CheckResponse {
        let rules = self.0.rules.load_full();
        let pairs = extensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let wanted = match Wanted::of_pairs(pairs) {
            Ok(wanted) => wanted,
            Err(mistake) => {
                tracing::warn!(
                    mistake,
                    "Envoy's context_extensions of a route can't be understood, nobody passes there"
                );
                return denied(Code::InvalidArgument, 403, &mistake, None);
            }
        };
        let required = wanted.requirement(&rules.admin_groups);
        match decide(&self.0.auth, &headers(sent), &rules.headers, &required).await {
            Ok(Decision { is_allowed: true, who }) => allowed(&who, sent),
            Ok(_) => denied(Code::PermissionDenied, 403, "not in the groups that it needs", None),
            Err(Failure::Refused(Refusal::Inactive)) => {
                denied(Code::PermissionDenied, 403, "not active", None)
            }
            Err(Failure::Refused(_)) => {
                let challenge = (WWW_AUTHENTICATE, challenge(&rules.headers));
                denied(Code::Unauthenticated, 401, "refused", Some(&challenge))
            }
            Err(Failure::Unavailable(unavailable)) => {
                let wait = (RETRY_AFTER, seconds(unavailable.retry_after));
                denied(Code::Unavailable, 503, "nobody can say", Some(&wait))
            }
        }
    }
}

/// What Envoy has of the head, without what is no header (`:path`).
fn headers(sent: &HashMap<String, String>) -> HeaderMap {
    let headers = sent.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    });
    headers.collect()
}

fn allowed(who: &Identity, sent: &HashMap<String, String>) -> CheckResponse {
    let told: Vec<_> = identity::headers(who).into_iter().collect();
    // Envoy leaves out a header without a value, so what the client sent under its name would stay.
    let (told, empty): (Vec<_>, Vec<_>) =
        told.into_iter().partition(|(_, value)| !value.is_empty());
    let is_told = |name: &str| told.iter().any(|(told, _)| told.as_str() == name);
    let claimed = sent.keys().map(|name| name.to_ascii_lowercase());
    let claimed = claimed.filter(|name| name.starts_with(identity::PREFIX) && !is_told(name));
    let mut removed: Vec<_> =
        empty.iter().map(|(name, _)| name.to_string()).chain(claimed).collect();
    removed.sort_unstable();
    removed.dedup();
    let passed = OkHttpResponse {
        headers: told.iter().map(|(name, value)| option(name, value)).collect(),
        headers_to_remove: removed,
    };
    response(Code::Ok, "", HttpResponse::OkResponse(passed))
}

fn denied(
    code: Code,
    status: i32,
    message: &str,
    header: Option<&(HeaderName, HeaderValue)>,
) -> CheckResponse {
    let turned_away = DeniedHttpResponse {
        status: Some(HttpStatus { code: status }),
        headers: header.iter().map(|(name, value)| option(name, value)).collect(),
        body: String::new(),
    };
    response(code, message, HttpResponse::DeniedResponse(turned_away))
}

fn response(code: Code, message: &str, http: HttpResponse) -> CheckResponse {
    let status = RpcStatus { code: code.into(), message: message.to_owned() };
    CheckResponse { status: Some(status), http_response: Some(http) }
}

fn option(name: &HeaderName, value: &HeaderValue) -> HeaderValueOption {
    let value = value.to_str().unwrap_or_default().to_owned();
    HeaderValueOption {
        header: Some(EnvoyHeader { key: name.to_string(), value }),
        append_action: OVERWRITE,
    }
}
