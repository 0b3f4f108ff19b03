//! One request from its head to its reply.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderValue, Method as HttpMethod, Request};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use outboard_core::name;
use outboard_core::route::{Matches, Method, Path, Requirement, Segment};
use outboard_proto::plugin::v1 as wire;
use tokio::time::Instant;

use super::body::{self, Body, Room};
use super::chain::Chain;
use super::connection::Peer;
use super::framed::Call;
use super::gatekeeper::{self, Gate};
use super::observe::{Observer, Record, Series};
use super::own::{self, Own};
use super::refusal::Refusal;
use super::respond::{self, Reply};
use super::times::Times;
use super::worker::Tasks;
use super::{Limits, head};
use crate::plugin::backend::Way;
use crate::plugin::snapshot::{Absent, Entered, Routes, Sender};

/// What answers the requests of all connections of a worker.
#[derive(Debug)]
pub(super) struct Door {
    /// Which worker this is, from 0.
    pub worker: usize,
    pub tasks: Tasks,
    pub prefix: String,
    /// The name of the host's session cookie.
    pub cookie: String,
    pub routes: Arc<Routes>,
    pub limits: Arc<ArcSwap<Limits>>,
    pub bodies: Room,
    /// What answers where there is no instance.
    pub own: Option<Own>,
    /// What is asked who may pass where not everybody may.
    pub gatekeeper: Option<Gate>,
    pub observer: Observer,
}

/// A request that is being answered.
#[derive(Clone, Copy)]
struct Asked<'a> {
    parts: &'a Parts,
    peer: &'a Peer,
    id: &'a str,
    began: Instant,
}

impl Door {
    /// Answers one request. Dropping the future, as is done when the client has gone, cancels the plugin's work.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Reply {
        let began = Instant::now();
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let id = head::request_id(&parts.headers);
        let mut record = Some(self.observer.begin(&parts, &id, peer.address, began));
        let asked = Asked { parts: &parts, peer: &peer, id: &id, began };
        let answered = self.run(asked, body, upgrade, &mut record).await;
        let mut reply = answered.unwrap_or_else(|refusal| {
            if let Some(record) = &mut record {
                record.refused(&self.observer, refusal.reason());
            }
            refusal.reply()
        });
        if parts.method == HttpMethod::HEAD {
            reply = respond::without_body(reply);
        }
        tracing::debug!(
            request_id = id,
            method = parts.method.as_str(),
            path = parts.uri.path(),
            status = reply.status().as_u16(),
            elapsed_us = began.elapsed().as_micros(),
            "request"
        );
        let id = HeaderValue::try_from(id).expect("a request id is visible ASCII");
        reply.headers_mut().insert(head::REQUEST_ID.clone(), id);
        if let Some(record) = record {
            self.record(record, &mut reply);
        }
        reply
    }

    /// Sees to it that what becomes of the reply is observed.
    fn record(&self, mut record: Record, reply: &mut Reply) {
        record.answered(reply.status().as_u16());
        match reply.body_mut() {
            Body::Stream(stream) => stream.observe(record, self.observer.clone()),
            Body::Whole(bytes) => {
                record.sent(bytes.len());
                record.complete();
            }
        }
    }

    async fn run(
        &self,
        asked: Asked<'_>,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        record: &mut Option<Record>,
    ) -> Result<Reply, Refusal> {
        let Asked { parts, peer, id, began } = asked;
        if parts.method == HttpMethod::CONNECT {
            return Err(Refusal::Tunnel);
        }
        let mut request = self.read(parts, peer, id)?;
        if let Some(record) = record {
            record.client(&request.client_address);
        }
        if parts.uri.path() == "*" {
            return asterisk(&parts.method);
        }
        let path = Path::parse(parts.uri.path().as_bytes())
            .map_err(|error| Refusal::Malformed(error.to_string().into()))?;
        let Some((instance, segments)) = self.instance(&path) else {
            return Box::pin(self.own(asked, &path, &request, body, record)).await;
        };
        let found = self.routes.enter(instance);
        // After the instances, so that those need not be looked at for names that none of them has.
        if matches!(found, Err(Absent::Unknown)) && name::is_reserved(instance) {
            return Box::pin(self.own(asked, &path, &request, body, record)).await;
        }
        if let (Some(record), Some(series)) = (record.as_mut(), series(&found)) {
            record.routed(series);
        }
        let entered = found.map_err(|absent| match absent {
            Absent::Unknown => Refusal::NotFound,
            Absent::Away(_) => Refusal::Away,
        })?;
        if parts.method == HttpMethod::OPTIONS {
            return options(entered.table().methods(segments));
        }
        let steps = entered.table().matches(&request.method, segments);
        if steps.is_unanswered() {
            return Err(Refusal::NotFound);
        }
        let bounds = entered.quota().bounds().within(steps.iter());
        let times = Times::new(&bounds, began);
        let limit = bounds.max_body;
        let answered = async {
            let required = gatekeeper::required(&steps);
            if required.is_some() || entered.activation().grants().uses_handles() {
                let until = times.head(began);
                Box::pin(self.introduce(parts, &mut request, &entered, required, until)).await?;
            }
            match entered.activation().backend().way() {
                Way::Framed => {
                    let call = Call {
                        door: self,
                        peer,
                        parts,
                        id,
                        entered: &entered,
                        steps: &steps,
                        segments,
                        times,
                        limit,
                    };
                    call.run(request, body, upgrade, record).await
                }
                Way::Plain => {
                    let plain = Plain { entered: &entered, steps: &steps, segments, times, limit };
                    Box::pin(self.plain(plain, request, body, record.as_ref())).await
                }
            }
        };
        // First, so that no step of a chain begins afterwards. A client that is slow with its body must not
        // hold up the end of an activation either.
        tokio::select! {
            biased;
            () = entered.activation().is_cut_off() => Err(Refusal::CutOff),
            answered = answered => answered,
        }
    }

    /// Has the host itself answer.
    async fn own(
        &self,
        asked: Asked<'_>,
        path: &Path<'_>,
        request: &wire::Request,
        body: Incoming,
        record: &mut Option<Record>,
    ) -> Result<Reply, Refusal> {
        let own = self.own.as_ref().ok_or(Refusal::NotFound)?;
        let times = Times::new(&own::BOUNDS, asked.began);
        let body = body::collect(body, own::BOUNDS.max_body, &times, &self.bodies).await?;
        let answered = own
            .answer(own::Asked {
                parts: asked.parts,
                path,
                client: own::Client::of(request),
                body: &body,
                until: times.head(Instant::now()),
            })
            .await;
        if let Some(record) = record
            && !matches!(answered, Err(Refusal::NotFound))
        {
            record.routed(own.series());
            record.meter().add(body.bytes.len());
        }
        answered
    }

    async fn plain(
        &self,
        plain: Plain<'_>,
        request: wire::Request,
        body: Incoming,
        record: Option<&Record>,
    ) -> Result<Reply, Refusal> {
        let Plain { entered, steps, segments, times, limit } = plain;
        let body = body::collect(body, limit, &times, &self.bodies).await?;
        if let Some(record) = record {
            record.meter().add(body.bytes.len());
        }
        let _places = entered.quota().enter(entered.gates(), steps.iter()).await?;
        let chain = Chain {
            activation: entered.activation(),
            worker: self.worker,
            request,
            body: &body.bytes,
            deadline: times.head(Instant::now()),
            prefix: &self.prefix,
            cookie: &self.cookie,
            bodies: &self.bodies,
        };
        chain.run(steps, segments).await
    }

    /// The head of a request, without what only the host knows of whose it is.
    pub(super) fn read(
        &self,
        parts: &Parts,
        peer: &Peer,
        id: &str,
    ) -> Result<wire::Request, Refusal> {
        head::read(parts, peer, &self.limits.load().trusted_proxies, &self.cookie, id)
    }

    /// Finds out whose a request is where not everybody may send it, and gives it a handle where the plugin may do
    /// anything with one.
    async fn introduce(
        &self,
        parts: &Parts,
        request: &mut wire::Request,
        entered: &Entered,
        required: Option<Requirement>,
        until: Instant,
    ) -> Result<(), Refusal> {
        let handle = head::handle(parts, &request.client_address, &self.cookie);
        let mut sender = Sender::default();
        if let Some(required) = required {
            let gate = self.gatekeeper.as_ref().ok_or(Refusal::Unjudged)?;
            let passing = gate.pass(parts, request, handle.clone(), required, until);
            sender.identity = Some(passing.await?);
        }
        if entered.activation().grants().uses_handles() {
            sender.ticket = Some(entered.ticket(self.routes.handles(), handle));
        }
        entered.introduce(sender);
        entered.sign(request);
        Ok(())
    }

    /// Cuts `/<prefix>/<instance>` off.
    fn instance<'p>(&self, path: &'p Path<'_>) -> Option<(&'p str, &'p [Segment<'p>])> {
        let (instance, segments) = path.strip(&[&self.prefix])?.split_first()?;
        Some((std::str::from_utf8(instance).ok()?, segments))
    }
}

/// The numbers of the instance that a request is for, also while it is away.
fn series(found: &Result<Entered, Absent>) -> Option<&Series> {
    match found {
        Ok(entered) => Some(entered.series()),
        Err(Absent::Away(series)) => Some(series),
        Err(Absent::Unknown) => None,
    }
}

/// A request that was found to be for a process on the plain path.
struct Plain<'a> {
    entered: &'a Entered,
    steps: &'a Matches<'a>,
    segments: &'a [Segment<'a>],
    times: Times,
    /// Of the request's body, in bytes.
    limit: u64,
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
