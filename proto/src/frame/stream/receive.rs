//! What arrives.

use crate::plugin::v1::{Data, Frame, Frames, GoAway, RequestFrame, Reset, ResetCode, Trailers};

use super::{MAX_REFUSALS, Phase, Stream};
use crate::frame::codec::{self, Malformed, Parsed, Part};
use crate::frame::event::{Event, Failure};
use crate::frame::request::{Kind, Request, Role, State, Violation};
use crate::frame::settings::Settings;

impl Stream {
    /// Takes in a message, and appends what it means to `events`.
    pub fn receive(&mut self, message: Frames, events: &mut Vec<Event>) {
        for frame in message.frames {
            if let Err(malformed) = self.receive_frame(frame, events) {
                self.end(events);
                events.push(Event::Broken(malformed));
            }
        }
    }

    fn receive_frame(&mut self, frame: Frame, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        let parsed = codec::parse(frame, self.ours.max_data_bytes)?;
        match (self.phase, parsed) {
            (Phase::Greeting, Parsed::Hello(hello)) => {
                self.theirs = Settings::from_hello(&hello)?;
                self.phase = Phase::Serving;
                events.push(Event::Ready(self.theirs));
            }
            (
                Phase::Greeting,
                Parsed::GoAway(_) | Parsed::Request { .. } | Parsed::Part { .. } | Parsed::Unknown,
            ) => return Err(Malformed::FirstIsNotHello),
            (Phase::Serving, Parsed::Hello(_)) => return Err(Malformed::SecondHello),
            (Phase::Serving, Parsed::GoAway(go_away)) => self.receive_go_away(&go_away, events),
            (Phase::Serving, Parsed::Request { id, request }) => {
                self.receive_request(id, request, events)?;
            }
            (Phase::Serving, Parsed::Part { id, part }) => self.receive_part(id, part, events)?,
            (Phase::Serving, Parsed::Unknown)
            | (
                Phase::Ended,
                Parsed::Hello(_)
                | Parsed::GoAway(_)
                | Parsed::Request { .. }
                | Parsed::Part { .. }
                | Parsed::Unknown,
            ) => {}
        }
        Ok(())
    }

    fn receive_go_away(&mut self, go_away: &GoAway, events: &mut Vec<Event>) {
        // A promise can't be taken back: a second GoAway may lower the id and not raise it.
        let last = self.received_go_away.map_or(go_away.last_id, |last| last.min(go_away.last_id));
        self.received_go_away = Some(last);
        events.push(Event::GoAway { message: codec::clip(&go_away.message) });
        if self.role == Role::Host {
            self.give_up_above(last, events);
        }
    }

    fn give_up_above(&mut self, last: u64, events: &mut Vec<Event>) {
        let mut ids: Vec<u64> = self.requests.keys().copied().filter(|&id| last < id).collect();
        ids.sort_unstable();
        for id in ids {
            self.fail(id, Failure::Refused, events);
        }
    }

    fn receive_request(
        &mut self,
        id: u64,
        request: Box<RequestFrame>,
        events: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if self.role == Role::Host {
            return self.receive_request_at_host(id, request.end, events);
        }
        if id <= self.last_id {
            return Err(Malformed::IdGoesBackwards { id, last: self.last_id });
        }
        if let Some(last) = self.received_go_away.filter(|&last| last < id) {
            return Err(Malformed::AfterGoAway { id, last });
        }
        self.last_id = id;
        if self.sent_go_away.is_some() {
            // The host learns from our GoAway that this one was not taken up.
            return Ok(());
        }
        if self.ours.max_concurrent_requests as usize <= self.requests.len() {
            return self.refuse(id);
        }
        self.insert(id, request.end);
        events.push(Event::Opened { id, request });
        Ok(())
    }

    /// A plugin opens no requests, so this is a frame like any other that is wrong.
    fn receive_request_at_host(
        &mut self,
        id: u64,
        end: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let kind = Kind::Request { end };
        if self.last_id < id {
            return Err(Malformed::NeverOpened { kind: kind.name(), id });
        }
        if let Some(request) = self.requests.get(&id) {
            let violation = Violation::state(request.state, kind);
            self.punish(id, violation, events);
        }
        Ok(())
    }

    fn refuse(&mut self, id: u64) -> Result<(), Malformed> {
        if MAX_REFUSALS <= self.refusals {
            return Err(Malformed::Flood(MAX_REFUSALS));
        }
        self.push_reset(id, ResetCode::Refused, "too many requests at once");
        Ok(())
    }

    fn receive_part(
        &mut self,
        id: u64,
        part: Part,
        events: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if self.last_id < id {
            return Err(Malformed::NeverOpened { kind: part.kind().name(), id });
        }
        // Else it has ended here, and the other side did not know when it sent this.
        if let Some(request) = self.requests.get_mut(&id) {
            let before = request.state;
            match accept(request, self.role.other(), &part) {
                Ok(()) => self.announce(id, before, part, events),
                Err(violation) => self.punish(id, violation, events),
            }
        }
        Ok(())
    }

    /// Says what a legal frame means. `before` is the state that it met.
    fn announce(&mut self, id: u64, before: State, part: Part, events: &mut Vec<Event>) {
        match part {
            Part::Response(response) => events.push(Event::Responded { id, response }),
            Part::Informational(informational) => {
                events.push(Event::Informed { id, informational });
            }
            // Only `end` makes a frame without data mean something, and events cost more than frames.
            Part::Data(Data { data, end }) if end || !data.is_empty() => {
                events.push(Event::Data { id, data, end });
            }
            Part::Trailers(Trailers { headers }) => events.push(Event::Trailers { id, headers }),
            Part::Credit(_) if before.goes_on(self.role) => events.push(Event::Credit { id }),
            Part::Data(_) | Part::Credit(_) => {}
            Part::Reset(reset) => return self.receive_reset(id, before, &reset, events),
        }
        self.forget_if_over(id);
    }

    fn receive_reset(&mut self, id: u64, before: State, reset: &Reset, events: &mut Vec<Event>) {
        if self.role == Role::Host && before == State::Answered {
            self.remove(id);
            self.queue.drop_bulk(id);
            events.push(Event::Stopped { id });
            return;
        }
        let is_untouched = self.requests.get(&id).is_some_and(|request| request.is_untouched);
        let failure = match reset.code() {
            ResetCode::Refused if self.role == Role::Host && is_untouched => Failure::Refused,
            code => Failure::Reset { code, message: codec::clip(&reset.message) },
        };
        self.fail(id, failure, events);
    }

    /// Ends a request that the other side has broken.
    fn punish(&mut self, id: u64, violation: Violation, events: &mut Vec<Event>) {
        let code = match &violation {
            Violation::Credit => ResetCode::Credit,
            Violation::TooMuchCredit
            | Violation::State { .. }
            | Violation::Informational(_)
            | Violation::TooManyInformational => ResetCode::Protocol,
        };
        let message = violation.to_string();
        self.fail(id, Failure::Violation(violation), events);
        self.push_reset(id, code, &message);
    }

    fn fail(&mut self, id: u64, failure: Failure, events: &mut Vec<Event>) {
        self.remove(id);
        self.queue.drop_bulk(id);
        events.push(Event::Failed { id, failure });
    }
}

/// Takes a frame of the other side into account.
fn accept(request: &mut Request, from: Role, part: &Part) -> Result<(), Violation> {
    if let Part::Informational(informational) = part {
        request.inform(informational.status)?;
    }
    request.step(from, part.kind())?;
    request.is_untouched &= matches!(part, Part::Reset(_));
    match part {
        Part::Data(data) => request.window.receive(data.data.len()),
        Part::Credit(bytes) => request.credit.add(*bytes),
        Part::Response(_) | Part::Informational(_) | Part::Trailers(_) | Part::Reset(_) => Ok(()),
    }
}
