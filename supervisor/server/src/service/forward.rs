//! `/v1/forward-auth`: whether a proxy may let a request pass. It answers with a status and headers, for nginx'
//! `auth_request`, Caddy's `forward_auth` and Traefik's `forwardAuth`.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use outboard_core::auth::Credentials;
use outboard_core::config::Secret;

use super::identity::{self, Wanted};
use super::reply::Refused;
use super::{Headers, Parts};
use crate::auth::{Auth, Decision, Failure, Refusal, Requirement};

/// Any method: proxies ask with that of the request.
pub(super) async fn forward_auth(State(parts): State<Parts>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let rules = parts.rules.load_full();
    let wanted = match Wanted::of_query(head.uri.query().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(mistake) => return Refused::new(400, mistake).into_response(),
    };
    let required = wanted.requirement(&rules.admin_groups);
    match decide(&parts.auth, &head.headers, &rules.headers, &required).await {
        Ok(Decision { is_allowed: true, who }) => {
            let mut response = StatusCode::OK.into_response();
            response.headers_mut().extend(identity::headers(&who));
            response
        }
        // Whoever is not active has said who they are, and another password does not help.
        Ok(_) | Err(Failure::Refused(Refusal::Inactive)) => StatusCode::FORBIDDEN.into_response(),
        // The client may see what a proxy gets here, so no word more than it needs.
        Err(failure @ Failure::Refused(_)) => {
            Refused::from(failure).challenge(challenge(&rules.headers)).silent()
        }
        Err(failure @ Failure::Unavailable(_)) => Refused::from(failure).silent(),
    }
}

/// Whether whoever `headers` are of may do what needs so much.
pub(super) async fn decide(
    auth: &Auth,
    headers: &HeaderMap,
    names: &Headers,
    required: &Requirement,
) -> Result<Decision, Failure> {
    let sent = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let (email, token) = match names.names.read(sent) {
        Ok(Credentials { email, token, .. }) => (email, token),
        // Nobody's, which is refused and counted as any other that is wrong.
        Err(unusable) => {
            tracing::debug!(%unusable, "a client does not say who it is");
            (String::new(), Secret::new(""))
        }
    };
    auth.authorize(&email, token.expose(), required).await
}

/// How a client may say who it is.
pub(super) fn challenge(names: &Headers) -> HeaderValue {
    HeaderValue::from_static(if names.is_authorization {
        "Bearer realm=\"outboard\", Basic realm=\"outboard\", charset=\"UTF-8\""
    } else {
        "Outboard realm=\"outboard\""
    })
}
