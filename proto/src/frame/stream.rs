//! One side of one stream.
//!
//! Two tables decide everything: what a frame does to the stream (`receive.rs`) and what it does to its
//! request (`request.rs`).

mod receive;

use bytes::Bytes;

use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{
    Credit, Data, Frame, Frames, GoAway, Header, Informational, RequestFrame, Reset, ResetCode,
    ResponseFrame, Trailers,
};

use super::codec;
use super::credit::{Growth, SendCredit, Window};
use super::event::{Event, Failure, OpenError, Progress, SendError};
use super::ids::{IdMap, IdSet};
use super::queue::{EXPRESS_DATA_BYTES, Queue};
use super::request::{Kind, Request, Role, State};
use super::settings::{Limits, MAX_CREDIT_BYTES, Settings};

/// Data leaves in pieces of at most this many bytes, also where the other side would take larger ones:
/// a piece is what others have to wait for.
const CHUNK_BYTES: usize = 64 * 1024;

/// Refusals that may wait to be sent. A host that keeps to the other side's limit gets none.
const MAX_REFUSALS: u32 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The other side's Hello has not come.
    Greeting,
    Serving,
    Ended,
}

/// One side of one stream. See the [module](super) for how to use it.
#[derive(Debug)]
pub struct Stream {
    role: Role,
    ours: Settings,
    limits: Limits,
    phase: Phase,
    /// The defaults until its Hello comes.
    theirs: Settings,
    /// The highest id that was opened.
    last_id: u64,
    requests: IdMap<Request>,
    /// Requests that are over here, with frames that have not left. The plugin still counts them.
    leaving: IdSet,
    growth: Growth,
    queue: Queue,
    /// Refusals that have not left.
    refusals: u32,
    /// `last_id` of the GoAway that we sent, and of the one that came.
    sent_go_away: Option<u64>,
    received_go_away: Option<u64>,
}

impl Stream {
    /// Most data in a request frame. Requests go on the wire in the order of their ids, so a large one
    /// would hold up the ones behind it.
    pub const MAX_INLINE_BYTES: usize = EXPRESS_DATA_BYTES;

    /// A stream whose Hello waits to be sent. `ours` is moved into the limits of the format.
    pub fn new(role: Role, ours: Settings, limits: Limits) -> Self {
        let ours = ours.clamped();
        let limits = Limits { queue_bytes: limits.queue_bytes.max(1), ..limits };
        let mut queue = Queue::default();
        queue.push(codec::frame(0, Wire::Hello(ours.to_hello())));
        Self {
            role,
            ours,
            limits,
            phase: Phase::Greeting,
            theirs: Settings::default(),
            last_id: 0,
            requests: IdMap::default(),
            leaving: IdSet::default(),
            growth: Growth {
                window_bytes: limits.window_bytes.min(MAX_CREDIT_BYTES),
                bytes: limits.growth_bytes,
            },
            queue,
            refusals: 0,
            sent_go_away: None,
            received_go_away: None,
        }
    }

    /// Which side this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the other side can take; the defaults until its Hello has come.
    pub fn theirs(&self) -> Settings {
        self.theirs
    }

    /// Requests that are open, as this side sees it.
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Whether the request is open, as this side sees it.
    pub fn is_open(&self, id: u64) -> bool {
        self.requests.contains_key(&id)
    }

    /// Whether this side's message of the request is not complete.
    pub fn is_sending(&self, id: u64) -> bool {
        self.requests.get(&id).is_some_and(|request| request.state.goes_on(self.role))
    }

    /// Whether a side sent GoAway, every request has ended and everything is sent.
    pub fn is_drained(&self) -> bool {
        let goes_away = self.sent_go_away.is_some() || self.received_go_away.is_some();
        goes_away && self.requests.is_empty() && self.queue.is_empty()
    }

    /// Whether [`Stream::take_message`] has something to give.
    pub fn has_message(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next message to write. Take one whenever the transport can take one, and no sooner: what
    /// waits here can still be overtaken or dropped, what waits there can't.
    pub fn take_message(&mut self) -> Option<Frames> {
        let message = self.queue.take(self.limits.message_bytes)?;
        for frame in &message.frames {
            if !self.queue.has_bulk(frame.id) {
                self.leaving.remove(&frame.id);
            }
            self.refusals -= u32::from(is_refusal(frame));
        }
        Some(message)
    }

    /// The stream is gone: fails what is open. Requests whose first frame was not given to the transport are
    /// [`Failure::Refused`], since the plugin can't have begun them.
    pub fn end(&mut self, events: &mut Vec<Event>) {
        self.phase = Phase::Ended;
        // They leave in the order of their ids.
        let first_unsent = self.queue.first_request().unwrap_or(u64::MAX);
        self.queue.clear();
        self.leaving.clear();
        let mut ids: Vec<u64> = self.requests.drain().map(|(id, _)| id).collect();
        ids.sort_unstable();
        events.extend(ids.into_iter().map(|id| {
            let failure = if id < first_unsent { Failure::Lost } else { Failure::Refused };
            Event::Failed { id, failure }
        }));
    }

    /// At the host: opens a request. Gives its id.
    ///
    /// The frame may carry a body of up to [`Stream::MAX_INLINE_BYTES`], then with `end`; the rest of a
    /// longer one goes by [`Stream::send`].
    pub fn open(&mut self, request: impl Into<Box<RequestFrame>>) -> Result<u64, OpenError> {
        let request = request.into();
        self.may_open()?;
        if Self::MAX_INLINE_BYTES < request.data.len() {
            return Err(OpenError::TooMuchData);
        }
        self.last_id += 1;
        self.insert(self.last_id, request.end);
        self.queue.push(codec::frame(self.last_id, Wire::Request(request)));
        Ok(self.last_id)
    }

    /// Whether [`Stream::open`] would open a request now.
    pub fn may_open(&self) -> Result<(), OpenError> {
        debug_assert_eq!(self.role, Role::Host, "a plugin opens no requests");
        match self.phase {
            Phase::Greeting => return Err(OpenError::NotReady),
            Phase::Ended => return Err(OpenError::Ended),
            Phase::Serving => {}
        }
        if self.sent_go_away.is_some() || self.received_go_away.is_some() {
            return Err(OpenError::GoingAway);
        }
        let open = self.requests.len() + self.leaving.len();
        if self.theirs.max_concurrent_requests as usize <= open {
            return Err(OpenError::Full);
        }
        Ok(())
    }

    /// At the plugin: sends a 1xx response before the final one.
    pub fn inform(&mut self, id: u64, informational: Informational) -> Result<(), SendError> {
        self.advance(id, Kind::Informational)?;
        if let Some(request) = self.requests.get_mut(&id) {
            request
                .inform(informational.status)
                .map_err(|_| SendError::Illegal("not a 1xx response, 101, or too many of them"))?;
        }
        self.queue.push(codec::frame(id, Wire::Informational(informational)));
        Ok(())
    }

    /// At the plugin: begins the final response.
    ///
    /// The frame may carry a body of up to the host's `max_data_bytes`, then with `end`; the rest of a
    /// longer one goes by [`Stream::send`].
    pub fn respond(
        &mut self,
        id: u64,
        response: impl Into<Box<ResponseFrame>>,
    ) -> Result<(), SendError> {
        let response = response.into();
        if (self.theirs.max_data_bytes as usize) < response.data.len() {
            return Err(SendError::Illegal("too much data in the response frame"));
        }
        self.advance(id, Kind::Response { end: response.end })?;
        self.queue.push(codec::frame(id, Wire::Response(response)));
        self.forget_if_over(id);
        Ok(())
    }

    /// Sends as much of `data` as may go now, and leaves the rest in it. `end` goes with the last byte.
    pub fn send(&mut self, id: u64, data: &mut Bytes, end: bool) -> Result<Progress, SendError> {
        loop {
            if data.is_empty() && !end {
                return Ok(Progress::Done);
            }
            let request = self.requests.get(&id).ok_or(SendError::Over)?;
            let largest = CHUNK_BYTES.min(self.theirs.max_data_bytes as usize);
            let length = data.len().min(largest).min(request.credit.left());
            if length == 0 && !data.is_empty() {
                return Ok(Progress::NeedsCredit);
            }
            if length != 0 && self.limits.queue_bytes <= self.queue.bytes_before(id, length) {
                return Ok(Progress::NeedsRoom);
            }
            let is_last = length == data.len();
            self.send_piece(id, data.split_to(length), is_last && end)?;
            if is_last {
                return Ok(Progress::Done);
            }
        }
    }

    fn send_piece(&mut self, id: u64, data: Bytes, end: bool) -> Result<(), SendError> {
        self.advance(id, Kind::Data { end })?;
        if let Some(request) = self.requests.get_mut(&id) {
            request.credit.spend(data.len());
        }
        self.queue.push(codec::frame(id, Wire::Data(Data { data, end })));
        self.forget_if_over(id);
        Ok(())
    }

    /// Ends this side's message.
    pub fn send_trailers(&mut self, id: u64, headers: Vec<Header>) -> Result<(), SendError> {
        self.advance(id, Kind::Trailers)?;
        self.queue.push(codec::frame(id, Wire::Trailers(Trailers { headers })));
        self.forget_if_over(id);
        Ok(())
    }

    /// The application has taken `bytes` of what [`Event::Data`] brought: the other side may send more.
    pub fn take_data(&mut self, id: u64, bytes: usize) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        if !request.state.goes_on(self.role.other()) {
            return;
        }
        if let Some(bytes) = request.window.take(bytes, &mut self.growth) {
            self.queue.push(codec::frame(id, Wire::Credit(Credit { bytes })));
        }
    }

    /// Ends the request in both directions. Nothing happens if it is over already.
    ///
    /// A plugin that has completed its response only says that it wants no more of the request: what it
    /// has sent still arrives.
    pub fn reset(&mut self, id: u64, code: ResetCode, message: &str) {
        let Some(state) = self.requests.get(&id).map(|request| request.state) else { return };
        self.remove(id);
        if self.role == Role::Host || state != State::Answered {
            self.queue.drop_bulk(id);
        }
        self.push_reset(id, code, message);
    }

    /// Takes up, or opens, no more requests. Those that are open go on.
    pub fn go_away(&mut self, message: &str) {
        if self.sent_go_away.is_some() || self.phase == Phase::Ended {
            return;
        }
        self.sent_go_away = Some(self.last_id);
        let go_away = GoAway { last_id: self.last_id, message: codec::clip(message) };
        self.queue.push(codec::frame(0, Wire::GoAway(go_away)));
    }

    /// Takes a frame of our own into account.
    fn advance(&mut self, id: u64, kind: Kind) -> Result<(), SendError> {
        let request = self.requests.get_mut(&id).ok_or(SendError::Over)?;
        request
            .step(self.role, kind)
            .map_err(|_| SendError::Illegal("not in this state of the request"))
    }

    fn insert(&mut self, id: u64, end: bool) {
        let credit = SendCredit::new(self.theirs.initial_credit_bytes);
        let window = Window::new(self.ours.initial_credit_bytes);
        self.requests.insert(id, Request::new(end, credit, window));
    }

    fn forget_if_over(&mut self, id: u64) {
        if self.requests.get(&id).is_some_and(|request| request.state == State::Over) {
            self.remove(id);
            // A request opened now could overtake the end of this one.
            if self.role == Role::Host && self.queue.has_bulk(id) {
                self.leaving.insert(id);
            }
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(request) = self.requests.remove(&id) {
            request.window.close(&mut self.growth);
        }
    }

    fn push_reset(&mut self, id: u64, code: ResetCode, message: &str) {
        let reset = Reset { code: code.into(), message: codec::clip(message) };
        let frame = codec::frame(id, Wire::Reset(reset));
        self.refusals += u32::from(is_refusal(&frame));
        self.queue.push(frame);
    }
}

fn is_refusal(frame: &Frame) -> bool {
    matches!(&frame.kind, Some(Wire::Reset(reset)) if reset.code() == ResetCode::Refused)
}
