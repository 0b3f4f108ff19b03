//! One request from its head to its reply.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method as HttpMethod, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use outboard_core::route::{Matches, Method, Path, Segment};
use tokio::time::Instant;

use super::body::{Body, Room};
use super::chain::Chain;
use super::connection::Peer;
use super::respond::{self, Refusal, Reply};
use super::worker::Tasks;
use super::{Limits, body, head};
use crate::plugin::snapshot::{Absent, Routes};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers the requests of all connections of a worker.
#[derive(Debug)]
pub(super) struct Door {
    /// Which worker this is, from 0.
    #[expect(dead_code, reason = "the framed path comes next")]
    pub worker: usize,
    pub tasks: Tasks,
    pub prefix: String,
    pub routes: Arc<Routes>,
    pub limits: Arc<ArcSwap<Limits>>,
    pub bodies: Room,
}

impl Door {
    /// Answers one request. Dropping the future, as is done when the client has gone, cancels the plugin's work.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let id = head::request_id(&parts.headers);
        let answered = self.run(&parts, body, &peer, &id, started).await;
        let mut reply = answered.unwrap_or_else(|refusal| refusal.reply());
        if parts.method == HttpMethod::HEAD {
            reply = respond::without_body(reply);
        }
        tracing::debug!(
            request_id = id,
            method = parts.method.as_str(),
            path = parts.uri.path(),
            status = reply.status().as_u16(),
            elapsed_us = started.elapsed().as_micros(),
            "request"
        );
        let id = HeaderValue::try_from(id).expect("a request id is visible ASCII");
        reply.headers_mut().insert(REQUEST_ID.clone(), id);
        reply.map(Full::new)
    }

    async fn run(
        &self,
        parts: &Parts,
        body: Incoming,
        peer: &Peer,
        id: &str,
        started: Instant,
    ) -> Result<Reply, Refusal> {
        if parts.method == HttpMethod::CONNECT {
            return Err(Refusal::Tunnel);
        }
        let limits = self.limits.load_full();
        let request = head::read(parts, peer.address, &limits.trusted_proxies, id)?;
        if parts.uri.path() == "*" {
            return asterisk(&parts.method);
        }
        let path = Path::parse(parts.uri.path().as_bytes())
            .map_err(|error| Refusal::Malformed(error.to_string().into()))?;
        let (instance, segments) = self.instance(&path).ok_or(Refusal::NotFound)?;
        let entered = self.routes.enter(instance).map_err(|absent| match absent {
            Absent::Unknown => Refusal::NotFound,
            Absent::Away => Refusal::Away,
        })?;
        if parts.method == HttpMethod::OPTIONS {
            return options(entered.table().methods(segments));
        }
        let steps = entered.table().matches(&request.method, segments);
        if steps.is_unanswered() {
            return Err(Refusal::NotFound);
        }
        let (limit, deadline) = bounds(&limits, &steps, started);
        let reply = async {
            let body = tokio::time::timeout_at(deadline, body::collect(body, limit, &self.bodies))
                .await
                .map_err(|_| Refusal::SlowBody)??;
            let chain = Chain {
                activation: entered.activation(),
                request,
                body: &body.bytes,
                deadline,
                prefix: &self.prefix,
            };
            chain.run(&steps, segments).await
        };
        // First, so that no step of a chain begins afterwards. A client that is slow with its body must not
        // hold up the end of an activation either.
        tokio::select! {
            biased;
            () = entered.activation().is_cut_off() => Err(Refusal::CutOff),
            reply = reply => self.hold(reply?),
        }
    }

    /// Makes the body count until the client has read it.
    fn hold(&self, reply: Reply) -> Result<Reply, Refusal> {
        let (parts, body) = reply.into_parts();
        Ok(Reply::from_parts(parts, self.bodies.hold(body)?))
    }

    /// Cuts `/<prefix>/<instance>` off.
    fn instance<'p>(&self, path: &'p Path<'_>) -> Option<(&'p str, &'p [Segment<'p>])> {
        let (instance, segments) = path.strip(&[&self.prefix])?.split_first()?;
        Some((std::str::from_utf8(instance).ok()?, segments))
    }
}

/// The tightest of the operator's limits and those of the chain's endpoints.
fn bounds(limits: &Limits, steps: &Matches<'_>, started: Instant) -> (usize, Instant) {
    let small = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let bodies = steps.iter().filter_map(|endpoint| endpoint.max_body_bytes).map(small);
    let times = steps.iter().filter_map(|endpoint| endpoint.timeout);
    let limit = bodies.fold(limits.max_body_bytes, usize::min);
    (limit, started + times.fold(limits.request_timeout, Ord::min))
}

fn options(methods: Vec<&Method>) -> Result<Reply, Refusal> {
    if methods.is_empty() { Err(Refusal::NotFound) } else { Ok(respond::options(methods)) }
}

/// `*` asks about the server as a whole, and only OPTIONS may (RFC 9112 section 3.2.4).
fn asterisk(method: &HttpMethod) -> Result<Reply, Refusal> {
    match *method {
        HttpMethod::OPTIONS => Ok(respond::options([&Method::Any])),
        _ => Err(Refusal::Malformed("the request target \"*\" is for OPTIONS only".into())),
    }
}
