//! Who may pass to endpoints that are not for everybody: asked before the plugin sees anything.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use outboard_core::route::{Matches, Requirement, origin};
use outboard_proto::plugin::v1 as wire;
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::observe::Reason;
use super::refusal::Refusal;
use crate::plugin::handles::Handle;
use crate::task;

/// Knows people, sessions and keys.
pub trait Gatekeeper: Send + Sync + fmt::Debug {
    /// Whether whoever sent a request meets what its endpoints require.
    fn judge(&self, asker: Asker, required: Requirement) -> BoxFuture<'static, Judgement>;

    /// Where a browser logs in to meet that, and comes back to `target`, a path with its query.
    fn login_url(&self, target: &str, scopes: &[String]) -> String;

    /// Origins whose pages may act by a session, such as `https://example.org`, beside the one that was asked.
    fn origins(&self) -> &[String];
}

/// Who sent a request.
#[derive(Debug)]
pub struct Asker {
    pub handle: Handle,
    pub api_key: Option<ApiKey>,
}

/// What stands behind `Authorization: token`. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It passes, and this is who it is of.
    Admitted(Identity),
    /// Nobody is signed in, or not with all that a scope needs, or with a password that must be changed first: 401.
    SignIn,
    /// Signing in would not help: 403.
    Forbidden,
    /// Nobody can say at the moment: 503.
    Unavailable,
}

/// Who sent a request, as its plugin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    User { id: String, username: String, scopes: Vec<String> },
    ApiKey { scopes: Vec<String> },
}

impl Identity {
    fn into_wire(self) -> wire::Identity {
        match self {
            Self::User { id, username, scopes } => {
                wire::Identity { user_id: id, username, scopes, api_key: false }
            }
            Self::ApiKey { scopes } => {
                wire::Identity { scopes, api_key: true, ..wire::Identity::default() }
            }
        }
    }
}

/// Asks a [`Gatekeeper`], on the runtime where that is at home.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    gatekeeper: Arc<dyn Gatekeeper>,
    runtime: Runtime,
}

impl Gate {
    /// With the current runtime.
    pub(super) fn new(gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        Self { gatekeeper, runtime: Runtime::current() }
    }

    /// Whose the request is, or why it does not pass. `handle` is what a plugin's handle would stand for.
    pub(super) async fn pass(
        &self,
        parts: &Parts,
        request: &wire::Request,
        handle: Handle,
        required: Requirement,
        until: Instant,
    ) -> Result<wire::Identity, Refusal> {
        let api_key = api_key(&parts.headers).filter(|_| required.api_key);
        let by_cookie = api_key.is_none() && handle.cookie.is_some();
        if by_cookie && !self.may_act(parts, request) {
            return Err(Refusal::Forbidden);
        }
        let scopes = required.scopes.clone();
        let (tell, told) = oneshot::channel();
        let judging = self.gatekeeper.judge(Asker { handle, api_key }, required);
        let judging = async move {
            // Nobody listens any more if the client has gone.
            let _ = tell.send(judging.await);
        };
        let _task = task::spawn_on(&self.runtime, "who may pass", judging);
        match timeout_at(until, told).await {
            Ok(Ok(Judgement::Admitted(identity))) => Ok(identity.into_wire()),
            Ok(Ok(Judgement::SignIn)) => Err(self.sign_in(parts, &scopes)),
            Ok(Ok(Judgement::Forbidden)) => Err(Refusal::Forbidden),
            Ok(Ok(Judgement::Unavailable)) => Err(Refusal::Unjudged),
            // It panicked.
            Ok(Err(_)) => Err(Refusal::Failed),
            Err(_) => Err(Refusal::Late(Reason::RequestTimeout)),
        }
    }

    /// Whether the request may act by a cookie: one that changes something comes from a page of the host's own.
    fn may_act(&self, parts: &Parts, request: &wire::Request) -> bool {
        if parts.method.is_safe() {
            return true;
        }
        let asked = format!("{}://{}", request.scheme, request.authority);
        let mut allowed: Vec<_> = self.gatekeeper.origins().iter().map(String::as_str).collect();
        allowed.push(&asked);
        let value = |name: &str| parts.headers.get(name).map(http::HeaderValue::as_bytes);
        origin::may_act(value("sec-fetch-site"), value(ORIGIN.as_str()), &allowed)
    }

    /// Sends a browser that wants a page to log in, unless it comes from there.
    fn sign_in(&self, parts: &Parts, scopes: &[String]) -> Refusal {
        if !wants_page(parts) || has_been_there(parts.uri.query().unwrap_or_default()) {
            return Refusal::SignIn;
        }
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Refusal::LogIn(self.gatekeeper.login_url(target, scopes).into())
    }
}

/// What the endpoints of a chain require together.
pub(super) fn required(steps: &Matches<'_>) -> Option<Requirement> {
    // Most require nothing, and pay for nothing.
    if steps.iter().all(|endpoint| endpoint.requires.is_none()) {
        return None;
    }
    Requirement::all(steps.iter().filter_map(|endpoint| endpoint.requires.as_deref()))
}

fn api_key(headers: &HeaderMap) -> Option<ApiKey> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("token").then(|| ApiKey(key.trim().to_owned()))
}

/// A browser that goes somewhere, and not a script in one, nor a picture.
fn wants_page(parts: &Parts) -> bool {
    let accepts = |value: &http::HeaderValue| {
        value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("text/html"))
    };
    let mode = parts.headers.get("sec-fetch-mode");
    parts.method == Method::GET
        && parts.headers.get_all(ACCEPT).iter().any(accepts)
        && mode.is_none_or(|mode| mode == "navigate")
}

/// The log-in page says so; going there once more would go round in circles.
fn has_been_there(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("g_continue"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/api/shop/page");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_a_browser_that_goes_somewhere_wants_a_page() {
        let html = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        assert!(wants_page(&parts("GET", &[html])));
        assert!(wants_page(&parts("GET", &[("sec-fetch-mode", "navigate"), html])));
        for (method, headers) in [
            ("POST", &[html][..]),
            ("GET", &[("accept", "*/*")]),
            ("GET", &[]),
            ("GET", &[("sec-fetch-mode", "cors"), html]),
            ("GET", &[("sec-fetch-mode", "no-cors"), html]),
        ] {
            assert!(!wants_page(&parts(method, headers)), "{method} {headers:?}");
        }
    }

    #[test]
    fn who_comes_from_the_log_in_page_is_not_sent_there_again() {
        for been in ["g_continue", "a=b&g_continue", "g_continue=", "g_continue=1&c"] {
            assert!(has_been_there(been), "{been}");
        }
        for not in ["", "a=g_continue", "g_continued", "xg_continue"] {
            assert!(!has_been_there(not), "{not}");
        }
    }

    #[test]
    fn a_key_stands_behind_its_word() {
        let key = |value| api_key(&parts("GET", &[("authorization", value)]).headers);
        assert_eq!(key("token abc"), Some(ApiKey("abc".into())));
        assert_eq!(key(" Token   abc "), Some(ApiKey("abc".into())));
        for none in ["abc", "Bearer abc", "token", "Basic dG9rZW4="] {
            assert_eq!(key(none), None, "{none}");
        }
        assert!(!format!("{:?}", key("token abc")).contains("abc"));
    }
}
