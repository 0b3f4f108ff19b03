//! One slot per number where announcements and dials meet, whichever comes first.
//!
//! Pure: time comes in as what has passed since the broker began.
//!
//! | event | empty | buffered | waiting |
//! |---|---|---|---|
//! | announcement | buffered for 5 s | dropped | to the oldest dial |
//! | dial | waits 5 s | takes it: empty | waits behind |
//! | 5 s pass | | empty | that dial fails |

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How long an announcement waits for its dial, and a dial for its announcement; go-plugin's number.
pub(super) const LIFE: Duration = Duration::from_secs(5);

/// Announcements that wait at once. Beyond it they are dropped: the other side may be hostile.
const MOST_BUFFERED: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Announcements `A` and the dials `W` that wait for them.
pub(super) struct Mailboxes<A, W> {
    slots: HashMap<u32, Slot<A, W>>,
    last_ticket: u64,
}

enum Slot<A, W> {
    Buffered { announcement: A, until: Duration },
    Waiting(VecDeque<(Ticket, W)>),
}

impl<A, W> Default for Mailboxes<A, W> {
    fn default() -> Self {
        Self { slots: HashMap::new(), last_ticket: 0 }
    }
}

impl<A, W> Mailboxes<A, W> {
    /// An announcement; given back with the dial that waited for it, if one did.
    pub(super) fn arrive(&mut self, now: Duration, id: u32, announcement: A) -> Option<(W, A)> {
        self.expire(now);
        match self.slots.get_mut(&id) {
            None => self.buffer(now, id, announcement),
            Some(Slot::Buffered { .. }) => {}
            Some(Slot::Waiting(queue)) => {
                let (_, waiter) = queue.pop_front()?;
                if queue.is_empty() {
                    self.slots.remove(&id);
                }
                return Some((waiter, announcement));
            }
        }
        None
    }

    /// A dial; it takes what is buffered, or leaves `waiter` behind, until it is forgotten.
    pub(super) fn dial(&mut self, now: Duration, id: u32, waiter: W) -> Result<A, Ticket> {
        self.expire(now);
        match self.slots.remove(&id) {
            Some(Slot::Buffered { announcement, .. }) => Ok(announcement),
            Some(Slot::Waiting(queue)) => Err(self.wait(id, queue, waiter)),
            None => Err(self.wait(id, VecDeque::new(), waiter)),
        }
    }

    /// A dial that no longer waits. One that got its announcement is forgotten already.
    pub(super) fn forget(&mut self, id: u32, ticket: Ticket) {
        if let Some(Slot::Waiting(queue)) = self.slots.get_mut(&id) {
            queue.retain(|(other, _)| *other != ticket);
            if queue.is_empty() {
                self.slots.remove(&id);
            }
        }
    }

    /// Drops all dials that wait; what was announced stays for its time.
    pub(super) fn dismiss(&mut self) {
        self.slots.retain(|_, slot| matches!(slot, Slot::Buffered { .. }));
    }

    fn buffer(&mut self, now: Duration, id: u32, announcement: A) {
        if self.slots.len() < MOST_BUFFERED {
            self.slots.insert(id, Slot::Buffered { announcement, until: now + LIFE });
        }
    }

    fn wait(&mut self, id: u32, mut queue: VecDeque<(Ticket, W)>, waiter: W) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        queue.push_back((ticket, waiter));
        self.slots.insert(id, Slot::Waiting(queue));
        ticket
    }

    fn expire(&mut self, now: Duration) {
        self.slots.retain(|_, slot| match slot {
            Slot::Buffered { until, .. } => now < *until,
            Slot::Waiting(_) => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Mailboxes<&'static str, char>;

    const START: Duration = Duration::from_secs(100);

    fn after(seconds: f64) -> Duration {
        START + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn b02_a_dial_may_come_before_or_after_its_announcement() {
        let mut boxes = Names::default();
        assert!(boxes.dial(START, 1, 'd').is_err());
        assert_eq!(boxes.arrive(after(2.0), 1, "a"), Some(('d', "a")));

        assert_eq!(boxes.arrive(after(2.0), 2, "b"), None);
        assert_eq!(boxes.dial(after(4.0), 2, 'e'), Ok("b"));
    }

    #[test]
    fn b04_an_announcement_lives_for_just_under_five_seconds() {
        let mut boxes = Names::default();
        boxes.arrive(START, 1, "a");
        assert_eq!(boxes.dial(after(4.999), 1, 'd'), Ok("a"));
        boxes.arrive(START, 2, "b");
        assert!(boxes.dial(after(5.0), 2, 'd').is_err());
    }

    #[test]
    fn b05_one_announcement_serves_one_dial() {
        let mut boxes = Names::default();
        boxes.arrive(START, 1, "a");
        assert_eq!(boxes.dial(START, 1, 'd'), Ok("a"));
        assert!(boxes.dial(START, 1, 'e').is_err());
    }

    #[test]
    fn a_second_announcement_is_dropped_and_does_not_lengthen_the_first() {
        let mut boxes = Names::default();
        boxes.arrive(START, 1, "a");
        boxes.arrive(after(3.0), 1, "b");
        assert!(boxes.dial(after(5.0), 1, 'd').is_err());
    }

    #[test]
    fn dials_are_served_in_their_order() {
        let mut boxes = Names::default();
        assert!(boxes.dial(START, 1, 'd').is_err());
        assert!(boxes.dial(START, 1, 'e').is_err());
        assert_eq!(boxes.arrive(START, 1, "a"), Some(('d', "a")));
        assert_eq!(boxes.arrive(START, 1, "b"), Some(('e', "b")));
        assert_eq!(boxes.arrive(START, 1, "c"), None);
    }

    #[test]
    fn an_announcement_after_a_dial_gave_up_waits_afresh() {
        let mut boxes = Names::default();
        let ticket = boxes.dial(START, 1, 'd').unwrap_err();
        boxes.forget(1, ticket);
        assert_eq!(boxes.arrive(after(5.0), 1, "a"), None);
        assert_eq!(boxes.dial(after(9.9), 1, 'e'), Ok("a"));
    }

    #[test]
    fn forgetting_one_dial_leaves_the_other() {
        let mut boxes = Names::default();
        let ticket = boxes.dial(START, 1, 'd').unwrap_err();
        assert!(boxes.dial(START, 1, 'e').is_err());
        boxes.forget(1, ticket);
        assert_eq!(boxes.arrive(START, 1, "a"), Some(('e', "a")));
    }

    #[test]
    fn a_flood_of_announcements_is_bounded_and_passes() {
        let mut boxes = Names::default();
        for id in 0..5000 {
            boxes.arrive(START, id, "a");
        }
        assert_eq!(boxes.slots.len(), MOST_BUFFERED);
        boxes.arrive(after(5.0), 9999, "b");
        assert_eq!(boxes.dial(after(5.0), 9999, 'd'), Ok("b"));
    }

    #[test]
    fn dismissing_leaves_what_was_announced() {
        let mut boxes = Names::default();
        boxes.arrive(START, 1, "a");
        assert!(boxes.dial(START, 2, 'd').is_err());
        boxes.dismiss();
        assert_eq!(boxes.dial(START, 1, 'd'), Ok("a"));
        assert_eq!(boxes.slots.len(), 0);
    }
}
