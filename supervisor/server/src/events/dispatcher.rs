//! Delivers to one notifier: reads ahead, asks who is next, calls, and has the outcome written before it goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use outboard_core::event::retry::{self, Policy, Verdict};
use outboard_proto::plugin::v1::Capability;
use outboard_store::outbox::{Outcome, Pending, Settle};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bell::{Bell, Said};
use super::call::{self, Answer, Away};
use super::lease::Lease;
use super::shelf::Shelf;
use super::{Common, in_ms, now_ms};

/// Between two looks for what other supervisors have taken in.
const LOOK: Duration = Duration::from_secs(1);
/// After the database failed, and after an instance was away that seemed to be there.
const PAUSE: Duration = Duration::from_millis(200);
/// Deliveries under way for each place at the notifier: one that was answered gives its place up, and keeps its key
/// until that is on disk.
const PER_PLACE: usize = 8;
/// Between two complaints about one notifier.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Whoever delivers to one notifier.
pub(super) struct Dispatcher {
    common: Arc<Common>,
    notifier: Arc<str>,
    bell: Arc<Bell>,
    changes: watch::Receiver<()>,
    lease: Lease,
    shelf: Shelf,
    /// At the notifier.
    places: Arc<Semaphore>,
    running: FuturesUnordered<BoxFuture<'static, Attempt>>,
    /// The database is left alone until then.
    read_at: Instant,
    /// When to look for what nobody rings for.
    look_at: Instant,
    complained: Option<Instant>,
    /// What was not told since.
    held_back: u64,
}

/// What became of one attempt.
struct Attempt {
    seq: i64,
    came_to: CameTo,
}

/// Of an attempt that failed, for an operator.
struct Failure {
    delivery: String,
    error: String,
}

enum CameTo {
    /// On disk: it was delivered.
    Delivered,
    /// On disk: it was given up.
    Dead(Failure),
    /// On disk: it is tried again.
    Again(i64, Failure),
    /// The instance was away; nothing was tried.
    Away,
    /// The supervisor stops; what is on disk holds.
    Unwritten,
}

impl Dispatcher {
    pub(super) fn new(common: Arc<Common>, notifier: &str) -> Self {
        let notifier: Arc<str> = notifier.into();
        common.numbers.begin(&notifier);
        let now = Instant::now();
        Self {
            bell: common.bells.hang(&notifier),
            changes: common.routes.changes(),
            lease: Lease::new(common.clone(), notifier.clone()),
            shelf: Shelf::new(common.settings.concurrency.saturating_mul(PER_PLACE)),
            places: Arc::new(Semaphore::new(common.settings.concurrency)),
            running: FuturesUnordered::new(),
            read_at: now,
            look_at: now + LOOK,
            complained: None,
            held_back: 0,
            common,
            notifier,
        }
    }

    /// Until `closing` is cancelled, and then until the last call has ended.
    pub(super) async fn run(mut self, closing: CancellationToken) {
        loop {
            if closing.is_cancelled() && self.running.is_empty() {
                return self.lease.release().await;
            }
            self.lease.ask().await;
            let may_begin = self.may_begin() && !closing.is_cancelled();
            let mut reads_on = false;
            if may_begin {
                reads_on = self.read().await;
                self.begin();
            }
            let (bell, wake_at) = (self.bell.clone(), self.wake_at(may_begin));
            tokio::select! {
                Some(attempt) = self.running.next() => self.attempted(attempt),
                said = bell.hear() => self.heed(said),
                // The sender lives as long as the supervisor.
                _ = self.changes.changed() => {}
                () = std::future::ready(()), if reads_on => {}
                () = tokio::time::sleep_until(wake_at) => self.look(),
                () = closing.cancelled(), if !closing.is_cancelled() => {}
            }
        }
    }

    /// Whether the instance is there, and it is for us to call it. If not, nothing is kept in memory for it.
    fn may_begin(&mut self) -> bool {
        if !self.lease.is_held() {
            // Somebody else may deliver them by now.
            self.running.clear();
            self.shelf.clear();
            return false;
        }
        let snapshot = self.common.routes.snapshot();
        let serving = snapshot.get(&self.notifier);
        let is_there = serving.is_some_and(|(activation, _)| activation.can(Capability::Notify));
        if !is_there && self.running.is_empty() {
            self.shelf.clear();
        }
        is_there
    }

    /// Reads one page, if there is room and may be more. True: there may be another.
    async fn read(&mut self) -> bool {
        let Some(want) = self.shelf.wants() else { return false };
        if Instant::now() < self.read_at {
            return false;
        }
        let outbox = self.common.store.outbox();
        match outbox.pending(&self.notifier, want.line(), want.after, want.window).await {
            Ok(read) => {
                self.shelf.put(&want, read);
                self.shelf.wants().is_some()
            }
            Err(error) => {
                tracing::warn!(notifier = &*self.notifier, %error, "events could not be read; they wait");
                self.read_at = Instant::now() + PAUSE;
                false
            }
        }
    }

    fn begin(&mut self) {
        while let Some((letter, attempts)) = self.shelf.next(now_ms()) {
            let (common, notifier) = (self.common.clone(), self.notifier.clone());
            let attempt = attempt(common, notifier, self.places.clone(), letter, attempts + 1);
            self.running.push(Box::pin(attempt));
        }
    }

    fn attempted(&mut self, attempt: Attempt) {
        let Attempt { seq, came_to } = attempt;
        match came_to {
            CameTo::Delivered => self.shelf.done(seq),
            CameTo::Dead(failure) => {
                self.shelf.done(seq);
                self.complain(&failure, "an event became a dead letter; see `outboard event dead`");
            }
            CameTo::Again(at_ms, failure) => {
                self.shelf.again(seq, at_ms, true);
                self.complain(&failure, "an event was not delivered, and is tried again later");
            }
            CameTo::Away | CameTo::Unwritten => {
                self.shelf.again(seq, now_ms() + in_ms(PAUSE), false);
            }
        }
    }

    fn heed(&mut self, said: Said) {
        if said.has_new {
            self.shelf.look_on();
        }
        if said.has_replays {
            self.shelf.look_for_replays();
        }
        for seq in said.gone {
            self.shelf.forget(seq);
        }
    }

    /// Of what other supervisors take in, nobody tells.
    fn look(&mut self) {
        let now = Instant::now();
        if self.common.is_shared && now >= self.look_at {
            self.look_at = now + LOOK;
            self.shelf.look_on();
            self.shelf.look_for_replays();
        }
    }

    /// When there may be something to do that nobody tells.
    fn wake_at(&self, may_begin: bool) -> Instant {
        let now = Instant::now();
        let mut wake_at = self.lease.due().unwrap_or(now + Duration::from_hours(1));
        if may_begin {
            if self.common.is_shared {
                wake_at = wake_at.min(self.look_at);
            }
            if self.read_at > now {
                wake_at = wake_at.min(self.read_at);
            }
            if let Some(at_ms) = self.shelf.wake_at() {
                let left = u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or_default();
                wake_at = wake_at.min(now + Duration::from_millis(left));
            }
        }
        wake_at
    }

    /// Tells an operator, but not of each: a notifier that is down fails as often as one that is up is told.
    fn complain(&mut self, failure: &Failure, what: &str) {
        if self.complained.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) {
            self.held_back += 1;
            return;
        }
        self.complained = Some(Instant::now());
        let held_back = std::mem::take(&mut self.held_back);
        let Failure { delivery, error } = failure;
        tracing::warn!(notifier = &*self.notifier, delivery, error, held_back, "{what}");
    }
}

/// One attempt, until its outcome is on disk.
async fn attempt(
    common: Arc<Common>,
    notifier: Arc<str>,
    places: Arc<Semaphore>,
    letter: Arc<Pending>,
    attempt: u32,
) -> Attempt {
    let seq = letter.seq;
    // It is never closed.
    let place = places.acquire().await;
    let answer = call::on_notify(&common, &notifier, &letter, attempt).await;
    drop(place);
    let answer = match answer {
        Ok(answer) => answer,
        Err(Away) => return Attempt { seq, came_to: CameTo::Away },
    };
    let outcome = decide(&common, &notifier, &letter, attempt, answer);
    let failure =
        |error: &String| Failure { delivery: letter.delivery_id.clone(), error: error.clone() };
    let came_to = match &outcome {
        Outcome::Delivered => CameTo::Delivered,
        Outcome::Again { not_before_ms, error } => CameTo::Again(*not_before_ms, failure(error)),
        Outcome::Dead { error } => CameTo::Dead(failure(error)),
    };
    let settle = Settle { notifier: notifier.clone(), seq, outcome };
    match common.desk.settle(settle).await {
        Ok(()) => Attempt { seq, came_to },
        Err(_) => Attempt { seq, came_to: CameTo::Unwritten },
    }
}

/// What an answer means for a delivery, counted and told.
fn decide(
    common: &Common,
    notifier: &Arc<str>,
    letter: &Pending,
    attempt: u32,
    answer: Answer,
) -> Outcome {
    let (outcome, error) = match answer {
        Answer::Delivered => (retry::Outcome::Delivered, String::new()),
        Answer::Retry { error, after } => (retry::Outcome::Failed { after }, error),
        Answer::Rejected { error } => (retry::Outcome::Rejected, error),
    };
    let policy = Policy::new(common.settings.attempts, common.settings.max_age);
    match policy.decide(attempt, letter.accepted_ms, now_ms(), outcome, rand::random()) {
        Verdict::Delivered => {
            common.numbers.delivered(notifier);
            Outcome::Delivered
        }
        Verdict::Again { at_ms } => {
            common.numbers.failed(notifier, &error);
            Outcome::Again { not_before_ms: at_ms, error }
        }
        Verdict::Dead { why } => {
            common.numbers.failed(notifier, &error);
            common.numbers.died(notifier);
            Outcome::Dead { error: format!("{why}: {error}") }
        }
    }
}
