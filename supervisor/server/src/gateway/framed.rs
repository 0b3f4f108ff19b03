//! The framed path: a request with all its steps is one exchange on the worker's stream to the process.
//!
//! What a request is made of passes in pieces, both ways at once, and no more of it is taken from one side than
//! the other takes. While the response is awaited, all of that happens in the future of whoever answers the
//! client ([`ask`]). A response that is whole in its first frame, as small ones are, is then all there is. One
//! that goes on is a [`Stream`], which hyper asks for more, with a [`watch`] beside it that sends the rest of
//! the request, keeps the time and ends both when the activation ends. An upgraded connection is a [`tunnel`].

mod ask;
mod stream;
mod tunnel;
mod upload;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use outboard_core::route::hygiene::{self, ResponseError};
use outboard_core::route::{Matches, Segment};
use outboard_proto::frame::{self, Failure};
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::{Outcome, RequestFrame, ResetCode, ResponseFrame};
use outboard_proto::transport::mux::{Exchange, Receiving, Sending};
use tokio::time::Instant;

use super::body::{self, Body};
use super::complain::complain;
use super::connection::Peer;
use super::gate::Full;
use super::handle::Door;
use super::observe::{Meter, Reason, Record};
use super::quota::Places;
use super::refusal::Refusal;
use super::respond::Reply;
use super::terms::{Head, Terms};
use super::times::Times;
use crate::plugin::backend::NotOpened;
use crate::plugin::snapshot::Entered;

use ask::{Answered, Asking, Ended, Side};
use stream::Pulse;
pub(super) use stream::{BrokenOff, Stream};
use tunnel::Tunnel;
use upload::Upload;

/// Bodies up to this many bytes are collected first, and then are one frame with the head.
const SMALL: u64 = frame::Stream::MAX_INLINE_BYTES as u64;
/// How often a request is sent that the plugin does not begin.
const MOST_TRIES: usize = 3;
/// Responses of one frame up to this many bytes take no room among the bodies: a head is as large.
const FREE: usize = 4 << 10;

/// A request that was found to be for a process on the framed path.
pub(super) struct Call<'a> {
    pub door: &'a Door,
    pub peer: &'a Peer,
    pub parts: &'a Parts,
    pub id: &'a str,
    pub entered: &'a Entered,
    pub steps: &'a Matches<'a>,
    pub segments: &'a [Segment<'a>],
    pub times: Times,
    /// Of the request's body, in bytes.
    pub limit: u64,
}

/// What the client sends after the head, as far as the plugin has not got it.
#[derive(Default)]
struct Content {
    /// All of the body, if there is no `body`.
    whole: Bytes,
    body: Option<Incoming>,
    upgrade: Option<Upgrade>,
    meter: Option<Meter>,
}

/// Another protocol, if the plugin accepts one of those that the client offers.
struct Upgrade {
    offered: String,
    connection: OnUpgrade,
}

/// Some of the body has been sent.
struct Gone;

impl Call<'_> {
    /// Has the plugin answer. `request` is what the head says.
    pub(super) async fn run(
        self,
        request: wire::Request,
        body: Incoming,
        connection: Option<OnUpgrade>,
        record: &mut Option<Record>,
    ) -> Result<Reply, Refusal> {
        let mut content = self.content(body, connection).await?;
        let meter = record.as_ref().filter(|_| !content.is_empty()).map(Record::meter);
        if let Some(meter) = &meter {
            meter.add(content.whole.len());
        }
        content.meter = meter;
        // Not before: a client that is slow to send a small body must not keep a place from others.
        let (quota, gates) = (self.entered.quota(), self.entered.gates());
        let places = match quota.try_enter(gates) {
            Some(places) => places,
            // Boxed, as is whatever else is rare: the future is moved about with each request.
            None => Box::pin(quota.enter(gates, self.steps.iter())).await?,
        };
        let mut request = Some(request);
        for _ in 0..MOST_TRIES {
            let head = request.take().map_or_else(|| self.read_again(), Ok)?;
            let now = Instant::now();
            let (exchange, asked) = self.open(self.frame(head, &content, now), now).await?;
            let asking = Asking::new(exchange, asked, |sending| {
                content.begin(sending, self.limit, self.expects_continue())
            });
            match asking.answer(self.peer, &self.times).await {
                Ok(answered) => return self.answered(answered, content, places, record),
                Err(Ended::NotBegun(side)) => {
                    content.take_back(side).map_err(|_| self.refused())?;
                }
                Err(ended) => return Err(self.ended(ended)),
            }
        }
        Err(self.refused())
    }

    async fn content(
        &self,
        body: Incoming,
        connection: Option<OnUpgrade>,
    ) -> Result<Content, Refusal> {
        let content = Content::default();
        if body.is_end_stream() {
            let upgrade = connection.and_then(|connection| self.upgrade(connection));
            return Ok(Content { upgrade, ..content });
        }
        let length = body.size_hint();
        if length.lower() > self.limit {
            return Err(Refusal::BodyTooLarge { limit: self.limit });
        }
        match length.exact() {
            Some(length) if length <= SMALL && !self.expects_continue() => {
                let whole = Box::pin(body::collect_small(body, &self.times)).await?;
                Ok(Content { whole, ..content })
            }
            Some(_) | None => Ok(Content { body: Some(body), ..content }),
        }
    }

    fn upgrade(&self, connection: OnUpgrade) -> Option<Upgrade> {
        let values = |name| self.parts.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let offered = hygiene::upgrade(values(CONNECTION), values(UPGRADE))?;
        Some(Upgrade { offered, connection })
    }

    /// Whether the client waits to be told before it sends its body.
    fn expects_continue(&self) -> bool {
        let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        self.parts.version == Version::HTTP_11
            && self.parts.headers.get(EXPECT).is_some_and(expects)
    }

    /// The head once more. The first one went with a try that came to nothing.
    fn read_again(&self) -> Result<wire::Request, Refusal> {
        let mut request = self.door.read(self.parts, self.peer, self.id)?;
        self.entered.sign(&mut request);
        Ok(request)
    }

    fn frame(
        &self,
        mut request: wire::Request,
        content: &Content,
        now: Instant,
    ) -> Box<RequestFrame> {
        if let Some(upgrade) = &content.upgrade {
            request.upgrade.clone_from(&upgrade.offered);
        }
        request.expects_continue = content.body.is_some() && self.expects_continue();
        let left = self.times.total.saturating_duration_since(now).as_millis();
        Box::new(RequestFrame {
            activation: self.entered.activation().id().to_owned(),
            matches: self.matches(),
            request: Some(request),
            data: content.whole.clone(),
            end: content.body.is_none() && content.upgrade.is_none(),
            // 0 would be none.
            timeout_ms: u32::try_from(left.max(1)).unwrap_or(u32::MAX),
        })
    }

    fn matches(&self) -> Vec<wire::Match> {
        let matches = self.steps.iter().map(|endpoint| {
            let variables = endpoint.pattern.variables(self.segments);
            let variables = variables.map(|(name, value)| wire::Variable {
                name: name.to_owned(),
                value: Bytes::copy_from_slice(value),
            });
            wire::Match { endpoint_id: endpoint.id, variables: variables.collect() }
        });
        matches.collect()
    }

    /// Says when it was open, which is now unless it had to wait.
    async fn open(
        &self,
        frame: Box<RequestFrame>,
        now: Instant,
    ) -> Result<(Exchange, Instant), Refusal> {
        let backend = self.entered.activation().backend();
        let frame = match backend.try_open(self.door.worker, frame) {
            Ok(exchange) => return Ok((exchange, now)),
            Err(frame) => frame,
        };
        let patience = self.entered.quota().patience();
        let opening = Box::pin(backend.open(self.door.worker, frame, patience));
        let opened = opening.await.map_err(|error| {
            let refusal = self.fault(&error.to_string());
            match error {
                NotOpened::Full => Refusal::Full(Full::Timeout),
                NotOpened::Unreachable(_) => refusal,
            }
        });
        Ok((opened?, Instant::now()))
    }

    /// What the client gets, and who is left to see it through.
    fn answered(
        &self,
        answered: Answered,
        content: Content,
        places: Places,
        record: &mut Option<Record>,
    ) -> Result<Reply, Refusal> {
        let Answered { response: frame, receiving, mut side } = answered;
        let ResponseFrame { response, data, end, outcome } = *frame;
        let offered = content.upgrade.as_ref().map_or("", |upgrade| &upgrade.offered);
        let terms = self.terms(end.then_some(data.len()), offered);
        let Head { mut reply, length } =
            self.judge(&terms, response.unwrap_or_default(), outcome)?;
        if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some(upgrade), Side::Open(sending), false) = (content.upgrade, side, end) else {
                return Err(self.fault(&ResponseError::Upgrade.to_string()));
            };
            self.tunnel(upgrade, sending, receiving, data, self.held(places), record.take());
            return Ok(reply);
        }
        side.close();
        let has_body = !hygiene::has_no_body(reply.status().as_u16());
        let mut pulse = None;
        if has_body && end {
            *reply.body_mut() = Body::from(self.room(data)?);
        } else if has_body {
            let beat = Pulse::new();
            let stream = Stream::new(receiving, data, length, beat.clone());
            let stream = stream.map_err(|problem| self.fault(&problem))?;
            *reply.body_mut() = Body::Stream(Box::new(stream));
            pulse = Some(beat);
        }
        self.see_through(side, end, pulse, places);
        Ok(reply)
    }

    fn tunnel(
        &self,
        upgrade: Upgrade,
        sending: Sending,
        receiving: Receiving,
        first: Bytes,
        held: Held,
        record: Option<Record>,
    ) {
        let observer = self.door.observer.clone();
        let record = record.map(|mut record| {
            record.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16());
            record.tunnelled(&observer);
            record
        });
        let tunnel = Tunnel { sending, receiving, first, times: self.times, record, observer };
        let closing = self.door.tasks.closing().clone();
        self.door.tasks.spawn(tunnel.run(upgrade.connection, held, closing));
    }

    /// Leaves behind who sends the rest of the request and keeps the time of the response, if there is any of
    /// either. `end`: the response has come whole.
    fn see_through(&self, mut side: Side, end: bool, pulse: Option<Arc<Pulse>>, places: Places) {
        let is_over = pulse.is_none() && (!end || side.is_over());
        if is_over {
            return;
        }
        let pulse = pulse.unwrap_or_else(Pulse::stopped);
        self.door.tasks.spawn(watch::run(side, pulse, self.times, self.held(places)));
    }

    fn judge(
        &self,
        terms: &Terms<'_>,
        mut response: wire::Response,
        outcome: i32,
    ) -> Result<Head, Refusal> {
        match Outcome::try_from(outcome) {
            Ok(Outcome::Unspecified | Outcome::Complete | Outcome::Continue) => {}
            Ok(Outcome::Refuse) => response.status = StatusCode::UNAUTHORIZED.as_u16().into(),
            Ok(Outcome::Fail) => return Err(Refusal::Failed),
            Err(_) => return Err(self.fault("the outcome is none of Outcome's values")),
        }
        terms.judge(response).map_err(|error| self.fault(&error.to_string()))
    }

    fn terms<'a>(&'a self, whole: Option<usize>, offered: &'a str) -> Terms<'a> {
        Terms {
            prefix: &self.door.prefix,
            cookie: &self.door.cookie,
            instance: self.entered.activation().instance(),
            is_same_origin: self.entered.activation().grants().is_same_origin(),
            whole,
            is_framed: true,
            offered,
        }
    }

    /// Makes all but a small body count until the client has read it.
    fn room(&self, body: Bytes) -> Result<Bytes, Refusal> {
        if body.len() <= FREE { Ok(body) } else { self.door.bodies.hold(body) }
    }

    fn held(&self, places: Places) -> Held {
        Held { entered: self.entered.again(), _places: places, id: self.id.into() }
    }

    /// Why there is no response.
    fn ended(&self, ended: Ended) -> Refusal {
        match ended {
            Ended::Late(reason) => {
                self.fault("no response within the time of the request");
                Refusal::Late(reason)
            }
            Ended::SlowBody => Refusal::SlowBody,
            Ended::BodyTooLarge => Refusal::BodyTooLarge { limit: self.limit },
            Ended::BodyBrokenOff => body::BROKEN,
            Ended::Fault(fault) => self.fault(&fault),
            Ended::NotBegun(_) => self.refused(),
            Ended::Failed(failure) => {
                let refusal = self.fault(&describe(&failure));
                match failure {
                    Failure::Reset { code: ResetCode::Deadline, .. } => {
                        Refusal::Late(Reason::FirstByteTimeout)
                    }
                    Failure::Reset { .. }
                    | Failure::Refused
                    | Failure::Violation(_)
                    | Failure::Lost => refusal,
                }
            }
        }
    }

    /// The plugin began nothing, so whoever asks again takes no risk.
    fn refused(&self) -> Refusal {
        self.fault("it takes no more requests at a time");
        Refusal::Full(Full::Timeout)
    }

    fn fault(&self, problem: &str) -> Refusal {
        complain(self.entered.activation(), self.id, problem);
        Refusal::BadGateway
    }
}

impl Content {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.body.is_none()
    }

    /// What the host has to say in an exchange that has just begun.
    fn begin(&mut self, sending: Sending, limit: u64, expects_continue: bool) -> Side {
        match self.body.take() {
            Some(body) => {
                let meter = self.meter.take();
                Side::Upload(Box::new(Upload::new(body, sending, meter, limit, expects_continue)))
            }
            None if self.upgrade.is_some() => Side::Open(sending),
            None => Side::Complete(sending),
        }
    }

    /// For another try, if all is still there.
    fn take_back(&mut self, side: Side) -> Result<(), Gone> {
        if let Side::Upload(upload) = side {
            let (body, meter) = upload.into_untouched().ok_or(Gone)?;
            (self.body, self.meter) = (Some(body), meter);
        }
        Ok(())
    }
}

/// What counts as busy as long as a request is under way.
struct Held {
    entered: Entered,
    _places: Places,
    id: Box<str>,
}

impl Held {
    fn complain(&self, problem: &str) {
        complain(self.entered.activation(), &self.id, problem);
    }
}

/// What a plugin did to a request, for whoever reads the log.
fn describe(failure: &Failure) -> String {
    match failure {
        Failure::Reset { code, message } => {
            format!("it gave the request up: {}: {message}", code.as_str_name())
        }
        Failure::Refused => "it refused the request".to_owned(),
        Failure::Violation(violation) => format!("it broke the rules of Http.Serve: {violation}"),
        Failure::Lost => "its stream was lost".to_owned(),
    }
}
