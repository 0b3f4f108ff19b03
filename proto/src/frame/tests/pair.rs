//! Two machines back to back, applications on both ends, and any schedule.
//!
//! Whatever the order of things, nothing deadlocks, nobody breaks a rule, and every body arrives as it
//! was sent.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use crate::frame::{
    Event, Failure, Limits, OpenError, Progress, Role, SendError, Settings, Stream,
};
use crate::plugin::v1::{Frames, Informational, RequestFrame, ResetCode, ResponseFrame};

/// What is to happen in one request.
#[derive(Clone, Debug)]
struct Plan {
    request: Body,
    response: Body,
    informational: usize,
    /// The plugin answers without waiting for the end of the request.
    answers_early: bool,
    /// Who gives up, after so many turns of its application.
    gives_up: Option<(Role, usize)>,
}

#[derive(Clone, Debug)]
struct Body {
    length: usize,
    /// In the head.
    inline: usize,
    has_trailers: bool,
}

/// One end of one request.
#[derive(Debug)]
struct Exchange {
    plan: Plan,
    outgoing: Outgoing,
    incoming: Incoming,
    turns: usize,
    is_over: bool,
}

#[derive(Debug)]
struct Outgoing {
    rest: Bytes,
    has_begun: bool,
    has_ended: bool,
    has_trailers: bool,
}

#[derive(Debug, Default)]
struct Incoming {
    received: usize,
    /// Arrived and not taken.
    held: usize,
    has_ended: bool,
}

struct Side {
    role: Role,
    stream: Stream,
    exchanges: BTreeMap<u64, Exchange>,
    /// On the way to this side.
    wire: VecDeque<Frames>,
}

struct World {
    host: Side,
    plugin: Side,
    plans: VecDeque<Plan>,
    opened: Vec<Plan>,
    refused: usize,
}

/// Messages that the transport holds.
const WIRE: usize = 3;

/// A body whose every byte says where it belongs.
fn body(id: u64, from: Role, length: usize) -> Bytes {
    (0..length).map(|at| byte(id, from, at)).collect()
}

fn byte(id: u64, from: Role, at: usize) -> u8 {
    let salt = if from == Role::Host { 7 } else { 131 };
    u8::try_from((at + at / 251 + usize::try_from(id).unwrap() * salt) % 256).unwrap()
}

impl Exchange {
    fn new(id: u64, role: Role, plan: Plan) -> Self {
        let mine = if role == Role::Host { &plan.request } else { &plan.response };
        let outgoing = Outgoing {
            rest: body(id, role, mine.length),
            has_begun: false,
            has_ended: false,
            has_trailers: mine.has_trailers,
        };
        Self { plan, outgoing, incoming: Incoming::default(), turns: 0, is_over: false }
    }

    fn receive(&mut self, id: u64, from: Role, data: &Bytes, end: bool) {
        for byte_received in data {
            assert_eq!(*byte_received, byte(id, from, self.incoming.received), "request {id}");
            self.incoming.received += 1;
        }
        assert!(!self.incoming.has_ended);
        self.incoming.has_ended = end;
    }

    fn is_complete(&self) -> bool {
        self.is_over || self.outgoing.has_ended && self.incoming.has_ended
    }
}

impl Side {
    fn new(role: Role, settings: Settings, limits: Limits) -> Self {
        let stream = Stream::new(role, settings, limits);
        Self { role, stream, exchanges: BTreeMap::new(), wire: VecDeque::new() }
    }

    fn other(&self) -> Role {
        self.role.other()
    }

    /// One turn of the application with one request. True: something came of it.
    fn turn(&mut self, id: u64) -> bool {
        let stream = &mut self.stream;
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        if exchange.is_complete() {
            return false;
        }
        exchange.turns += 1;
        if exchange.plan.gives_up == Some((self.role, exchange.turns)) {
            stream.reset(id, ResetCode::Cancelled, "as planned");
            exchange.is_over = true;
            return true;
        }
        if self.role == Role::Plugin && !exchange.outgoing.has_begun {
            if !exchange.plan.answers_early && !exchange.incoming.has_ended {
                return false;
            }
            begin_response(stream, id, exchange);
            return true;
        }
        send_on(stream, id, &mut exchange.outgoing)
    }

    /// The application takes half of what it holds, or the last byte.
    fn take(&mut self, id: u64) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        if exchange.incoming.held == 0 || exchange.is_over {
            return false;
        }
        let bytes = exchange.incoming.held.div_ceil(2);
        exchange.incoming.held -= bytes;
        self.stream.take_data(id, bytes);
        true
    }

    fn receive(&mut self, message: Frames) -> Vec<Event> {
        let mut events = Vec::new();
        self.stream.receive(message, &mut events);
        events
    }
}

fn begin_response(stream: &mut Stream, id: u64, exchange: &mut Exchange) {
    for _ in 0..exchange.plan.informational {
        stream.inform(id, Informational { status: 103, headers: Vec::new() }).unwrap();
    }
    let outgoing = &mut exchange.outgoing;
    let plan = &exchange.plan.response;
    let data = outgoing.rest.split_to(plan.inline.min(plan.length));
    let end = outgoing.rest.is_empty() && !plan.has_trailers;
    outgoing.has_begun = true;
    outgoing.has_ended = end;
    stream.respond(id, ResponseFrame { data, end, ..ResponseFrame::default() }).unwrap();
}

fn send_on(stream: &mut Stream, id: u64, outgoing: &mut Outgoing) -> bool {
    if outgoing.has_ended {
        return false;
    }
    let before = outgoing.rest.len();
    match stream.send(id, &mut outgoing.rest, !outgoing.has_trailers) {
        Ok(Progress::Done) if outgoing.has_trailers => {
            stream.send_trailers(id, Vec::new()).unwrap();
            outgoing.has_ended = true;
        }
        Ok(Progress::Done) => outgoing.has_ended = true,
        Ok(Progress::NeedsCredit | Progress::NeedsRoom) => {}
        Err(SendError::Over) => return false,
        Err(SendError::Illegal(why)) => panic!("{why}"),
    }
    outgoing.has_ended || outgoing.rest.len() < before
}

impl World {
    fn new(plans: Vec<Plan>, concurrent: u32, limits: Limits) -> Self {
        let settings = Settings { max_concurrent_requests: concurrent, ..Settings::default() };
        Self {
            host: Side::new(Role::Host, Settings::default(), limits),
            plugin: Side::new(Role::Plugin, settings, limits),
            plans: plans.into(),
            opened: Vec::new(),
            refused: 0,
        }
    }

    fn open(&mut self) -> bool {
        let Some(plan) = self.plans.front().cloned() else { return false };
        match self.host.stream.may_open() {
            Ok(()) => {}
            Err(OpenError::NotReady | OpenError::Full) => return false,
            Err(error) => panic!("{error}"),
        }
        let id = u64::try_from(self.opened.len()).unwrap() + 1;
        let mut exchange = Exchange::new(id, Role::Host, plan.clone());
        let inline = plan.request.inline.min(plan.request.length).min(Stream::MAX_INLINE_BYTES);
        let data = exchange.outgoing.rest.split_to(inline);
        let end = exchange.outgoing.rest.is_empty() && !plan.request.has_trailers;
        exchange.outgoing.has_ended = end;
        let request = RequestFrame { data, end, ..RequestFrame::default() };
        assert_eq!(self.host.stream.open(request), Ok(id));
        self.host.exchanges.insert(id, exchange);
        self.opened.push(plan);
        self.plans.pop_front();
        true
    }

    fn write(&mut self, role: Role) -> bool {
        let (from, to) = match role {
            Role::Host => (&mut self.host, &mut self.plugin),
            Role::Plugin => (&mut self.plugin, &mut self.host),
        };
        if WIRE <= to.wire.len() {
            return false;
        }
        let message = from.stream.take_message();
        to.wire.extend(message.clone());
        message.is_some()
    }

    fn deliver(&mut self, role: Role) -> bool {
        let side = self.side(role);
        let Some(message) = side.wire.pop_front() else { return false };
        for event in side.receive(message) {
            self.happen(role, event);
        }
        true
    }

    fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Host => &mut self.host,
            Role::Plugin => &mut self.plugin,
        }
    }

    fn happen(&mut self, role: Role, event: Event) {
        let from = self.side(role).other();
        match event {
            Event::Ready(_) | Event::Credit { .. } | Event::Informed { .. } => {}
            Event::Opened { id, request } => {
                assert_eq!(role, Role::Plugin);
                let plan = self.opened[usize::try_from(id).unwrap() - 1].clone();
                let mut exchange = Exchange::new(id, role, plan);
                exchange.receive(id, from, &request.data, request.end);
                self.plugin.exchanges.insert(id, exchange);
            }
            Event::Responded { id, response } => {
                self.exchange(role, id).receive(id, from, &response.data, response.end);
            }
            Event::Data { id, data, end } => {
                let exchange = self.exchange(role, id);
                exchange.receive(id, from, &data, end);
                exchange.incoming.held += data.len();
            }
            Event::Trailers { id, .. } => {
                self.exchange(role, id).receive(id, from, &Bytes::new(), true);
            }
            Event::Failed { id, failure: Failure::Reset { code, .. } } => {
                assert_eq!(code, ResetCode::Cancelled, "request {id}");
                let exchange = self.exchange(role, id);
                assert!(exchange.plan.gives_up.is_some_and(|(who, _)| who == from));
                exchange.is_over = true;
            }
            Event::Stopped { id } => {
                let exchange = self.exchange(role, id);
                assert!(exchange.incoming.has_ended, "the response is complete");
                exchange.is_over = true;
            }
            Event::Failed { id, failure: Failure::Refused } => {
                self.refused += 1;
                self.exchange(role, id).is_over = true;
            }
            event @ (Event::Failed { .. } | Event::GoAway { .. } | Event::Broken(_)) => {
                panic!("{role:?}: {event:?}")
            }
        }
    }

    fn exchange(&mut self, role: Role, id: u64) -> &mut Exchange {
        self.side(role).exchanges.get_mut(&id).expect("an open request")
    }

    /// One step of the schedule. True: something came of it.
    fn step(&mut self, choice: u16) -> bool {
        let role = if choice & 1 == 0 { Role::Host } else { Role::Plugin };
        let ids: Vec<u64> = self.side(role).exchanges.keys().copied().collect();
        let id = ids.get(usize::from(choice >> 4) % ids.len().max(1)).copied().unwrap_or(0);
        match (choice >> 1) & 7 {
            0 => self.open(),
            1 | 2 => self.write(role),
            3 | 4 => self.deliver(role),
            5 | 6 => self.side(role).turn(id),
            _ => self.side(role).take(id),
        }
    }

    /// Everyone does what they can, until nobody can.
    fn settle(&mut self) {
        loop {
            let mut progress = self.open();
            for role in [Role::Host, Role::Plugin] {
                let ids: Vec<u64> = self.side(role).exchanges.keys().copied().collect();
                for id in ids {
                    progress |= self.side(role).turn(id);
                    progress |= self.side(role).take(id);
                }
                progress |= self.write(role);
                progress |= self.deliver(role);
            }
            if !progress {
                return;
            }
        }
    }

    fn check_end(&self) {
        assert!(self.plans.is_empty(), "{} requests were never opened", self.plans.len());
        assert_eq!(self.refused, 0, "the host kept to the maximum");
        for side in [&self.host, &self.plugin] {
            assert_eq!(side.stream.open_requests(), 0, "{:?}", side.role);
            assert!(!side.stream.has_message());
            for (id, exchange) in &side.exchanges {
                assert!(exchange.is_complete(), "{:?}: {id}: {exchange:?}", side.role);
                let plan = &exchange.plan;
                let theirs = if side.role == Role::Host { &plan.response } else { &plan.request };
                let received = exchange.incoming.received;
                let ended = exchange.incoming.has_ended;
                assert!(received == theirs.length || !ended, "{id}: {received} bytes");
                assert!(ended || exchange.is_over);
            }
        }
    }
}

fn bodies() -> impl Strategy<Value = Body> {
    let lengths = prop_oneof![Just(0_usize), 1_usize..100, 4000_usize..5000, 0_usize..200_000];
    (lengths, prop_oneof![Just(0_usize), Just(4096), Just(65_536)], any::<bool>())
        .prop_map(|(length, inline, has_trailers)| Body { length, inline, has_trailers })
}

fn plans() -> impl Strategy<Value = Plan> {
    let gives_up = prop_oneof![
        6 => Just(None),
        1 => (1_usize..6).prop_map(|turn| Some((Role::Host, turn))),
        1 => (1_usize..6).prop_map(|turn| Some((Role::Plugin, turn))),
    ];
    (bodies(), bodies(), 0_usize..3, any::<bool>(), gives_up).prop_map(
        |(request, response, informational, answers_early, gives_up)| Plan {
            request,
            response,
            informational,
            answers_early,
            gives_up,
        },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    let queue = prop_oneof![Just(0_usize), Just(10_000), Just(1024 * 1024)];
    let message = prop_oneof![Just(0_usize), Just(20_000), Just(128 * 1024)];
    let window = prop_oneof![Just(0_u32), Just(100_000), Just(256 * 1024)];
    (queue, message, window, 0_u32..200_000).prop_map(
        |(queue_bytes, message_bytes, window_bytes, growth_bytes)| Limits {
            window_bytes,
            growth_bytes,
            queue_bytes,
            message_bytes,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_schedule_brings_every_body_over(
        plans in prop::collection::vec(plans(), 1..12),
        concurrent in 1_u32..6,
        limits in limits(),
        schedule in prop::collection::vec(any::<u16>(), 0..400),
    ) {
        let mut world = World::new(plans, concurrent, limits);
        for choice in schedule {
            world.step(choice);
        }
        world.settle();
        world.check_end();
    }
}

/// 40 uploads that nobody reads, and a request that does not notice.
#[test]
fn unread_uploads_hold_up_nobody_else() {
    let (mut host, mut plugin) = super::greeted(256);
    for _ in 0..40 {
        let id = host.open(super::request("", false)).unwrap();
        let mut body = Bytes::from(vec![b'x'; 1024 * 1024]);
        while let Ok(Progress::NeedsRoom) = host.send(id, &mut body, true) {
            super::carry(&mut host, &mut plugin);
        }
        assert_eq!(host.send(id, &mut body, true), Ok(Progress::NeedsCredit));
        assert_eq!(body.len(), 1024 * 1024 - 64 * 1024, "the credit, and no more");
    }
    let id = host.open(super::request("ping", true)).unwrap();
    super::carry(&mut host, &mut plugin);
    plugin.respond(id, super::response("pong", true)).unwrap();
    let events = super::carry(&mut plugin, &mut host);
    assert!(matches!(events.as_slice(), [Event::Responded { .. }]), "{events:?}");
}
