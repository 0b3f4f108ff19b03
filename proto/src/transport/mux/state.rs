//! What the halves of all requests of a stream share.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::frame::ids::IdMap;
use crate::frame::{self, Event, Failure, Malformed, OpenError, Progress, Role, SendError};
use crate::plugin::v1::{Frames, Header, Informational, RequestFrame, ResetCode, ResponseFrame};

/// A piece of the message that a [`Receiving`](super::Receiving) receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// At the host: comes before the response.
    Informational(Informational),
    /// At the host: the response, with the beginning of its body or all of it.
    Response(Box<ResponseFrame>),
    /// A piece of the body; never empty.
    Data(Bytes),
    /// The last part, where the message ends with trailers.
    Trailers(Vec<Header>),
}

/// Everything behind the lock.
pub(super) struct State {
    pub(super) stream: frame::Stream,
    slots: IdMap<Slot>,
    /// The transport, while there is nothing to write.
    writer: Option<Waker>,
    /// Requests whose senders found the queue full, in their order.
    cramped: VecDeque<u64>,
    /// Those who wait to open a request.
    pub(super) waiting: usize,
    has_ended: bool,
}

/// What is known of a request as long as one of its halves lives.
struct Slot {
    parts: Parts,
    /// All parts of the message have arrived.
    is_complete: bool,
    /// The request ended early.
    failure: Option<Failure>,
    /// The other side wants no more of the message that is sent.
    is_stopped: bool,
    /// How many of the halves live.
    halves: u8,
    /// The receiving half is gone: what still arrives is dropped, and no credit is given for it.
    is_unread: bool,
    /// It is among those that wait for room in the queue.
    is_cramped: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    over: Option<Waker>,
}

/// Parts that have arrived and are not taken. Mostly there is one, which then costs no allocation.
#[derive(Default)]
struct Parts {
    first: Option<Part>,
    rest: VecDeque<Part>,
}

/// Those to be woken, once the lock is free.
#[derive(Default)]
pub(super) struct Wakers(Vec<Waker>);

/// What a message did, besides what the requests learn by themselves.
pub(super) struct Received {
    pub(super) has_changed: bool,
    pub(super) broken: Option<Malformed>,
}

impl Wakers {
    fn add(&mut self, waker: &mut Option<Waker>) {
        self.0.extend(waker.take());
    }

    pub(super) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Parts {
    fn push(&mut self, part: Part) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(part);
        } else {
            self.rest.push_back(part);
        }
    }

    fn pop(&mut self) -> Option<Part> {
        self.first.take().or_else(|| self.rest.pop_front())
    }
}

impl Slot {
    fn new(is_complete: bool) -> Self {
        Self {
            parts: Parts::default(),
            is_complete,
            failure: None,
            is_stopped: false,
            halves: 2,
            is_unread: false,
            is_cramped: false,
            receiver: None,
            sender: None,
            over: None,
        }
    }

    fn push(&mut self, part: Part, end: bool, wakers: &mut Wakers) {
        if !self.is_unread {
            self.parts.push(part);
        }
        self.complete(end, wakers);
    }

    fn complete(&mut self, end: bool, wakers: &mut Wakers) {
        self.is_complete |= end;
        wakers.add(&mut self.receiver);
    }

    fn fail(&mut self, failure: Failure, wakers: &mut Wakers) {
        self.failure.get_or_insert(failure);
        wakers.add(&mut self.receiver);
        wakers.add(&mut self.sender);
        wakers.add(&mut self.over);
    }
}

impl State {
    pub(super) fn new(stream: frame::Stream) -> Self {
        Self {
            stream,
            slots: IdMap::default(),
            writer: None,
            cramped: VecDeque::new(),
            waiting: 0,
            has_ended: false,
        }
    }

    pub(super) fn may_open(&self) -> Result<(), OpenError> {
        self.stream.may_open()
    }

    pub(super) fn writer_to_wake(&mut self) -> Option<Waker> {
        if self.stream.has_message() || self.is_over() { self.writer.take() } else { None }
    }

    pub(super) fn has_room_for_who_waits(&self) -> bool {
        self.waiting != 0 && self.may_open().is_ok()
    }

    /// Nothing more will be written. A plugin leaves it to the host to end a stream that has drained.
    fn is_over(&self) -> bool {
        self.has_ended || (self.stream.role() == Role::Host && self.stream.is_drained())
    }

    /// The next message for the transport, or nothing any more.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        wakers: &mut Wakers,
    ) -> Poll<Option<Frames>> {
        if let Some(message) = self.stream.take_message() {
            self.wake_cramped(wakers);
            return Poll::Ready(Some(message));
        }
        if self.is_over() {
            return Poll::Ready(None);
        }
        remember(&mut self.writer, cx);
        Poll::Pending
    }

    pub(super) fn open(
        &mut self,
        request: Box<RequestFrame>,
    ) -> Result<u64, (OpenError, Box<RequestFrame>)> {
        if let Err(error) = self.stream.may_open() {
            return Err((error, request));
        }
        if frame::Stream::MAX_INLINE_BYTES < request.data.len() {
            return Err((OpenError::TooMuchData, request));
        }
        let id = self.stream.open(request).expect("it was asked whether it may be opened");
        self.slots.insert(id, Slot::new(false));
        Ok(id)
    }

    pub(super) fn receive(
        &mut self,
        message: Frames,
        events: &mut Vec<Event>,
        wakers: &mut Wakers,
        arrived: &mut Vec<(u64, Box<RequestFrame>)>,
    ) -> Received {
        self.stream.receive(message, events);
        let mut received = Received { has_changed: false, broken: None };
        for event in events.drain(..) {
            match event {
                Event::Ready(_) | Event::GoAway { .. } => received.has_changed = true,
                Event::Broken(malformed) => received.broken = Some(malformed),
                Event::Opened { id, request } => {
                    self.slots.insert(id, Slot::new(request.end));
                    arrived.push((id, request));
                }
                event => self.apply(event, wakers),
            }
        }
        received
    }

    /// An event of one request. It has no slot if both of its halves are gone.
    fn apply(&mut self, event: Event, wakers: &mut Wakers) {
        match event {
            Event::Responded { id, response } => {
                let end = response.end;
                self.push(id, Part::Response(response), end, wakers);
            }
            Event::Informed { id, informational } => {
                self.push(id, Part::Informational(informational), false, wakers);
            }
            Event::Data { id, data, end } if data.is_empty() => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.complete(end, wakers);
                }
            }
            Event::Data { id, data, end } => self.push(id, Part::Data(data), end, wakers),
            Event::Trailers { id, headers } => {
                self.push(id, Part::Trailers(headers), true, wakers);
            }
            Event::Credit { id } => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    wakers.add(&mut slot.sender);
                }
            }
            Event::Stopped { id } => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.is_stopped = true;
                    wakers.add(&mut slot.sender);
                    wakers.add(&mut slot.over);
                }
            }
            Event::Failed { id, failure } => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.fail(failure, wakers);
                }
            }
            Event::Ready(_) | Event::Opened { .. } | Event::GoAway { .. } | Event::Broken(_) => {}
        }
    }

    fn push(&mut self, id: u64, part: Part, end: bool, wakers: &mut Wakers) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.push(part, end, wakers);
        }
    }

    pub(super) fn end(&mut self, wakers: &mut Wakers) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let mut events = Vec::new();
        self.stream.end(&mut events);
        for event in events {
            self.apply(event, wakers);
        }
        self.cramped.clear();
    }

    fn wake_cramped(&mut self, wakers: &mut Wakers) {
        for id in self.cramped.drain(..) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.is_cramped = false;
                wakers.add(&mut slot.sender);
            }
        }
    }

    pub(super) fn poll_part(
        &mut self,
        id: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Part, Failure>>> {
        let Some(slot) = self.slots.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(part) = slot.parts.pop() {
            if let Part::Data(data) = &part {
                self.stream.take_data(id, data.len());
            }
            return Poll::Ready(Some(Ok(part)));
        }
        if slot.is_complete {
            return Poll::Ready(None);
        }
        if let Some(failure) = &slot.failure {
            return Poll::Ready(Some(Err(failure.clone())));
        }
        remember(&mut slot.receiver, cx);
        Poll::Pending
    }

    pub(super) fn poll_send(
        &mut self,
        id: u64,
        cx: &mut Context<'_>,
        data: &mut Bytes,
        end: bool,
    ) -> Poll<Result<(), SendError>> {
        let Some(slot) = self.slots.get_mut(&id) else { return Poll::Ready(Err(SendError::Over)) };
        match self.stream.send(id, data, end) {
            Ok(Progress::Done) => Poll::Ready(Ok(())),
            Ok(Progress::NeedsCredit) => {
                remember(&mut slot.sender, cx);
                Poll::Pending
            }
            Ok(Progress::NeedsRoom) => {
                remember(&mut slot.sender, cx);
                if !slot.is_cramped {
                    slot.is_cramped = true;
                    self.cramped.push_back(id);
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    pub(super) fn poll_over(&mut self, id: u64, cx: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = self.slots.get_mut(&id) else { return Poll::Ready(()) };
        if slot.is_stopped || slot.failure.is_some() || !self.stream.is_open(id) {
            return Poll::Ready(());
        }
        remember(&mut slot.over, cx);
        Poll::Pending
    }

    /// This side's message is complete. A plugin that has answered says so if it leaves the rest of the
    /// request unread.
    pub(super) fn completed(&mut self, id: u64) {
        if self.stream.role() == Role::Plugin && self.slots.get(&id).is_some_and(|it| it.is_unread)
        {
            self.stream.reset(id, ResetCode::Cancelled, UNREAD);
        }
    }

    pub(super) fn reset(&mut self, id: u64, code: ResetCode, message: &str, wakers: &mut Wakers) {
        if !self.stream.is_open(id) {
            return;
        }
        self.stream.reset(id, code, message);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.fail(Failure::Reset { code, message: message.to_owned() }, wakers);
        }
    }

    /// The receiving half is gone before its message has ended.
    pub(super) fn leave_unread(&mut self, id: u64, has_answered: bool, wakers: &mut Wakers) {
        match self.stream.role() {
            Role::Host => self.reset(id, ResetCode::Cancelled, "", wakers),
            Role::Plugin if has_answered => self.stream.reset(id, ResetCode::Cancelled, UNREAD),
            Role::Plugin => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.is_unread = true;
                    slot.parts = Parts::default();
                }
            }
        }
    }

    /// Whether this side's message is complete.
    pub(super) fn has_sent_all(&self, id: u64) -> bool {
        !self.stream.is_sending(id)
    }

    /// Whether the other side's message has arrived whole.
    pub(super) fn has_received_all(&self, id: u64) -> bool {
        self.slots.get(&id).is_none_or(|slot| slot.is_complete)
    }

    /// A half is gone.
    pub(super) fn release(&mut self, id: u64) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.halves -= 1;
            if slot.halves == 0 {
                self.slots.remove(&id);
            }
        }
    }
}

/// For logs.
const UNREAD: &str = "the rest of the request is not read";

fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
