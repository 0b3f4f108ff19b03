//! Which of the events of a group are new, and for which there is room: a decision, without IO.

use std::collections::HashMap;

use super::group::{Accept, Accepted, NewEvent, Receipt};

/// What is to be stored, and what is to be answered.
pub(super) struct Admission<'a> {
    pub(super) answers: Vec<Accepted>,
    /// New ones with their numbers, rising.
    pub(super) rows: Vec<(i64, &'a NewEvent)>,
    /// Of their bodies, as far as these are kept.
    pub(super) bytes: i64,
}

/// `known` has the number of each event that the database has already, by its place in the group;
/// `next_seq` is free, and so are all above it; `room` is how many bytes may come.
pub(super) fn admit<'a>(
    accepts: &'a [Accept],
    known: &HashMap<usize, i64>,
    next_seq: i64,
    room: i64,
) -> Admission<'a> {
    let mut desk = Desk {
        admission: Admission { answers: Vec::new(), rows: Vec::new(), bytes: 0 },
        next_seq,
        seen: HashMap::new(),
    };
    let mut place = 0;
    for accept in accepts {
        desk.take(accept, known, place, room);
        place += accept.events.len();
    }
    desk.admission
}

/// The events of a group, each with its place.
pub(super) fn places(accepts: &[Accept]) -> Vec<(i64, &NewEvent)> {
    (0..).zip(accepts.iter().flat_map(|accept| &accept.events)).collect()
}

/// Bytes that the event takes of the bounds.
pub(super) fn bytes(event: &NewEvent) -> i64 {
    if event.deliveries.is_empty() { 0 } else { super::stored(event.body.len() as u64) }
}

struct Desk<'a> {
    admission: Admission<'a>,
    next_seq: i64,
    /// Events of this group, by id and source.
    seen: HashMap<(&'a str, &'a str), i64>,
}

impl<'a> Desk<'a> {
    fn take(&mut self, accept: &'a Accept, known: &HashMap<usize, i64>, first: usize, room: i64) {
        let (rows, bytes, next_seq) =
            (self.admission.rows.len(), self.admission.bytes, self.next_seq);
        let events = accept.events.iter().zip(first..);
        let receipts = events.map(|(event, place)| self.receive(event, known.get(&place)));
        let receipts: Vec<Receipt> = receipts.collect();
        // What brings nothing new is never too much.
        if self.admission.bytes > room && self.admission.bytes > bytes {
            for (_, event) in self.admission.rows.drain(rows..) {
                self.seen.remove(&identity(event));
            }
            (self.admission.bytes, self.next_seq) = (bytes, next_seq);
            self.admission.answers.push(Accepted::Full);
        } else {
            self.admission.answers.push(Accepted::Stored(receipts));
        }
    }

    fn receive(&mut self, event: &'a NewEvent, known: Option<&i64>) -> Receipt {
        if let Some(seq) = known.or_else(|| self.seen.get(&identity(event))) {
            return Receipt { seq: *seq, repeated: true };
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        self.seen.insert(identity(event), seq);
        self.admission.rows.push((seq, event));
        self.admission.bytes += bytes(event);
        Receipt { seq, repeated: false }
    }
}

fn identity(event: &NewEvent) -> (&str, &str) {
    (&event.event_id, &event.source)
}

#[cfg(test)]
mod tests {
    use super::super::group::NewDelivery;
    use super::*;

    fn event(id: &str, bytes: usize) -> NewEvent {
        NewEvent {
            source: "/s".to_owned(),
            event_id: id.to_owned(),
            kind: "t".to_owned(),
            key: None,
            body: "x".repeat(bytes),
            deliveries: vec![NewDelivery { notifier: "n".into(), delivery_id: id.to_owned() }],
        }
    }

    fn accepts(accepts: &[&[(&str, usize)]]) -> Vec<Accept> {
        let accept = |events: &[(&str, usize)]| Accept {
            events: events.iter().map(|(id, bytes)| event(id, *bytes)).collect(),
        };
        accepts.iter().map(|events| accept(events)).collect()
    }

    fn new(seq: i64) -> Receipt {
        Receipt { seq, repeated: false }
    }

    fn repeat(seq: i64) -> Receipt {
        Receipt { seq, repeated: true }
    }

    fn seqs(admission: &Admission<'_>) -> Vec<(i64, String)> {
        admission.rows.iter().map(|(seq, event)| (*seq, event.event_id.clone())).collect()
    }

    #[test]
    fn repeats_in_the_database_and_in_the_group_get_the_number_of_the_first() {
        let accepts = accepts(&[&[("a", 1), ("b", 1), ("a", 1)], &[("b", 1), ("old", 9)]]);
        let admission = admit(&accepts, &HashMap::from([(4, 3)]), 7, 2);
        assert_eq!(
            admission.answers,
            [
                Accepted::Stored(vec![new(7), new(8), repeat(7)]),
                Accepted::Stored(vec![repeat(8), repeat(3)]),
            ]
        );
        assert_eq!(seqs(&admission), [(7, "a".to_owned()), (8, "b".to_owned())]);
        assert_eq!(admission.bytes, 2);
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_what_comes_later_may_fit() {
        let accepts =
            accepts(&[&[("a", 4)], &[("b", 3), ("c", 4)], &[("b", 6)], &[("a", 4)], &[("d", 1)]]);
        let admission = admit(&accepts, &HashMap::new(), 1, 10);
        assert_eq!(
            admission.answers,
            [
                Accepted::Stored(vec![new(1)]),
                Accepted::Full,
                Accepted::Stored(vec![new(2)]),
                Accepted::Stored(vec![repeat(1)]),
                Accepted::Full,
            ]
        );
        assert_eq!(admission.bytes, 10);
    }

    #[test]
    fn over_the_bound_only_what_needs_no_room_is_taken() {
        let mut accepts = accepts(&[&[("a", 1)], &[("old", 1)], &[("nobody", 5)]]);
        accepts[2].events[0].deliveries.clear();
        let admission = admit(&accepts, &HashMap::from([(1, 3)]), 7, -1);
        assert_eq!(
            admission.answers,
            [Accepted::Full, Accepted::Stored(vec![repeat(3)]), Accepted::Stored(vec![new(7)])]
        );
    }
}
