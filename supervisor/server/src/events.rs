//! Events on their way: from whoever announces one, onto the disk, and to every instance that is to be told.
//!
//! One task, the [`writer`](Desk), puts everything that arrives meanwhile into one transaction: new events of all
//! who announce some, and what became of deliveries. So an answer means that the event is on disk, and a sync of the
//! disk is paid once for many. Each notifier has a dispatcher of its own, which reads ahead, asks
//! `outboard_core::event` who is next, calls the plugin and hands the outcome to the writer; the next event of that
//! key is sent when the outcome is on disk. Nothing here is kept only in memory that a restart would miss.

mod bell;
mod call;
mod crew;
mod dispatcher;
mod lease;
mod numbers;
mod publish;
mod settings;
mod shelf;
mod upkeep;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outboard_store::Store;
use outboard_store::outbox::{Outbox, Place};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::Routes;
use crate::task;
use bell::Bells;
pub use numbers::{Counted, NotifierCounts, Numbers};
pub use publish::{MOST_EVENTS, PublishError, Receipt};
pub use settings::Settings;
use writer::Desk;

/// How long the end waits for deliveries that are being written down.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes events in, and tells what became of them. Clones are the same.
#[derive(Clone)]
pub struct Events(Arc<Common>);

/// What all who work on events share.
struct Common {
    store: Store,
    /// Other supervisors may use the same database.
    is_shared: bool,
    /// By what this run is known to them.
    holder: String,
    routes: Arc<Routes>,
    roster: Roster,
    settings: Settings,
    numbers: Numbers,
    bells: Bells,
    desk: Desk,
}

/// Those who work on events. Dropping it ends their work at once.
#[must_use = "dropping it ends all work on events"]
pub struct Working {
    events: Events,
    closing: CancellationToken,
    /// Ends when the last of the crew has left.
    left: mpsc::Receiver<()>,
    written: mpsc::Receiver<()>,
    _crew: task::Owned,
    _upkeep: task::Owned,
    _writer: task::Owned,
}

impl Events {
    /// Begins to work. Events are taken in as soon as `roster` knows who is to be told.
    pub fn open(
        store: Store,
        is_shared: bool,
        routes: Arc<Routes>,
        roster: Roster,
        settings: Settings,
    ) -> (Self, Working) {
        let (desk, orders) = Desk::open();
        let events = Self(Arc::new(Common {
            store,
            is_shared,
            holder: uuid::Uuid::now_v7().to_string(),
            routes,
            roster,
            settings,
            numbers: Numbers::default(),
            bells: Bells::default(),
            desk,
        }));
        let closing = CancellationToken::new();
        let ((presence, left), (writing, written)) = (mpsc::channel(1), mpsc::channel(1));
        let crew = crew::run(events.0.clone(), closing.clone(), presence);
        let working = Working {
            _crew: task::spawn("dispatchers of events", crew),
            _upkeep: task::spawn("upkeep of events", upkeep::run(events.0.clone())),
            _writer: task::spawn(
                "writer of events",
                writer::run(events.0.clone(), orders, writing),
            ),
            events: events.clone(),
            closing,
            left,
            written,
        };
        (events, working)
    }

    /// Which instances are told of events.
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What has been counted.
    pub fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// What is on disk.
    pub fn outbox(&self) -> Outbox<'_> {
        self.0.store.outbox()
    }

    /// Has dead letters that were asked for again looked at by those who deliver them.
    pub fn replayed<'n>(&self, notifiers: impl IntoIterator<Item = &'n String>) {
        for notifier in notifiers {
            self.0.bells.ring_for_replays(notifier);
        }
    }
}

impl Common {
    /// Lets go of deliveries that were given up in the store, without an attempt.
    fn gave_way(&self, places: &[Place], why: &str) {
        let mut counts = BTreeMap::<&str, usize>::new();
        for place in places {
            self.bells.ring_for_gone(&place.notifier, place.seq);
            self.numbers.died(&place.notifier.as_str().into());
            *counts.entry(&place.notifier).or_default() += 1;
        }
        for (notifier, count) in counts {
            tracing::warn!(
                notifier,
                count,
                "events became dead letters: {why}; see `outboard event dead`"
            );
        }
    }
}

impl Working {
    /// Takes in no more events, and returns when what became of the last deliveries is on disk. Bounded in time: what
    /// is not written by then happens again. To be called when no plugin runs any more, and before the store is
    /// closed.
    pub async fn close(mut self) {
        self.closing.cancel();
        let is_over = tokio::time::timeout(PATIENCE, async {
            // Nothing is ever sent: both end with those who hold the other side.
            let _ = self.left.recv().await;
            self.events.0.desk.close().await;
            let _ = self.written.recv().await;
        });
        if is_over.await.is_err() {
            tracing::warn!(
                "the outcome of some deliveries could not be written; they are made again"
            );
        }
    }
}

/// Milliseconds since 1970, as the outbox counts.
fn in_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
