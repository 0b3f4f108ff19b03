//! What became of events, and what waits.

use std::time::Duration;

use outboard_store::outbox::Queues;

use super::text::Text;
use crate::events::{Events, NotifierCounts};

/// For the store to tell what waits; without an answer that is left out.
const LONGEST: Duration = Duration::from_secs(2);

pub(super) async fn write(text: &mut Text, events: &Events) {
    announced(text, events);
    delivered(text, events);
    match tokio::time::timeout(LONGEST, events.outbox().queues()).await {
        Ok(Ok(queues)) => waiting(text, &queues),
        Ok(Err(error)) => tracing::warn!(%error, "metrics of waiting events are left out"),
        Err(_) => {
            tracing::warn!("metrics of waiting events are left out: the database is too slow");
        }
    }
}

fn announced(text: &mut Text, events: &Events) {
    let counted = events.numbers().counted();
    text.counter("outboard_events_accepted_total", "Events that were put on disk.")
        .sample(&[], counted.accepted);
    text.counter(
        "outboard_events_repeated_total",
        "Events that were left out, since one of the same source and id was there already.",
    )
    .sample(&[], counted.repeated);
    let mut refused =
        text.counter("outboard_events_refused_total", "Events that were not taken in, by reason.");
    for (reason, count) in counted.refused {
        refused.sample(&[("reason", reason)], count);
    }
}

fn delivered(text: &mut Text, events: &Events) {
    let notifiers = events.numbers().notifiers();
    let mut family = |name, help, of: fn(&NotifierCounts) -> u64| {
        let mut family = text.counter(name, help);
        for (notifier, counts) in &notifiers {
            family.sample(&[("instance", notifier)], of(counts));
        }
    };
    family("outboard_events_delivered_total", "Events that a notifier has.", |counts| {
        counts.delivered
    });
    family("outboard_events_failed_total", "Attempts to deliver an event that failed.", |counts| {
        counts.failed
    });
    family("outboard_events_dead_total", "Events that were given up for a notifier.", |counts| {
        counts.dead
    });
}

fn waiting(text: &mut Text, queues: &Queues) {
    text.gauge("outboard_events_outbox_bytes", "Bytes of all events that somebody still needs.")
        .sample(&[], queues.bytes);
    let mut pending = text.gauge("outboard_events_pending", "Events that wait for a notifier.");
    for queue in &queues.queues {
        pending.sample(&[("instance", &queue.notifier)], queue.pending);
    }
    let mut bytes = text
        .gauge("outboard_events_pending_bytes", "Bytes of the events that wait for a notifier.");
    for queue in &queues.queues {
        bytes.sample(&[("instance", &queue.notifier)], queue.pending_bytes);
    }
    let mut dead = text.gauge("outboard_events_dead_letters", "Dead letters of a notifier.");
    for queue in &queues.queues {
        dead.sample(&[("instance", &queue.notifier)], queue.dead);
    }
}
